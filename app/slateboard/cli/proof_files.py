"""Proving what is in files: an export, and the archives that a log goes on from. Needs no database.

Archives are exports, each of which begins where the one before it ends; the last must end with the hash from which the
log in the database goes on.
"""

from __future__ import annotations

import gzip
import io
import sys
import zlib
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from itertools import count
from typing import TYPE_CHECKING, Any

from slateboard.protocol.chain import Fault, FaultKind
from slateboard.protocol.errors import BadExport, BrokenLog, WrongLog
from slateboard.protocol.export import REMEDY, Export, Header

if TYPE_CHECKING:
    from pathlib import Path

Signed = Callable[[str, str], Mapping[int, bytes]]

ARCHIVES = "archive"
"""The folder of a home."""
GZIP = b"\x1f\x8b"
MAX_LINE_BYTES = 16 * 2**20
"""A payload of 1 MiB, each byte of which is escaped, and what stands beside it."""
FORGED = (
    "export or copy it again, since a full disk or a broken pipe cuts files off; if it is so again, compare with a"
    " backup, and find out who could write there"
)


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
    """Prove the archives before the log of `header`, one after the other; None if there are none, or none is here.

    Answers with `files` and `count` (events). Raises `BrokenLog` also where one of them is not here, or not the one
    that is due.
    """
    position, digest, files, events = 0, b"", 0, 0
    while position < header.after:
        found = sorted(folder.glob(f"{header.name}-{header.board}-{position + 1}-*.jsonl.gz"))
        if not found and any(folder.glob(f"{header.name}-{header.board}-*.jsonl.gz")):
            reason = f"the archive that begins here is not in {folder}, and others are"
            raise _fault(header.name, position + 1, FaultKind.MISSING, reason)
        if not found:
            return None
        export = prove(found[-1], lambda _name, _log: signed)
        begun = export.header
        if begun.log != header.log:
            raise WrongLog(f"{found[-1]} is of another log", remedy="see that SLATE_HOME is the one of this database")
        if (begun.after, begun.hash) != (position, digest) or export.chain.count == 0:
            raise _fault(
                header.name,
                position + 1,
                FaultKind.REWRITTEN,
                f"{found[-1]} does not begin where the one before it ends",
            )
        position, digest = export.chain.position, export.chain.hash
        files, events = files + 1, events + export.chain.count
    if digest != header.hash:
        reason = "the database goes on from another hash than its archives end with"
        raise _fault(header.name, header.after, FaultKind.REWRITTEN, reason)
    return {"files": files, "count": events} if files else None


def prove(path: Path, signed: Signed) -> Export:
    """Read an export to its end, each entry checked; raises `BrokenLog` for the first that does not fit.

    The path `-` is standard input. What gzip compressed is seen by its first bytes, whatever its name.
    """
    with _reading(path) as file:
        export = Export(file.lines())
        export.chain.signed = signed(export.header.name, export.header.log)
        for page in export.pages():
            if not export.chain.extend(page):
                break
        chain = export.chain
        if file.damage is not None and chain.fault is None:
            kind = FaultKind.CUT_OFF if isinstance(file.damage, EOFError) else FaultKind.CHANGED
            chain.fault = Fault(position=chain.position + 1, kind=kind, reason=f"the compressed file: {file.damage}")
    if fault := export.finish():
        raise broken(export.header.name, asdict(fault) | {"kind": fault.kind.value})
    return export


def broken(name: str, fault: Mapping[str, Any]) -> BrokenLog:
    """The error that names the first position that does not fit."""
    word = fault["kind"].replace("_", " ")
    message = f"the log of {name} is broken at position {fault['position']} ({word}): {fault['reason']}"
    return BrokenLog(message, remedy=FORGED, **fault)


def _fault(name: str, position: int, kind: FaultKind, reason: str) -> BrokenLog:
    fault = Fault(position=position, kind=kind, reason=reason)
    return broken(name, asdict(fault) | {"kind": kind.value})


class _File:
    """The lines of a file; where what is compressed was cut off or damaged they end, and `damage` says why."""

    def __init__(self, data: Any) -> None:
        self._data = data
        self.damage: Exception | None = None

    def lines(self) -> Generator[str]:
        for number in count(1):
            try:
                line: bytes = self._data.readline(MAX_LINE_BYTES)
                # A line without its end is the last, and cut off, maybe in the middle of a character.
                text = line.decode(errors="strict" if line.endswith(b"\n") else "replace")
            except (EOFError, zlib.error, gzip.BadGzipFile) as error:
                self.damage = error
                return
            except UnicodeDecodeError as error:
                raise BadExport(f"line {number} is not UTF-8: {error}", remedy=REMEDY) from error
            if len(line) == MAX_LINE_BYTES:
                raise BadExport(f"line {number} is longer than any event can be", remedy=REMEDY)
            if not line:
                return
            yield text


@contextmanager
def _reading(path: Path) -> Generator[_File]:
    with ExitStack() as stack:
        raw: Any = sys.stdin.buffer if str(path) == "-" else stack.enter_context(path.open("rb"))
        data: Any = raw if hasattr(raw, "peek") else io.BufferedReader(raw)
        if data.peek(2)[:2] == GZIP:
            data = stack.enter_context(gzip.GzipFile(fileobj=data))
        yield _File(data)
