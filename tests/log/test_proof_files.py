"""Exports prove themselves, also to a program of thirty lines; checkpoints and keys prove who signed."""

from __future__ import annotations

import asyncio
import json
import re
import stat
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slateboard.log import checkpoints, proof, signing
from slateboard.log.checkpoints import Checkpoint
from slateboard.protocol.chain import Chain, Entry, head_of, link
from slateboard.protocol.errors import BadExport, ServerProblem, WrongLog
from slateboard.protocol.export import Export, Header, end_line, entry_line, header_line
from tests.house.source import ROOT
from tests.support.boards import BoardUnderTest

TEXT = st.text(st.characters(exclude_characters="\n\0", exclude_categories=("Cs",)), max_size=20)
NUMBER = st.integers(0, 2**63 - 1)
ENTRY = st.builds(
    Entry,
    position=st.just(0),
    id=NUMBER,
    subject=TEXT,
    payload=st.none() | st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",))),
    payload_hash=st.binary(min_size=32, max_size=32),
    actor=TEXT,
    authenticated_by=TEXT,
    cause=st.none() | NUMBER,
    correlation=st.none() | TEXT,
    depth=st.integers(0, 32),
    traceparent=st.none() | TEXT,
    happened_at=NUMBER,
    hash=st.just(b""),
)
LOG = "0" * 32


def chained(entries: list[Entry], board: int = 7) -> list[Entry]:
    """The same, with positions and hashes that fit."""
    from hashlib import sha256

    last, found = b"", []
    for position, entry in enumerate(entries, start=1):
        digest = entry.payload_hash if entry.payload is None else sha256(entry.payload.encode()).digest()
        placed = entry._replace(position=position, payload_hash=digest)
        last = link(last, board, position, placed)
        found.append(placed._replace(hash=last))
    return found


def lines_of(entries: list[Entry], board: int = 7) -> list[str]:
    """An export of them."""
    header = header_line(Header(board=board, name="b", log=LOG, after=0, hash=b""))
    last = entries[-1] if entries else None
    end = end_line(position=last.position if last else 0, count=len(entries), digest=last.hash if last else b"")
    return [f"{one}\n" for one in (header, *map(entry_line, entries), end)]


def proved(lines: list[str]) -> Export:
    """An export, read to its end."""
    export = Export(lines)
    for page in export.pages():
        if not export.chain.extend(page):
            break
    export.finish()
    return export


@given(st.lists(ENTRY, max_size=5))
def test_what_was_chained_is_proved_in_an_export(entries: list[Entry]) -> None:
    placed = chained(entries)
    chain = Chain(7)
    assert chain.extend(placed)
    export = proved(lines_of(placed))
    assert export.chain.fault is None
    assert (export.chain.count, export.chain.hash) == (len(entries), chain.hash)


@given(ENTRY, ENTRY)
def test_heads_of_two_entries_are_equal_only_where_they_say_the_same(one: Entry, other: Entry) -> None:
    def said(entry: Entry) -> tuple[Any, ...]:
        return tuple("" if part is None else part for part in entry._replace(payload=None, payload_hash=b""))

    assert (head_of(7, 1, one) == head_of(7, 1, other)) == (said(one) == said(other))


@given(st.lists(ENTRY, min_size=2, max_size=4), st.data())
def test_an_export_that_lost_its_end_is_cut_off(entries: list[Entry], data: st.DataObject) -> None:
    whole = "".join(lines_of(chained(entries)))
    begin = whole.index("\n") + 1
    cut = whole[: data.draw(st.integers(begin, len(whole) - 1))]
    export = proved(cut.splitlines(keepends=True) if "\u2028" not in cut else re.findall(r"[^\n]*\n|[^\n]+$", cut))
    assert export.chain.fault is not None
    assert export.chain.fault.kind == "cut_off"


@pytest.mark.parametrize(
    "lines", [[], ["\n"], ["[]\n"], ['{"slateboard":"log"}\n'], ['{"slateboard":"log","form":1}\n']]
)
def test_a_file_that_is_no_export_is_refused(lines: list[str]) -> None:
    with pytest.raises(BadExport):
        Export(lines)


def test_a_line_that_is_no_event_is_refused_by_its_number() -> None:
    header, *_ = lines_of([])
    for line in ('{"position":1}\n', "nonsense\n", '{"end":1}\n'):
        with pytest.raises(BadExport, match="line 2"):
            proved([header, line])
    with pytest.raises(BadExport, match="line 3"):
        proved([*lines_of([]), "{}\n"])


async def test_the_verifier_of_the_docs_proves_an_export(board: BoardUnderTest, tmp_path: Path) -> None:
    await board.post_graph({"spec": [], "code": ["spec"]})
    await board.seal()
    await board.perform("erase_event", position=3, reason="a secret")
    await board.seal()
    page = await board.perform("export_log")
    end = end_line(position=page["position"], count=page["position"], digest=bytes.fromhex(page["hash"]))
    program = re.findall(r"```python\n(.*?)```", (ROOT / "docs/proof.md").read_text(), flags=re.DOTALL)[0]
    assert len(program.splitlines()) <= 40
    (tmp_path / "check.py").write_text(program)
    good = [page["header"], *page["lines"], end]
    changed = [line.replace("board.task.posted", "board.task.removed") for line in good]
    for lines, whole in ((good, True), (changed, False), (good[:-1], False), ([*good[:3], *good[4:]], False)):
        (tmp_path / "log.jsonl").write_text("".join(f"{line}\n" for line in lines))
        command = [sys.executable, tmp_path / "check.py", tmp_path / "log.jsonl"]
        done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)
        assert (done.returncode == 0) is whole, done
        assert (page["hash"] in done.stdout) is whole


@pytest.fixture
def made(tmp_path: Path) -> Checkpoint:
    """A checkpoint in the home `tmp_path`."""
    key = signing.load_or_make(tmp_path)
    unsigned = Checkpoint(
        log=LOG, board=7, name="b", position=5, count=5, hash="ab" * 32, base="", at=1_700_000_000_000_000, key=key.id
    )
    checkpoint = unsigned.signed(key)
    checkpoints.keep(tmp_path, checkpoint)
    return checkpoint


def read(home: Path, log: str = LOG) -> list[Checkpoint]:
    return list(checkpoints.read(checkpoints.files(home, "b"), signing.public_keys(home), log=log))


def test_a_checkpoint_is_read_as_it_was_signed(made: Checkpoint, tmp_path: Path) -> None:
    assert read(tmp_path) == [made]
    assert (tmp_path / signing.KEY_FILE).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("change", [{"position": 6}, {"hash": "cd" * 32}, {"at": 0}, {"key": "0" * 16}, {"name": "c"}])
def test_a_checkpoint_that_was_not_signed_so_is_refused(
    made: Checkpoint, tmp_path: Path, change: dict[str, Any]
) -> None:
    (path,) = checkpoints.files(tmp_path, "b")
    path.write_text(json.dumps(asdict(replace(made, **change))) + "\n")
    with pytest.raises(WrongLog, match="not signed"):
        read(tmp_path)


def test_a_checkpoint_of_another_log_is_refused(made: Checkpoint, tmp_path: Path) -> None:
    with pytest.raises(WrongLog, match="another log"):
        read(tmp_path, "1" * 32)


def test_what_the_old_key_signed_stays_good(made: Checkpoint, tmp_path: Path) -> None:
    entry = signing.rotate(tmp_path)
    assert entry.previous == made.key != entry.key
    key = signing.load(tmp_path)
    assert key is not None
    assert key.id == entry.key
    later = replace(made, position=6, count=6, key=key.id).signed(key)
    checkpoints.keep(tmp_path, later)
    assert read(tmp_path) == [made, later]


def test_a_key_that_was_put_in_by_somebody_is_refused(made: Checkpoint, tmp_path: Path) -> None:
    stranger = tmp_path / "elsewhere"
    stranger.mkdir()
    signing.load_or_make(stranger)
    foreign = (stranger / signing.KEYS_FILE).read_text()
    path = tmp_path / signing.KEYS_FILE
    path.write_text(path.read_text() + foreign)
    with pytest.raises(WrongLog, match="line 2"):
        signing.public_keys(tmp_path)


def test_a_key_that_cannot_be_read_is_an_error_and_no_new_key(made: Checkpoint, tmp_path: Path) -> None:
    (tmp_path / signing.KEY_FILE).write_text("nonsense\n")
    with pytest.raises(ServerProblem):
        signing.load_or_make(tmp_path)


def test_of_a_full_file_the_newest_and_one_an_hour_are_kept_and_the_first_of_each_key(
    made: Checkpoint, tmp_path: Path
) -> None:
    key = signing.load_or_make(tmp_path)
    for position in range(6, 200):
        if position == 100:
            signing.rotate(tmp_path)
            key = signing.load_or_make(tmp_path)
        one = replace(made, position=position, key=key.id, at=made.at + (position - 5) * checkpoints.HOUR // 50)
        checkpoints.keep(tmp_path, one.signed(key), max_bytes=8_000)
    hourly, fresh = checkpoints.files(tmp_path, "b")
    assert fresh.stat().st_size < 8_000
    kept = [one.position for one in read(tmp_path)]
    new = len(fresh.read_text().splitlines())
    assert kept[-new:] == list(range(200 - new, 200)), "the newest are all there"
    old = [one for one in read(tmp_path) if one.position < 200 - new]
    assert len(old) == len({(one.at // checkpoints.HOUR, one.key) for one in old})
    assert {one.at // checkpoints.HOUR for one in old} == {
        (made.at + number * checkpoints.HOUR // 50) // checkpoints.HOUR for number in range(195 - new)
    }
    assert 5 in kept
    assert 100 in kept
    assert stat.S_IMODE(fresh.stat().st_mode) == stat.S_IMODE(hourly.stat().st_mode) == 0o600


@pytest.mark.parametrize("step", ["append_lines", "write_private"])
def test_a_crash_while_thinning_loses_no_checkpoint(
    made: Checkpoint, tmp_path: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = signing.load_or_make(tmp_path)
    real = getattr(checkpoints, step)

    def crash(path: Path, *arguments: Any) -> Any:
        if step == "write_private" or path.name.endswith("hourly.jsonl"):
            raise KeyboardInterrupt
        return real(path, *arguments)

    with monkeypatch.context() as patched:
        patched.setattr(checkpoints, step, crash)
        with pytest.raises(KeyboardInterrupt):
            checkpoints.keep(tmp_path, replace(made, position=6).signed(key), max_bytes=1)
    assert {one.position for one in read(tmp_path)} == {5, 6}
    checkpoints.keep(tmp_path, replace(made, position=7).signed(key), max_bytes=1)
    assert {one.position for one in read(tmp_path)} == {5, 7}
    found = checkpoints.last(tmp_path, "b", LOG)
    assert found is not None
    assert found.position == 7


def test_a_line_that_a_crash_left_unfinished_is_written_anew(made: Checkpoint, tmp_path: Path) -> None:
    (path,) = checkpoints.files(tmp_path, "b")
    path.write_text(path.read_text() + '{"log": "unfin')
    assert read(tmp_path) == [made]
    checkpoints.keep(tmp_path, made)
    assert read(tmp_path) == [made, made]


def test_two_checkpoints_of_one_position_that_differ_are_told(made: Checkpoint) -> None:
    with pytest.raises(WrongLog, match="position 5"):
        checkpoints.hashes([made, replace(made, hash="cd" * 32)])


async def test_the_log_of_another_database_has_another_identity(board: BoardUnderTest) -> None:
    created = await board.fetchval(
        "SELECT (extract(epoch FROM created_at) * 1000000)::bigint FROM boards WHERE id = $1"
    )
    await board.seal()
    answer = await board.perform("verify_log")
    assert answer["log"] == proof.log_id(board.id, created) != proof.log_id(board.id, created + 1)
