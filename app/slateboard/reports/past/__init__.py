"""The past: the board as it was, folded from its events."""
