"""Signed checkpoints: what the log was at a time, kept outside the database.

The leader writes them into `SLATE_HOME/checkpoints/` every few seconds while a log grows, one JSON Lines file for each
log. A superuser of the database can work a whole chain out anew, but not sign it: whatever he changes up to the last
checkpoint is found, by a hash that is not the one signed. A file only grows; a full one is kept under a number.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from slateboard.log.signing import SigningKey, append_line, is_signed
from slateboard.protocol.errors import BadExport, WrongLog

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from slateboard.transaction import Statement

FOLDER = "checkpoints"
MAX_FILE_BYTES = 8 * 2**20
PAGE = 1_000
"""Logs whose heads are read at a time."""

HEADS = """
SELECT b.id AS board, b.name, (extract(epoch FROM b.created_at) * 1000000)::bigint AS created_at, h.position, h.hash,
       (SELECT a.base_hash FROM archives a WHERE a.board = b.id ORDER BY a.last_position DESC LIMIT 1) AS base
FROM event_heads h JOIN boards b ON b.id = h.board WHERE h.board > $1 ORDER BY h.board LIMIT $2
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


def keep(home: Path, checkpoint: Checkpoint, *, max_bytes: int = MAX_FILE_BYTES) -> None:
    """Append a checkpoint to its log's file, durably; a full file is put aside, and nothing is ever deleted."""
    folder = home / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / f"{checkpoint.name}.{checkpoint.log}.jsonl"
    if append_line(path, asdict(checkpoint)) >= max_bytes:
        number = 1 + len(files(home, checkpoint.name, checkpoint.log))
        path.rename(path.with_suffix(f".{number:06}.jsonl"))


def files(home: Path, name: str, log: str = "*") -> list[Path]:
    """The files with the checkpoints of a board's log, oldest first; without `log`, of all boards of that name."""
    folder = home / FOLDER
    return sorted(folder.glob(f"{name}.{log}.??????.jsonl")) + sorted(
        path for path in folder.glob(f"{name}.{log}.jsonl") if path.name.count(".") == 2
    )


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


def _parsed(path: Path, number: int, line: str) -> Checkpoint:
    names = {field.name for field in fields(Checkpoint)}
    try:
        values: dict[str, Any] = json.loads(line)
        if set(values) != names:
            raise ValueError(f"it has {sorted(values)}")
        return Checkpoint(**values)
    except (TypeError, ValueError) as error:
        raise BadExport(f"line {number} of {path} is no checkpoint: {error}", remedy="see docs/proof.md") from error
