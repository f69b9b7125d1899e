"""Whatever happens to the file of an export, its proof names the first entry that does not fit, and never passes it."""

from __future__ import annotations

import gzip
import io
import json
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slateboard.cli import proof_files
from slateboard.protocol.chain import Entry
from slateboard.protocol.errors import BadExport, BrokenLog
from tests.log.test_proof_files import chained, lines_of

WORDS = ("zwölf", "\u2028", '{"key": "hunter2"}', "", "\\", "日本" * 40)


def entries(number: int) -> list[Entry]:
    """Events as a board has them, of which each third payload was erased."""
    return chained(
        [
            Entry(
                0, 100 + one, "board.task.changed", None if one % 3 == 2 else WORDS[one % len(WORDS)], bytes(32),
                "backend", "token:1", one or None, f"c{one}", one % 3, None, 1_700_000_000_000_000 + one, b"",
            )
            for one in range(number)
        ]
    )  # fmt: skip


WHOLE = lines_of(entries(7))
TEXT = "".join(WHOLE).encode()
PACKED = gzip.compress(TEXT, mtime=0)
MANY = lines_of(entries(2_500))


@contextmanager
def file_of(data: bytes) -> Iterator[Path]:
    with tempfile.NamedTemporaryFile(suffix=".log") as file:
        file.write(data)
        file.flush()
        yield Path(file.name)


def verified(data: bytes) -> dict[str, Any]:
    """The proof of a file with these bytes, compared with no checkpoint."""
    with file_of(data) as path:
        return proof_files.verify(path, lambda _name, _log: {})


def fault(data: bytes) -> tuple[str, int]:
    """Kind and position of the first entry that does not fit."""
    with pytest.raises(BrokenLog) as found:
        verified(data)
    return found.value.details["kind"], found.value.details["position"]


def outcome(data: bytes) -> tuple[str, Any]:
    """How the proof of these bytes ends: `whole` with its answer, or the error's code with its position or words."""
    try:
        return "whole", verified(data)
    except BrokenLog as error:
        return error.code, error.details["position"]
    except BadExport as error:
        return error.code, error.message


def of_lines(lines: list[str]) -> bytes:
    return "".join(lines).encode()


@pytest.mark.parametrize("data", [TEXT, PACKED], ids=["plain", "gzip"])
def test_a_whole_file_is_proved_whatever_its_name(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    assert verified(data)["count"] == 7
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BufferedReader(io.BytesIO(data))))
    assert proof_files.verify(Path("-"), lambda _name, _log: {})["count"] == 7


def test_an_export_that_is_cut_at_any_byte_names_the_first_event_that_is_gone() -> None:
    header = TEXT.index(b"\n")
    for cut in range(len(TEXT)):
        if cut < header:
            with pytest.raises(BadExport):
                verified(TEXT[:cut])
        else:
            left = max(0, TEXT[:cut].count(b"\n") - 1)
            assert fault(TEXT[:cut]) == ("cut_off", left + 1), cut


def test_what_is_compressed_and_cut_at_any_byte_is_cut_off() -> None:
    for cut in range(len(PACKED)):
        try:
            kind, position = fault(PACKED[:cut])
        except BadExport:
            # Not even its header can be read.
            continue
        assert kind == "cut_off", cut
        assert 1 <= position <= 8, cut


def test_of_a_long_archive_that_is_cut_the_events_before_the_cut_are_counted() -> None:
    packed = gzip.compress(of_lines(MANY), mtime=0)
    kind, position = fault(packed[: len(packed) * 3 // 4])
    assert kind == "cut_off"
    assert 1_000 < position < 2_500


@given(st.integers(0, len(PACKED) - 1), st.integers(1, 255))
def test_a_byte_of_what_is_compressed_that_was_changed_never_passes(place: int, change: int) -> None:
    data = bytearray(PACKED)
    data[place] ^= change
    try:
        answer = verified(bytes(data))
    except (BrokenLog, BadExport):
        return
    # Some bits say nothing: in gzip's own header its time and system, and what fills the last byte of the data up.
    assert gzip.decompress(data) == TEXT
    assert (answer["count"], answer["last"]) == (7, 7)


@given(st.integers(1, 7), st.data())
def test_a_line_removed_is_missing_and_one_put_in_is_inserted(position: int, data: st.DataObject) -> None:
    assert fault(of_lines([*WHOLE[:position], *WHOLE[position + 1 :]]))[1] == position
    twice = data.draw(st.integers(1, 7))
    kind, found = fault(of_lines([*WHOLE[:position], WHOLE[twice], *WHOLE[position:]]))
    # An entry that stands again right behind itself is the first that does not fit, by the position it claims.
    assert found == (min(twice, position) if twice < position else position) or twice == position
    assert kind in {"inserted", "missing"}


@given(st.sets(st.integers(1, 7), min_size=2, max_size=2))
def test_two_lines_swapped_are_named_by_the_first(pair: set[int]) -> None:
    low, high = sorted(pair)
    lines = list(WHOLE)
    lines[low], lines[high] = lines[high], lines[low]
    assert fault(of_lines(lines))[1] == low


def test_a_digit_of_a_hash_in_capitals_is_refused() -> None:
    digests = [one for one in re.findall(rb'"(?:payload_)?hash":"([0-9a-f]{64})"', TEXT) if one != one.upper()]
    assert len(digests) > 7
    for digest in digests:
        with pytest.raises(BadExport, match="lower-case"):
            verified(TEXT.replace(digest, digest.upper()))


@given(st.integers(1, len(TEXT) - 1), st.integers(0, 255))
def test_a_byte_that_was_changed_is_found_in_its_entry_or_says_the_same(place: int, value: int) -> None:
    data = bytearray(TEXT)
    data[place] = value
    number = TEXT[:place].count(b"\n")
    code, told = outcome(bytes(data))
    if code == "bad_export":
        assert number == 0 or f"line {number + 1}" in told or f"line {number + 2}" in told
    elif code == "broken_log":
        # The header's own values show at the first entry, those of the last line at the last.
        assert told in {max(1, number), min(number, 7)}
    else:
        assert told["count"] == 7
        changed, before = json.loads(data.split(b"\n")[number]), json.loads(WHOLE[number])
        differ = {key for key in before if changed.get(key) != before[key]}
        assert differ <= {"name", "log"}, "only what no chain binds may differ: the names of an export"


VALUES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just("\ud800")
    | st.lists(st.integers(), max_size=2)
)  # fmt: skip


@given(st.integers(1, 7), st.sampled_from(Entry._fields), VALUES)
def test_a_value_of_any_kind_is_no_reason_to_fall(position: int, name: str, value: Any) -> None:
    said = json.loads(WHOLE[position])
    if said[name] == value and type(said[name]) is type(value):
        return
    line = json.dumps(said | {name: value}) + "\n"
    code, told = outcome(of_lines([*WHOLE[:position], line, *WHOLE[position + 1 :]]))
    if code == "bad_export":
        assert f"line {position + 1} " in told
    elif code == "broken_log":
        assert told <= position or name == "position"
    else:
        # An erased payload says nothing, and the hash of what was erased stays; an absent text is an empty one.
        assert (name, value) == ("payload", None) or (said[name] or "") == (value or "")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "line 1"),
        (b"\xff\xfe" + TEXT, "line 1 is not UTF-8"),
        (WHOLE[0].encode() + b'{"position":"\xff"}\n', "line 2 is not UTF-8"),
        (WHOLE[0].encode() + b"[" * 100_000 + b"\n", "line 2"),
        (gzip.compress(b"["), "line 1"),
        (b"\x1f\x8b", "line 1"),
    ],
    ids=["empty", "no text", "no UTF-8", "deep", "packed", "two bytes of gzip"],
)
def test_what_is_no_export_is_refused_by_its_line(data: bytes, words: str) -> None:
    with pytest.raises(BadExport, match=re.escape(words)):
        verified(data)


def test_a_line_without_an_end_takes_no_more_memory_than_an_event(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof_files, "MAX_LINE_BYTES", 2_000)
    with pytest.raises(BadExport, match="line 2 is longer than any event"):
        verified(WHOLE[0].encode() + b"x" * 5_000)
