"""Chaos: a fleet at work while workers, servers and Postgres are killed; at the end everything must add up."""
