"""A secret that was erased is in no table any more, but for those that docs/proof.md names."""

from __future__ import annotations

import gzip
import re
import subprocess
import sys
from pathlib import Path

import pytest

from slateboard.cli import proof_files
from slateboard.protocol.errors import Archived, NotFound
from slateboard.protocol.export import end_line
from tests.house.source import ROOT
from tests.log.test_proof import Forger, forger, grow
from tests.patterns.conftest import Router, duty, router
from tests.support.boards import BoardUnderTest

__all__ = ["duty", "forger", "router"]

TABLES = (
    "SELECT oid::regclass::text AS name FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
)
DOCS = (ROOT / "docs/proof.md").read_text()


def secret_of(board: BoardUnderTest) -> str:
    """Each test has its own: boards share the tables."""
    return f"hunter2-{board.name}"


async def tables_with(forger: Forger) -> set[str]:
    """The tables that hold the secret, as text or as bytes."""
    found: set[str] = set()
    secret = secret_of(forger.board)
    for row in await forger.connection.fetch(TABLES):
        there = f"SELECT EXISTS (SELECT FROM {row['name']} t WHERE t::text LIKE $1 OR t::text LIKE $2)"
        if await forger.connection.fetchval(there, f"%{secret}%", f"%{secret.encode().hex()}%"):
            found.add(re.sub(r"_\d+$", "", row["name"]))
    return found


async def position_of(board: BoardUnderTest) -> int:
    await board.seal()
    (position,) = [event.position for event in await board.log() if secret_of(board) in str(event.payload)]
    return position


async def test_a_published_secret_is_nowhere_once_it_is_erased(
    board: BoardUnderTest, router: Router, forger: Forger
) -> None:
    await board.perform("subscribe", name="merges", patterns=["genbrain.>"], agent="backend")
    item = (await board.post_graph({"spec": []}))["spec"]
    claim = await board.claim_item(item)
    await board.perform(
        "wait_for", by="backend", item=item, fence=claim.fence, pattern="genbrain.>", timeout_seconds=60
    )
    await board.perform("publish", subject="genbrain.events.merged", data={"key": secret_of(board)}, id="once")
    await router.run()
    position = await position_of(board)
    assert await tables_with(forger) == {"events"}, "deliveries and waits name the event, and copy nothing of it"
    await board.perform("erase_event", position=position, reason="an API key")
    await router.run()
    assert await tables_with(forger) == set()
    for operation, arguments in (
        ("read_log", {}), ("show_event", {"position": position}), ("chain", {"position": position}), ("export_log", {}),
        ("report_audit", {}), ("as_of", {"position": position}), ("briefing", {"item": item}),
    ):  # fmt: skip
        assert secret_of(board) not in str(await board.perform(operation, **arguments)), operation
    assert (await board.perform("verify_log"))["fault"] is None


async def test_what_keeps_a_copy_is_what_the_documentation_names(board: BoardUnderTest, forger: Forger) -> None:
    items = await board.post_graph({"spec": []}, task=secret_of(board))
    assert items
    await board.seal()
    for event in await board.log():
        if secret_of(board) in str(event.payload):
            await board.perform("erase_event", position=event.position, reason="an API key")
    claim = await board.claim_item(items["spec"])
    await board.finish(claim, content=secret_of(board))
    await board.perform("decide", decision=secret_of(board))
    await board.perform(
        "schedule",
        name="s",
        cron="0 0 1 1 *",
        timezone="UTC",
        subject="genbrain.events.x",
        data={"key": secret_of(board)},
    )
    kept = await tables_with(forger) - {"events", "event_outbox"}
    assert {"schedules", "artifact_versions", "decisions"} <= kept
    for table in kept:
        assert f"`{table}`" in DOCS, f"docs/proof.md does not say that {table} may keep a secret"
    async with board.writing() as tx:
        await tx.connection.execute("DELETE FROM schedules WHERE board = $1", board.id)


async def test_what_is_in_the_outbox_is_erased_once_it_is_in_the_log(board: BoardUnderTest, forger: Forger) -> None:
    head = await grow(board)
    await board.perform("publish", subject="genbrain.events.merged", data={"key": secret_of(board)})
    with pytest.raises(NotFound, match=f"no event at position {head + 1}"):
        await board.perform("erase_event", position=head + 1, reason="an API key")
    await board.perform("erase_event", position=await position_of(board), reason="an API key")
    assert await tables_with(forger) == set()


async def test_a_secret_in_an_archive_is_refused_by_the_name_of_its_file_and_taken_out_as_documented(
    board: BoardUnderTest, forger: Forger, tmp_path: Path
) -> None:
    await board.perform("publish", subject="genbrain.events.merged", data={"key": secret_of(board)})
    position = await position_of(board)
    page = await board.perform("export_log")
    end = end_line(position=page["position"], count=page["position"], digest=bytes.fromhex(page["hash"]))
    file = tmp_path / "b.jsonl.gz"
    file.write_bytes(gzip.compress("".join(f"{one}\n" for one in (page["header"], *page["lines"], end)).encode()))
    await forger.run(
        "INSERT INTO archives (board, first_position, last_position, hash, last_happened_at, file, base_file, base,"
        f" base_hash, archived_at) SELECT $1, 1, {position}, hash, happened_at, '{file.name}', 'b', '', '', now()"
        f" FROM events WHERE board = $1 AND position = {position}; DELETE FROM events WHERE board = $1"
    )
    with pytest.raises(Archived, match=re.escape(file.name)):
        await board.perform("erase_event", position=position, reason="an API key")
    program = re.findall(r"```python\n(.*?)```", DOCS, flags=re.DOTALL)[1]
    (tmp_path / "erase.py").write_text(program)
    command = [sys.executable, tmp_path / "erase.py", file, str(position)]
    subprocess.run(command, check=True, timeout=60)  # noqa: ASYNC221  a moment
    assert secret_of(board).encode() not in gzip.decompress(file.read_bytes())
    answer = proof_files.verify(file, lambda _name, _log: {position: bytes.fromhex(page["hash"])})
    assert (answer["count"], answer["hash"], answer["checkpoints"]) == (position, page["hash"], 1)
    await forger.run("DELETE FROM archives WHERE board = $1")
