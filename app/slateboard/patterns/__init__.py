"""How agents work together, made of board, work and log. Nothing stands here yet: one queue needs no pattern."""
