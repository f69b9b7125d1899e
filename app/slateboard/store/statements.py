"""SQLAlchemy statements for asyncpg: built with SQLAlchemy Core, run on the one pool of `database`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy.dialects.postgresql.asyncpg import dialect

if TYPE_CHECKING:
    from sqlalchemy.sql import ClauseElement

DIALECT = dialect()


def compiled(statement: ClauseElement) -> tuple[str, list[Any]]:
    """The statement's SQL text with `$1`…, and its arguments in that order."""
    result: Any = statement.compile(dialect=DIALECT, compile_kwargs={"render_postcompile": True})
    values: dict[str, Any] = result.construct_params()
    processors: dict[str, Any] = result._bind_processors  # noqa: SLF001  what an engine would apply
    arguments = [
        processors[name](values[name]) if name in processors else values[name] for name in result.positiontup or ()
    ]
    return str(result), arguments
