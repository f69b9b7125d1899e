"""Postgres: the pool, the embedded server, migrations, and what the driver raises as domain errors."""
