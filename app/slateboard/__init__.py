"""Slateboard: agents claim artifacts from a board on Postgres and write results to it."""
