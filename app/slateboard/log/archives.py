"""The events that were moved out of the database: files in the home's archive folder, read again page by page.

Each file is an export. It must begin where the database says that it does, and each event is checked against the chain
before it is handed on; at the file's end the hash must be the one that the database kept.
"""

from __future__ import annotations

import asyncio
import gzip
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slateboard.protocol.errors import Archived, BadExport, ServerProblem
from slateboard.protocol.export import Export

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from slateboard.protocol.chain import Entry
    from slateboard.transaction import Statement

FOLDER = "archive"
"""Of a home."""
REMEDY = "compare it with a backup of the archive folder, and run `slate log verify`"

COLUMNS = """
a.first_position, a.last_position, a.hash, a.file,
coalesce((SELECT b.hash FROM archives b
          WHERE b.board = a.board AND b.last_position = a.first_position - 1), '') AS before
"""
HOLDING = f"SELECT {COLUMNS} FROM archives a WHERE board = $1 AND first_position <= $2 AND last_position >= $2"
# The first that ends after a time: the newest event at or before it is in this one, or the last of the one before it.
AT_TIME = f"""
SELECT {COLUMNS} FROM archives a WHERE board = $1 AND last_happened_at > $2 ORDER BY last_position LIMIT 1
"""


async def holding(tx: Statement, position: int) -> Any:
    """The archive that a position is in, for `read`; None where it is in none."""
    return await tx.fetchrow(HOLDING, tx.board, position)


async def position_at(tx: Statement, moment_microseconds: int, archive: Any, home: Path | None) -> int:
    """The last position of an archive that is not after a time, in µs since 1970; the one before its first for none."""
    found: int = archive["first_position"] - 1

    def take(page: Sequence[Entry]) -> bool:
        nonlocal found
        for entry in page:
            if entry.happened_at <= moment_microseconds:
                found = entry.position
        return True

    await read(tx, archive, home, take)
    return found


async def read(tx: Statement, archive: Any, home: Path | None, take: Callable[[Sequence[Entry]], bool]) -> None:
    """Give the events of an archive to `take`, up to a thousand at a time, until it answers no.

    Raises `Archived` where the file is not here, and `ServerProblem` for one that is damaged or was changed.
    """
    first, last = archive["first_position"], archive["last_position"]
    where = f"the positions {first} to {last} are in the archive {archive['file']}"
    if home is None:
        raise Archived(f"{where}, and no SLATE_HOME is known here", remedy=_remedy("set SLATE_HOME", last), last=last)
    path = home / FOLDER / Path(archive["file"]).name
    if not path.is_file():
        remedy = _remedy("ask where the server's home is, or put the file there", last)
        raise Archived(f"{where}, which is not in {path.parent}", remedy=remedy, last=last)
    with _opened(path) as export:
        begun = export.header
        if (begun.board, begun.after, begun.hash) != (tx.board, first - 1, archive["before"]):
            raise ServerProblem(f"the archive {path} does not begin where it should", remedy=REMEDY)
        pages = export.pages()
        while page := await asyncio.to_thread(next, pages, None):
            if not export.chain.extend(page):
                break
            if not take(page):
                return
        fault = export.finish()
        if fault is not None or export.chain.hash != archive["hash"]:
            reason = f": {fault.reason}" if fault else ""
            message = f"the archive {path} was changed or is damaged at position {export.chain.position + 1}{reason}"
            raise ServerProblem(message, remedy=REMEDY)


def _remedy(first: str, last: int) -> str:
    return f"{first}; or ask for position {last} or a later one, which the database knows"


@contextmanager
def _opened(path: Path) -> Generator[Export]:
    try:
        with gzip.open(path, "rt", encoding="utf-8", newline="\n") as lines:
            yield Export(lines)
    except (BadExport, EOFError, OSError, UnicodeDecodeError, zlib.error) as error:
        raise ServerProblem(f"the archive {path} cannot be read: {error}", remedy=REMEDY) from error
