"""The form in which a log leaves the database: JSON Lines that hold everything its chain needs.

The first line is the header: board, position and hash after which it begins. Each event is a line, its payload the text
that was hashed. The last line is the end, with position, count and hash; a file without it was cut off. All hashes are
in hexadecimal digits, all times in µs since 1970. See `docs/proof.md`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, cast

from slateboard.protocol.chain import Chain, Entry, Fault, FaultKind
from slateboard.protocol.errors import BadExport

FORM = 1
PAGE = 1_000
"""Lines that are read at a time."""

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode


@dataclass(frozen=True, kw_only=True, slots=True)
class Header:
    """Of which log it is, and after which entry it begins (`after` 0: from the beginning)."""

    board: int
    name: str
    log: str
    """Identity of the log; the same board of another database has another."""
    after: int
    hash: bytes


def header_line(header: Header) -> str:
    """The first line."""
    return _encode(
        {
            "slateboard": "log",
            "form": FORM,
            "board": header.board,
            "name": header.name,
            "log": header.log,
            "after": header.after,
            "hash": header.hash.hex(),
        }
    )


def entry_line(entry: Sequence[Any]) -> str:
    """The line of an event: an `Entry`, or a row in its order."""
    values = dict(zip(Entry._fields, entry, strict=True))
    values["payload_hash"] = entry[4].hex()
    values["hash"] = entry[12].hex()
    return _encode(values)


def end_line(*, position: int, count: int, digest: bytes) -> str:
    """The last line: the last position, how many events there are, and the hash of the last."""
    return _encode({"end": position, "count": count, "hash": digest.hex()})


class Export:
    """An export that is read line by line; `BadExport` where a line is not what it should be."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = enumerate(lines, start=1)
        self.header = self._read_header()
        self.chain = Chain(self.header.board, position=self.header.after, hash=self.header.hash)
        self.end: tuple[int, int, bytes] | None = None

    def pages(self) -> Iterator[Sequence[Entry]]:
        """The entries, up to a thousand at a time; stops at the end line, or where the file was cut off."""
        entries = self._entries()
        while page := list(islice(entries, PAGE)):
            yield page

    def finish(self) -> Fault | None:
        """Check that it ends as its last line says; returns the first fault of the whole."""
        chain = self.chain
        if chain.fault is None and self.end is None:
            reason = "the file ends before its last line: it was cut off"
            chain.fault = Fault(position=chain.position + 1, kind=FaultKind.CUT_OFF, reason=reason)
        if chain.fault is None and self.end is not None:
            position, count, digest = self.end
            if chain.end(position, digest) and chain.count != count:
                reason = f"it holds {chain.count} events, and its last line says {count}"
                chain.fault = Fault(position=position, kind=FaultKind.CHANGED, reason=reason)
        return chain.fault

    def _entries(self) -> Iterator[Entry]:
        for number, line in self._lines:
            if not line.endswith("\n"):
                # The last one, and not whole: a cut in the middle of a line.
                return
            values = _object(number, line)
            if "end" in values:
                try:
                    self.end = int(values["end"]), int(values["count"]), _digest(values["hash"])
                except (KeyError, TypeError, ValueError) as error:
                    raise _bad(number, error) from error
                if next(self._lines, None) is not None:
                    raise BadExport(f"line {number + 1}: there is more after the last line", remedy=REMEDY)
                return
            try:
                values["payload_hash"] = _digest(values["payload_hash"])
                values["hash"] = _digest(values["hash"])
                entry = Entry(**values)
                _check(entry)
            except (KeyError, TypeError, ValueError) as error:
                raise _bad(number, error) from error
            yield entry

    def _read_header(self) -> Header:
        number, line = next(self._lines, (1, ""))
        values = _object(number, line)
        if values.get("slateboard") != "log":
            raise BadExport("this is no export of a log", remedy=REMEDY)
        if values.get("form") != FORM:
            raise BadExport(f"this export has the form {values.get('form')}, not {FORM}", remedy="use a newer slate")
        try:
            return Header(
                board=int(values["board"]),
                name=str(values["name"]),
                log=str(values["log"]),
                after=int(values["after"]),
                hash=_digest(values["hash"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise _bad(number, error) from error


REMEDY = "write it again with `slate log export`"


def _check(entry: Entry) -> None:
    """Raises `TypeError` for a value of another kind, `ValueError` for text that UTF-8 does not have."""
    texts: list[object] = [entry.subject, entry.actor, entry.authenticated_by]
    texts += [one for one in (entry.payload, entry.correlation, entry.traceparent) if one is not None]
    numbers: list[object] = [entry.position, entry.id, entry.depth, entry.happened_at]
    numbers += [] if entry.cause is None else [entry.cause]
    for one in texts:
        if not isinstance(one, str):
            raise TypeError("what should be text is none")
        one.encode()
    if not all(type(one) is int for one in numbers):
        raise TypeError("what should be a whole number is none")


def _digest(text: str) -> bytes:
    """The bytes of a hash. It has one spelling, lower-case digits: a letter that was changed in a file shows."""
    digest = bytes.fromhex(text)
    if digest.hex() != text:
        raise ValueError(f"the hash {text} is not written in lower-case digits")
    return digest


def _object(number: int, line: str) -> dict[str, Any]:
    try:
        values: object = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise _bad(number, error) from error
    if not isinstance(values, dict):
        raise BadExport(f"line {number} is no JSON object", remedy=REMEDY)
    return cast("dict[str, Any]", values)


def _bad(number: int, error: Exception) -> BadExport:
    return BadExport(f"line {number} is not what `slate log export` writes: {error}", remedy=REMEDY)
