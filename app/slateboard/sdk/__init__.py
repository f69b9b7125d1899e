"""The user's half: client, worker and what they talk through. It imports only `protocol`."""
