"""The documentation is sufficient: a verifier written from docs/proof.md alone, which knows nothing of Slateboard.

Nothing between the two lines below may import it; the tests hand it nothing but files.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

# ------------------------------------------------------------------- the verifier

HEAD = ("id", "subject", "actor", "authenticated_by", "cause", "correlation", "depth", "traceparent", "happened_at")
KEY = ("key", "public", "at", "previous")
CHECKPOINT = ("log", "board", "name", "position", "count", "hash", "base", "at", "key")


class DoesNotFitError(Exception):
    """Something in the files is not what was signed or hashed."""


def signed_by(public: Ed25519PublicKey, title: str, names: tuple[str, ...], values: dict[str, Any]) -> None:
    text = "\n".join([title, *(str(values[name]) for name in names)])
    try:
        public.verify(bytes.fromhex(values["signature"]), text.encode())
    except InvalidSignature as error:
        raise DoesNotFitError(title) from error


def keys_of(path: Path) -> dict[str, Ed25519PublicKey]:
    """The public keys of a home, each signed by the one before it, the first by itself."""
    known: dict[str, Ed25519PublicKey] = {}
    for line in path.read_text().splitlines():
        entry = json.loads(line)
        public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(entry["public"]))
        if sha256(bytes.fromhex(entry["public"])).hexdigest()[:16] != entry["key"]:
            raise DoesNotFitError(entry["key"])
        signed_by(known[entry["previous"]] if known else public, "slateboard key", KEY, entry)
        known[entry["key"]] = public
    return known


def checkpoints_of(path: Path, keys: dict[str, Ed25519PublicKey]) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in path.read_text().splitlines()]
    for one in found:
        signed_by(keys[one["key"]], "slateboard checkpoint", CHECKPOINT, one)
    return found


def hashes_of(path: Path) -> tuple[dict[str, Any], dict[int, str]]:
    """The header of an export, and the hash at each position, all of them worked out anew."""
    with path.open(encoding="utf-8", newline="\n") as file:
        header = json.loads(file.readline())
        position, last = header["after"], bytes.fromhex(header["hash"])
        hashes = {position: last.hex()}
        for line in file:
            event = json.loads(line)
            if "end" in event:
                if (event["end"], event["count"], event["hash"]) != (position, position - header["after"], last.hex()):
                    raise DoesNotFitError("the end")
                return header, hashes
            position += 1
            if event["position"] != position:
                raise DoesNotFitError(position)
            if event["payload"] is None:
                digest = bytes.fromhex(event["payload_hash"])
            else:
                digest = sha256(event["payload"].encode()).digest()
            parts = [header["board"], position, *(event[name] for name in HEAD)]
            last = sha256(last + digest + "\n".join("" if one is None else str(one) for one in parts).encode()).digest()
            if (event["hash"], event["payload_hash"]) != (last.hex(), digest.hex()):
                raise DoesNotFitError(position)
            hashes[position] = last.hex()
    raise DoesNotFitError("cut off")


def compare(export: Path, checkpoints: Path, keys: Path) -> int:
    """How many signed checkpoints an export fits."""
    header, hashes = hashes_of(export)
    signed = checkpoints_of(checkpoints, keys_of(keys))
    for one in signed:
        if (one["log"], one["board"], hashes.get(one["position"])) != (header["log"], header["board"], one["hash"]):
            raise DoesNotFitError(one["position"])
    return len(signed)


# ------------------------------------------------------------------- what it is given

from slateboard.log import checkpoints, signing  # noqa: E402
from slateboard.protocol.events import Subject  # noqa: E402
from slateboard.server import checkpointing  # noqa: E402
from slateboard.server.duty import Duty  # noqa: E402
from tests.support.boards import BoardUnderTest  # noqa: E402


async def grown(board: BoardUnderTest, duty: Duty) -> None:
    async with board.writing() as tx:
        tx.record(Subject.TASK_CHANGED, {"text": "zwölf\n\u2028\\"})
    await board.seal()
    await checkpointing.sign_checkpoints(duty)


@pytest.fixture
def duty(board: BoardUnderTest, database_url: str, tmp_path: Path) -> Duty:
    return Duty(
        database=board.database,
        owner_url=database_url,
        wake=lambda _board, _inboxes: None,
        sealed=lambda _board: None,
        home=tmp_path,
    )


def exported(page: dict[str, Any], path: Path) -> Path:
    end = {"end": page["position"], "count": page["position"], "hash": page["hash"]}
    path.write_text("".join(f"{line}\n" for line in (page["header"], *page["lines"], json.dumps(end))))
    return path


async def test_a_log_its_keys_and_its_checkpoints_are_proved_from_the_documentation(
    board: BoardUnderTest, duty: Duty, tmp_path: Path
) -> None:
    items = await board.post_graph({"spec": [], "code": ["spec"]})
    await board.complete(items["spec"])
    await grown(board, duty)
    await board.perform("erase_event", position=3, reason="a secret")
    await grown(board, duty)
    entry = signing.rotate(tmp_path)
    await board.perform("record_key", **asdict(entry))
    await grown(board, duty)
    export = exported(await board.perform("export_log"), tmp_path / "log.jsonl")
    (signed,) = checkpoints.files(tmp_path, board.name)
    keys = tmp_path / signing.KEYS_FILE
    assert compare(export, signed, keys) == 3

    whole = export.read_text()
    for old, new in (("task.posted", "task.removed"), ('"depth":0', '"depth":1'), ("zw", "zv")):
        assert old in whole
        export.write_text(whole.replace(old, new, 1))
        with pytest.raises(DoesNotFitError):
            compare(export, signed, keys)
    export.write_text(whole)
    text = signed.read_text()
    signed.write_text(text.replace('"position":', '"position":1', 1))
    with pytest.raises(DoesNotFitError):
        compare(export, signed, keys)
    signed.write_text(text)
    known = keys.read_text()
    keys.write_text(known.replace(entry.signature, "00" * 64))
    with pytest.raises(DoesNotFitError):
        compare(export, signed, keys)


def test_the_verifier_knows_nothing_of_slateboard() -> None:
    verifier = Path(__file__).read_text().split("# ----")[1]
    assert "import" not in verifier
    assert "slateboard." not in verifier
