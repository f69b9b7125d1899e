"""The organisation: delegations, presence, peers on threads, and meetings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alembic import op

revision = "2026_11_23_0600"
down_revision = "2026_11_23_0300"
branch_labels = None
depends_on = None

FROZEN = Path(__file__).parents[1] / "frozen" / "2026-11-23-0600"
BEFORE = Path(__file__).parents[1] / "frozen" / "2026-11-23-0300"

SCRIPTS = ("tables", "enter", "duties", "dead_letters", "peers", "rules")
REPLACED = ("enter", "dead_letters")
"""The scripts whose functions were there before: going down, these are what they were."""


def run_script(script: str) -> None:
    """Run a script of many statements, as Postgres's simple protocol takes it."""
    connection: Any = op.get_bind().connection.dbapi_connection
    connection.run_async(lambda driver: driver.execute(script))


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("SET LOCAL statement_timeout = '10min'")
    for name in SCRIPTS:
        run_script((FROZEN / f"{name}.sql").read_text())


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    run_script((FROZEN / "down.sql").read_text())
    for name in REPLACED:
        run_script((BEFORE / f"{name}.sql").read_text())
