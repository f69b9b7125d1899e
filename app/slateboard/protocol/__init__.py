"""The words that the server and the SDK share: names, states, rights, events, errors. Imports nothing of ours."""
