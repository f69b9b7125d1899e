"""Declared boards: reading manifests with positions, comparing them with the board, and making the board so."""
