"""What is printed fits, and cannot steer the reader's terminal."""

from __future__ import annotations

import datetime as dt

import click
import pytest

from slateboard.cli import tables, tree
from slateboard.cli.events import summary_of
from slateboard.cli.tables import Column, field
from slateboard.protocol import durations
from slateboard.protocol.errors import Invalid


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("red\x1b[31m text\x07", "red[31m text"),
        ("two\nlines\tand a tab", "two lines and a tab"),
        ("turned \u202eround\u2066", "turned round"),
        ("zero\u200bwidth", "zerowidth"),
        ("naïve 文字", "naïve 文字"),
    ],
)
def test_texts_of_peers_cannot_steer_the_terminal(text: str, shown: str) -> None:
    assert tables.clean(text) == shown
    assert tables.block(text).replace("\n", " ") == shown


def test_table_is_not_cut_where_there_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "terminal_width", lambda: None)
    long = "x" * 300
    printed = click.unstyle(tables.table([field("name"), field("text", flexible=True)], [{"name": "a", "text": long}]))
    assert printed.splitlines() == ["NAME  TEXT", f"a     {long}"]


def test_table_fits_the_terminal_by_cutting_what_may_be_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "terminal_width", lambda: 40)
    monkeypatch.setattr(tables, "unicode", lambda: True)
    columns = [field("reference"), Column("about", lambda row: row["about"], flexible=True)]
    rows = [{"reference": "release-api/api_description", "about": "文" * 40}, {"reference": "b", "about": None}]
    lines = click.unstyle(tables.table(columns, rows)).splitlines()
    assert all(tables.width_of(line) <= 40 for line in lines)
    assert lines[1].startswith("release-api/api_description  文")
    assert lines[1].endswith("…")
    assert lines[2].split() == ["b", "-"]


def test_bars_show_what_is_done() -> None:
    assert [len(tables.bar(done, 4)) for done in range(5)] == [tables.BAR_WIDTH] * 5
    assert tables.bar(0, 0) == tables.bar(0, 9)
    assert tables.bar(4, 4) != tables.bar(3, 4)


def test_ages_look_back_and_ahead() -> None:
    now = dt.datetime.now(dt.UTC)
    assert tables.age(now - dt.timedelta(minutes=3, seconds=5, milliseconds=1)) == "3m 5s"
    assert str(tables.age(now + dt.timedelta(hours=2, seconds=5))).startswith("-2h")
    assert tables.until(now - dt.timedelta(seconds=1)) == "over"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("1.5h", 5400), ("1h30m", 5400), ("250ms", 0.25), ("2d", 172_800), ("0", 0)],
)
def test_lengths_of_time_are_read(text: str, seconds: float) -> None:
    assert durations.parse(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "soon", "-5m", "5 m", "m5", "1h-", "1e9s", "5min"])
def test_what_is_no_length_of_time_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match=r"is (no length of time|negative)"):
        durations.parse(text)


def test_lengths_of_time_are_shown_by_their_two_largest_units() -> None:
    shown = [durations.shown(one) for one in (0, 0.25, 9, 59, 61, 3600, 5400, 90_061, -61)]
    assert shown == ["0s", "0.2s", "9s", "59s", "1m 1s", "1h", "1h 30m", "1d 1h", "-1m 1s"]


def test_events_are_told_in_a_few_words() -> None:
    assert summary_of({"reference": "api/spec", "version": 2, "fence": 9, "agent": 3}) == "api/spec  version 2"
    assert summary_of({"agent": {"name": "cso", "id": 3}}) == "cso"
    assert summary_of({"items": [[5, 9, 1]], "worker": "w"}) == "item 5"
    assert summary_of({"items": list(range(7))}) == "items 0, 1, 2, 3, 4 and 2 more"
    assert (
        summary_of({"reference": "a/b", "class": "logic", "error": "no", "note": None}) == "a/b  class logic  error: no"
    )


def test_tree_is_drawn_with_its_branches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "unicode", lambda: False)
    artifact = {
        "name": "result",
        "status": "complete",
        "owner": "a",
        "claimed_by": None,
        "percent": None,
        "stale": False,
    }
    leaf = {"name": "leaf", "title": "Leaf", "agent": None, "status": "complete", "progress": {"done": 1, "total": 1},
            "cost": 0.5, "seconds": 61.0, "artifacts": [artifact], "tasks": []}  # fmt: skip
    root = {**leaf, "name": "root", "title": "Root", "artifacts": [artifact], "tasks": [leaf, leaf]}
    drawn = [click.unstyle(line) for line in tree.lines([root])]
    assert drawn == [
        "root ############ 1/1 complete  Root · 1m 1s of work · cost 0.5",
        "+- x result  a",
        "+- leaf ############ 1/1 complete  Leaf · 1m 1s of work · cost 0.5",
        "|  `- x result  a",
        "`- leaf ############ 1/1 complete  Leaf · 1m 1s of work · cost 0.5",
        "   `- x result  a",
    ]
    narrow = [click.unstyle(line) for line in tree.lines([root], 40)]
    assert all(len(line) <= 40 for line in narrow)
