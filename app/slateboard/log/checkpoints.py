"""Signed checkpoints: what the log was at a time, kept outside the database.

The leader writes them into `SLATE_HOME/checkpoints/` every few seconds while a log grows, one JSON Lines file for each
log. A superuser of the database can work a whole chain out anew, but not sign it: whatever he changes up to the last
checkpoint is found, by a hash that is not the one signed. Nothing is signed that does not go on from what was signed
before, so a later checkpoint holds for all before it: of a full file one an hour is kept, and of each key the first.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from slateboard.log.signing import TAIL_BYTES, SigningKey, append_lines, is_signed
from slateboard.protocol.errors import BadExport, WrongLog
from slateboard.store.run_file import write_private

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from slateboard.transaction import Statement

FOLDER = "checkpoints"
MAX_FILE_BYTES = 2**20
"""Some 2,000 checkpoints: three hours of a log that never rests. A full file is thinned."""
HOUR = 3_600_000_000
"""µs. Of what is old, the first checkpoint of each is kept."""
PAGE = 1_000
"""Logs whose heads are read at a time."""

HEADS = """
SELECT b.id AS board, b.name, (extract(epoch FROM b.created_at) * 1000000)::bigint AS created_at, h.position, h.hash,
       (SELECT a.base_hash FROM archives a WHERE a.board = b.id ORDER BY a.last_position DESC LIMIT 1) AS base
FROM event_heads h JOIN boards b ON b.id = h.board WHERE h.board > $1 ORDER BY h.board LIMIT $2
"""

# The hashes that logs have now at positions that were signed, and how far they are archived.
HASHES = """
SELECT s.board, s.position, coalesce(e.hash, a.hash) AS hash,
       coalesce((SELECT max(f.last_position) FROM archives f WHERE f.board = s.board), 0) AS archived
FROM unnest($1::bigint[], $2::bigint[]) AS s (board, position)
LEFT JOIN LATERAL (SELECT hash FROM events WHERE board = s.board AND position = s.position OFFSET 0) AS e ON true
LEFT JOIN archives a ON a.board = s.board AND a.last_position = s.position
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkpoint:
    """What a log was: hashes are in hexadecimal digits, `at` is in µs since 1970."""

    log: str
    """The identity of the log; see `proof.log_id`."""
    board: int
    name: str
    position: int
    count: int
    hash: str
    base: str
    """The hash of the snapshot at the end of what is archived; empty where nothing is."""
    at: int
    key: str
    signature: str = ""

    @property
    def text(self) -> str:
        """What is signed."""
        words = (self.log, self.board, self.name, self.position, self.count, self.hash, self.base, self.at, self.key)
        return "\n".join(("slateboard checkpoint", *map(str, words)))

    def signed(self, key: SigningKey) -> Checkpoint:
        """The same with its signature."""
        return replace(self, signature=key.sign(self.text))


async def heads(tx: Statement, *, after: int = 0, limit: int = PAGE) -> list[Any]:
    """The heads of the logs of the boards after that one: board, name, created_at (µs), position, hash, base."""
    return await tx.fetch(HEADS, after, limit)


def of_head(head: Any, key: SigningKey, *, log: str, at: int | None = None) -> Checkpoint:
    """A signed checkpoint of a head, as `heads` reads it."""
    return Checkpoint(
        log=log,
        board=head["board"],
        name=head["name"],
        position=head["position"],
        count=head["position"],
        hash=head["hash"].hex(),
        base="" if head["base"] is None else head["base"].hex(),
        at=time.time_ns() // 1000 if at is None else at,
        key=key.id,
    ).signed(key)


async def unfit(tx: Statement, signed: Iterable[Checkpoint]) -> set[int]:
    """The boards whose log no longer has what was signed, one checkpoint of each; what is archived is taken as it is.

    Positions before an archive's last are in the file alone, and are proved with it.
    """
    known = {one.board: one for one in signed}
    if not known:
        return set()
    rows = await tx.fetch(HASHES, list(known), [one.position for one in known.values()])
    return {
        row["board"]
        for row in rows
        if row["hash"] != bytes.fromhex(known[row["board"]].hash)
        and not (row["hash"] is None and row["position"] < row["archived"])
    }


def keep(home: Path, checkpoint: Checkpoint, *, max_bytes: int = MAX_FILE_BYTES) -> None:
    """Append a checkpoint to its log's file, durably; a full file is thinned."""
    folder = home / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / f"{checkpoint.name}.{checkpoint.log}.jsonl"
    if append_lines(path, [asdict(checkpoint)]) >= max_bytes:
        _thin(path)


def files(home: Path, name: str, log: str = "*") -> list[Path]:
    """The files with the checkpoints of a board's log, oldest first; without `log`, of all boards of that name."""
    folder = home / FOLDER
    return sorted(folder.glob(f"{name}.{log}.hourly.jsonl")) + sorted(
        path for path in folder.glob(f"{name}.{log}.jsonl") if path.name.count(".") == 2
    )


def last(home: Path, name: str, log: str) -> Checkpoint | None:
    """The newest checkpoint of a log in this home, its signature not checked; None if there is none."""
    found = [path for path in files(home, name, log) if not path.name.endswith(".hourly.jsonl")]
    return _last(found[0]) if found else None


def read(paths: Iterable[Path], keys: Mapping[str, Ed25519PublicKey], *, log: str) -> Iterator[Checkpoint]:
    """The checkpoints of these files, each with its signature checked.

    Raises `WrongLog` for one of another log, or that none of the keys has signed; `BadExport` for what is none.
    """
    for path in paths:
        with path.open() as file:
            for number, line in enumerate(file, start=1):
                if not line.endswith("\n"):
                    # A crash in the middle of a line: it is written anew.
                    break
                checkpoint = _parsed(path, number, line)
                where = f"line {number} of {path}"
                if checkpoint.log != log:
                    message = (
                        f"{where} is a checkpoint of another log: of the board {checkpoint.name} of another database"
                    )
                    raise WrongLog(message, remedy="give the checkpoints of this log, or the right --home")
                signer = keys.get(checkpoint.key)
                if signer is None or not is_signed(signer, checkpoint.text, checkpoint.signature):
                    message = f"{where} is not signed by a key of this home"
                    raise WrongLog(message, remedy="restore the file, or give the home with its keys (--home)")
                yield checkpoint


def hashes(checkpoints: Iterable[Checkpoint]) -> dict[int, bytes]:
    """Their hashes by position; `WrongLog` if two of one position differ."""
    found: dict[int, bytes] = {}
    for one in checkpoints:
        digest = bytes.fromhex(one.hash)
        if found.setdefault(one.position, digest) != digest:
            message = f"two checkpoints of position {one.position} differ: the log was restored or written anew"
            raise WrongLog(message, remedy="see which one is yours; move the others elsewhere", position=one.position)
    return found


def _thin(path: Path) -> None:
    """Keep the newest checkpoint where it is, and of those before it the first of each hour and of each key.

    After a crash in the midst of it some are there twice.
    """
    hourly = path.with_suffix(".hourly.jsonl")
    before = _last(hourly) if hourly.exists() else None
    kept: list[dict[str, Any]] = []
    lines = path.read_text().splitlines()
    for number, line in enumerate(lines[:-1], start=1):
        one = _parsed(path, number, line)
        if before is None or (one.at // HOUR, one.key) != (before.at // HOUR, before.key):
            kept.append(asdict(one))
            before = one
    append_lines(hourly, kept)
    write_private(path, lines[-1] + "\n")


def _last(path: Path) -> Checkpoint | None:
    """The last whole line of a file."""
    with path.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL_BYTES))
        whole, end, _ = file.read().rpartition(b"\n")
    return _parsed(path, 0, whole.rpartition(b"\n")[2].decode()) if end else None


def _parsed(path: Path, number: int, line: str) -> Checkpoint:
    names = {field.name for field in fields(Checkpoint)}
    try:
        values: dict[str, Any] = json.loads(line)
        if set(values) != names:
            raise ValueError(f"it has {sorted(values)}")
        return Checkpoint(**values)
    except (TypeError, ValueError) as error:
        raise BadExport(f"line {number} of {path} is no checkpoint: {error}", remedy="see docs/proof.md") from error
