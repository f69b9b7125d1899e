"""Proving what is in files: an export, and the archives that a log goes on from. Needs no database.

Archives are exports, each of which begins where the one before it ends; the last must end with the hash from which the
log in the database goes on.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import IO, TYPE_CHECKING, Any

from slateboard.protocol.chain import Fault, FaultKind
from slateboard.protocol.errors import BrokenLog, WrongLog
from slateboard.protocol.export import Export, Header

if TYPE_CHECKING:
    from pathlib import Path

Signed = Callable[[str, str], Mapping[int, bytes]]

ARCHIVES = "archive"
"""The folder of a home."""
FORGED = "compare with a backup or an export from before, and find out who could write there"


def verify(path: Path, signed: Signed) -> dict[str, Any]:
    """Prove an export against what was signed of its log; raises `BrokenLog` and `BadExport`."""
    export = prove(path, signed)
    header, chain = export.header, export.chain
    within = sorted(one for one in chain.signed if header.after <= one <= chain.position)
    return {
        "board": header.name,
        "log": header.log,
        "first": header.after + 1,
        "last": chain.position,
        "count": chain.count,
        "hash": chain.hash.hex(),
        "checkpoints": len(within),
        "signed_up_to": within[-1] if within else None,
    }


def verify_archives(folder: Path, header: Header, signed: Mapping[int, bytes]) -> dict[str, Any] | None:
    """Prove the archives before the log of `header`, one after the other; None if there are none, or one is not here.

    Answers with `files` and `count` (events).
    """
    position, digest, files, count = 0, b"", 0, 0
    while position < header.after:
        found = sorted(folder.glob(f"{header.name}-{header.board}-{position + 1}-*.jsonl.gz"))
        if not found:
            return None
        export = prove(found[-1], lambda _name, _log: signed)
        begun = export.header
        if begun.log != header.log:
            raise WrongLog(f"{found[-1]} is of another log", remedy="see that SLATE_HOME is the one of this database")
        if (begun.after, begun.hash) != (position, digest) or export.chain.count == 0:
            raise _rewritten(header.name, position + 1, f"{found[-1]} does not begin where the one before it ends")
        position, digest = export.chain.position, export.chain.hash
        files, count = files + 1, count + export.chain.count
    if digest != header.hash:
        raise _rewritten(header.name, header.after, "the database goes on from another hash than its archives end with")
    return {"files": files, "count": count} if files else None


def prove(path: Path, signed: Signed) -> Export:
    """Read an export to its end, each entry checked; raises `BrokenLog` for the first that does not fit."""
    try:
        with _reading(path) as lines:
            export = Export(lines)
            export.chain.signed = signed(export.header.name, export.header.log)
            for page in export.pages():
                if not export.chain.extend(page):
                    break
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        message = f"{path} ends in the middle of what is compressed, or is damaged: it was cut off"
        raise BrokenLog(message, remedy="write it again with `slate log export`") from error
    if fault := export.finish():
        raise broken(export.header.name, asdict(fault) | {"kind": fault.kind.value})
    return export


def broken(name: str, fault: Mapping[str, Any]) -> BrokenLog:
    """The error that names the first position that does not fit."""
    word = fault["kind"].replace("_", " ")
    message = f"the log of {name} is broken at position {fault['position']} ({word}): {fault['reason']}"
    return BrokenLog(message, remedy=FORGED, **fault)


def _rewritten(name: str, position: int, reason: str) -> BrokenLog:
    fault = Fault(position=position, kind=FaultKind.REWRITTEN, reason=reason)
    return broken(name, asdict(fault) | {"kind": fault.kind.value})


@contextmanager
def _reading(path: Path) -> Generator[IO[str]]:
    opened: Any = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8", newline="\n") as file:
        yield file
