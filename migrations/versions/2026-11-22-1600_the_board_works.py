"""The board, the queue and the log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alembic import op

revision = "2026_11_22_1600"
down_revision = None
branch_labels = None
depends_on = None

FROZEN = Path(__file__).parents[1] / "frozen" / "2026-11-22-1600"

SCRIPTS = ("tables", "append", "rating", "place", "enter", "claim", "stale", "losses", "finish", "give_back", "seal",
           "route", "erase", "delete", "rules")  # fmt: skip


def run_script(script: str) -> None:
    """Run a script of many statements, as Postgres's simple protocol takes it."""
    connection: Any = op.get_bind().connection.dbapi_connection
    connection.run_async(lambda driver: driver.execute(script))


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for name in SCRIPTS:
        run_script((FROZEN / f"{name}.sql").read_text())


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    run_script((FROZEN / "down.sql").read_text())
