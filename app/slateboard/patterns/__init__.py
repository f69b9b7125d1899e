"""How agents work together, made of board, work and log: events become work, and results change the board."""
