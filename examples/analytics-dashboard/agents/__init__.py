"""One worker module for each agent: what it takes from the board, and which plain function does the work."""
