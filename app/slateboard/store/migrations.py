"""Bringing the schema to what this code speaks. Migrations ship inside the wheel and run as the schema's owner, under a
lock, in one transaction: a failed one leaves nothing behind.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from alembic.config import Config

PACKAGE = Path(__file__).parents[1]

_REVISION = re.compile(r'^(revision|down_revision)(?:: [^=]+)? = (?:"([^"]+)"|None)', re.MULTILINE)


def folder() -> Path:
    """Where the migrations are: in the installed package, or beside `app/` in a checkout."""
    shipped = PACKAGE / "migrations"
    return shipped if shipped.is_dir() else PACKAGE.parents[1] / "migrations"


@cache
def known_revisions() -> dict[str, str | None]:
    """The migrations of this code, each with the one before it; read as text, so that Alembic need not be loaded."""
    found: dict[str, str | None] = {}
    for path in sorted((folder() / "versions").glob("*.py")):
        names = {match[1]: match[2] for match in _REVISION.finditer(path.read_text())}
        found[names["revision"]] = names["down_revision"]
    return found


def head() -> str:
    """The newest migration of this code."""
    known = known_revisions()
    (newest,) = known.keys() - set(known.values())
    return newest


def configuration(url: str) -> Config:
    """Alembic's configuration for the owner's database at `url` (`postgresql://…`)."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(folder()))
    config.attributes["url"] = ("postgresql+asyncpg://", {"dsn": url})
    return config


def upgrade(url: str, revision: str = "head") -> None:
    """Apply what is missing, up to `revision`. Blocking: it runs an event loop of its own."""
    from alembic import command

    command.upgrade(configuration(url), revision)


def downgrade(url: str, revision: str = "base") -> None:
    """Take migrations back, down to `revision` (`base` removes everything)."""
    from alembic import command

    command.downgrade(configuration(url), revision)
