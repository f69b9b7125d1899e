"""The key with which a home signs checkpoints, and the keys that it had before. Ed25519.

`SLATE_HOME/signing-key` is the private key, readable by its owner only; `signing-keys.jsonl` has every public key since
the first. Each entry is signed by the key before it (the first by itself), so who knows one key can follow to all later
ones. Nothing here knows the database: what a superuser of Postgres can write is not signed by itself.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from slateboard.protocol.errors import ServerProblem, WrongLog
from slateboard.store.run_file import write_private

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

KEY_FILE = "signing-key"
KEYS_FILE = "signing-keys.jsonl"
ID_DIGITS = 16
TAIL_BYTES = 8_192
"""What is read of a file to find its last line; a line is never as long."""


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyEntry:
    """A public key: its id, its 32 bytes in hexadecimal digits, since when (µs since 1970), and what came before."""

    key: str
    public: str
    at: int
    previous: str
    """The id of the key that signed this entry."""
    signature: str = ""

    @property
    def text(self) -> str:
        """What is signed."""
        return "\n".join(("slateboard key", self.key, self.public, str(self.at), self.previous))


class SigningKey:
    """A private key, and its public half."""

    def __init__(self, seed: bytes) -> None:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        self.seed = seed
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = self._private.public_key().public_bytes_raw().hex()
        self.id = key_id(self.public)

    def sign(self, text: str) -> str:
        """The signature of a text, in hexadecimal digits."""
        return self._private.sign(text.encode()).hex()


def key_id(public: str) -> str:
    """The id of a public key: the first digits of its hash."""
    from hashlib import sha256

    return sha256(bytes.fromhex(public)).hexdigest()[:ID_DIGITS]


def load(home: Path) -> SigningKey | None:
    """The home's key; None if it has none yet, `ServerProblem` if it cannot be read."""
    path = home / KEY_FILE
    try:
        return SigningKey(bytes.fromhex(path.read_text().strip()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ServerProblem(f"the key {path} cannot be read: {error}", remedy="restore it from a backup") from error


def load_or_make(home: Path) -> SigningKey:
    """The home's key, made now if it has none."""
    found = load(home)
    if found is None:
        found = SigningKey(os.urandom(32))
        _keep(home, found, signer=found)
    return found


def rotate(home: Path) -> KeyEntry:
    """Make a new key, signed by the one before; what that one signed stays good."""
    before = load_or_make(home)
    return _keep(home, SigningKey(os.urandom(32)), signer=before)


def public_keys(home: Path) -> dict[str, Ed25519PublicKey]:
    """Every public key of a home by its id; `WrongLog` if one is not signed by the key before it."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    known: dict[str, Ed25519PublicKey] = {}
    path = home / KEYS_FILE
    try:
        lines = path.read_text().splitlines()
    except FileNotFoundError:
        return known
    for number, line in enumerate(lines, start=1):
        try:
            values: dict[str, Any] = json.loads(line)
            entry = KeyEntry(**values)
            public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(entry.public))
            # A home's first key vouches for itself.
            signer = known[entry.previous] if known else public
        except (KeyError, TypeError, ValueError) as error:
            message = f"line {number} of {path} is no key that a known one has signed"
            raise WrongLog(message, remedy="restore the file from a backup") from error
        if entry.key != key_id(entry.public) or not is_signed(signer, entry.text, entry.signature):
            message = f"the key in line {number} of {path} is not signed by the key before it"
            raise WrongLog(message, remedy="somebody put it there: restore the file from a backup")
        known[entry.key] = public
    return known


def is_signed(public: Ed25519PublicKey, text: str, signature: str) -> bool:
    """Whether the signature is this key's, for this text."""
    from cryptography.exceptions import InvalidSignature

    try:
        public.verify(bytes.fromhex(signature), text.encode())
    except (InvalidSignature, ValueError):
        return False
    return True


def _keep(home: Path, key: SigningKey, *, signer: SigningKey) -> KeyEntry:
    """Write a key down: the public half first, so that nothing is ever signed by a key that nobody knows."""
    entry = KeyEntry(key=key.id, public=key.public, at=time.time_ns() // 1000, previous=signer.id)
    entry = replace(entry, signature=signer.sign(entry.text))
    append_lines(home / KEYS_FILE, [asdict(entry)])
    write_private(home / KEY_FILE, key.seed.hex() + "\n")
    return entry


def append_lines(path: Path, lines: Iterable[dict[str, Any]]) -> int:
    """Append JSON lines, durably, to a private file; what a crash left unfinished goes. Returns the new size in bytes.

    Where it fails (a full disk), what was there before stays, and the next one goes on from it.
    """
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600), "r+b") as file:
        size = file.seek(0, os.SEEK_END)
        whole = size
        if size:
            tail = min(size, TAIL_BYTES)
            file.seek(size - tail)
            whole = size - tail + file.read(tail).rfind(b"\n") + 1
        if whole != size:
            file.truncate(whole)
        file.seek(whole)
        file.writelines(json.dumps(line, separators=(",", ":")).encode() + b"\n" for line in lines)
        file.flush()
        os.fsync(file.fileno())
        return file.tell()
