"""The organisation in every form of the audit: each fact, narrowed, escaped, after an erasure, out of an archive."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from slateboard.log import archives
from slateboard.reports.audit import words
from slateboard.reports.audit.conversations import BEGINNING, Room
from slateboard.reports.audit.text import text as escaped
from slateboard.store.database import Database
from tests.log.test_archives import _yesterday, archive, own, own_name, own_url
from tests.patterns.meetings.conftest import meeting
from tests.patterns.test_delegation import tree
from tests.reports.test_audit_failures import FORMS, Tags, audit
from tests.reports.test_audit_organised_truth import check_told, hold, talk
from tests.support.boards import BoardUnderTest, new_board
from tests.support.meetings import MeetingUnderTest

__all__ = ["meeting", "own", "own_name", "own_url"]
"""Fixtures of the meetings and archives, used here."""

PARTS = ("delegations", "managers", "threads", "consults", "requests", "refusals", "meetings", "control", "late")


async def a_day(meeting: MeetingUnderTest) -> BoardUnderTest:
    """A board on which the organisation did what it does."""
    board = meeting.board
    await talk(board)
    await hold(meeting)
    await tree(board, "cto", "backend", "frontend")
    await board.perform("decline", by="frontend", task="t2", reason="=not my <i>field</i>")
    items = await board.post_graph({"a": []}, task="other")
    await board.perform("override", item=items["a"], agent="frontend", reason="</td><script>alert(3)</script>")
    return board


@pytest.mark.parametrize("form", FORMS)
async def test_each_form_tells_of_the_organisation(meeting: MeetingUnderTest, form: str) -> None:
    board = await a_day(meeting)
    text = (await audit(board, format=form))["text"]
    assert text == (await audit(board, format=form))["text"]
    facts = (
        "declined", "alert(3)", "fast enough for us", "Take REST", "not yet", "Write the spec", "Thanks",
        "no route or channel says so", "Who reviews?", "overruled", "I want ", "waits for the answer of",
    )  # fmt: skip
    missing = [fact for fact in facts if fact not in text.replace("\\", "")]
    assert not missing, missing
    if form == "html":
        tags = Tags()
        tags.feed(text)
        assert tags.open == []
        assert len(tags.ids) == len(set(tags.ids))
    if form in {"html", "md"}:
        assert "<script" not in text
        assert "How the organisation worked" in text
    if form == "csv":
        rows = list(csv.reader(io.StringIO(text)))
        assert {len(row) for row in rows} == {len(rows[0])}
        assert {"delegation", "message", "vote", "concern", "statement", "action item", "refusal", "control"} <= {
            row[1] for row in rows
        }
        assert not [cell for row in rows for cell in row if cell.startswith("=")]
    if form == "json":
        assert json.loads(text)["threads"][0]["messages"][0]["text"] == "Is it <safe>?"


async def test_the_story_tells_of_the_organisation(meeting: MeetingUnderTest) -> None:
    board = await a_day(meeting)
    said = (await audit(board, format="md"))["text"].replace("\\", "")
    for sentence in (
        "2 delegations, up to 2 deep",
        "it was returned to backend",
        "was held by cto, backend, frontend, chaired by cto",
        "“API schema” was approved: “Take REST” (2 approve, 1 reject); 1 concern overruled; frontend dissented",
        "2 action items became tasks, 1 of them done",
        "3 answered, 1 while work waited for it",
        "Refused: backend cannot consult frontend: no route or channel says so",
    ):
        assert sentence in said, sentence


async def test_the_tasks_are_told_in_the_order_in_which_they_were_given(board: BoardUnderTest) -> None:
    await board.post_graph({"result": []}, task="zero")
    await board.post_graph({"result": []}, task="alpha")
    told = await audit(board)
    assert [one["name"] for one in told["tasks"]] == ["zero", "alpha"]
    said = (await audit(board, format="md"))["text"]
    assert said.index("(zero)") < said.index("(alpha)")
    assert "Not finished: alpha/result of backend (ready), zero/result of backend (ready)." in said


@pytest.mark.parametrize("form", ["html", "md"])
async def test_a_page_for_people_has_no_column_without_a_word(meeting: MeetingUnderTest, form: str) -> None:
    await tree(meeting.board, "cto", "backend", "frontend")
    quiet = (await audit(meeting.board, format=form))["text"]
    quiet = quiet[quiet.index("Each time that a task was given") :]
    assert "delegated by" in quiet
    assert "because" not in quiet.partition("Every artifact")[0]
    await meeting.board.perform("decline", by="frontend", task="t2", reason="not my field")
    said = (await audit(meeting.board, format=form))["text"]
    assert "because" in said[said.index("Each time that a task was given") :].partition("Every artifact")[0]


async def test_a_notice_is_told_with_its_data_and_an_item_of_an_agenda_with_its_turns(
    meeting: MeetingUnderTest,
) -> None:
    board = await a_day(meeting)
    told = await audit(board)
    data = next(said["data"] for one in told["threads"] for said in one["messages"] if said["data"])
    page = (await audit(board, format="html"))["text"]
    assert escaped(data) in page
    turns = told["meetings"][0]["agenda"][0]["turns"]
    assert {"agent", "round", "kind", "outcome", "ended_at"} == set(turns[0])
    spoke = [one["agent"] for one in turns if one["kind"] == "turn"]
    assert ", ".join(dict.fromkeys(spoke)) in page


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.0, "0s"), (0.0004, "1ms"), (0.042, "42ms"), (0.0999, "0.1s"), (0.3, "0.3s"), (61, "1m 1s")]
)
def test_a_short_delay_is_told_in_milliseconds(seconds: float, said: str) -> None:
    assert words.length(seconds) == said


async def test_an_empty_board_has_nothing_to_tell_of_its_organisation(board: BoardUnderTest) -> None:
    told = await audit(board)
    assert {name: told[name] for name in PARTS} == {name: [] for name in PARTS}
    assert "How the organisation worked" not in (await audit(board, format="html"))["text"]


async def test_a_task_keeps_what_is_about_it(meeting: MeetingUnderTest) -> None:
    board = await a_day(meeting)
    action = (await audit(board))["meetings"][0]["agenda"][0]["actions"][0]["task"]
    told = await audit(board, task="t1")
    assert [one["task"] for one in told["delegations"]] == ["t1", "t2"]
    assert [one["what"] for one in told["control"]] == ["declined"]
    assert (told["threads"], told["meetings"], told["refusals"]) == ([], [], [])
    told = await audit(board, task="work")
    assert [one["gated"] for one in told["consults"]] == ["work/api"]
    assert (len(told["threads"]), told["delegations"], told["meetings"]) == (1, [], [])
    assert [one["reference"] for one in (await audit(board, task=action))["meetings"]] == [f"meeting:{meeting.id}"]
    told = await audit(board, task="other")
    assert [one["what"] for one in told["control"]] == ["overridden"]


async def test_an_agent_keeps_what_it_was_part_of(meeting: MeetingUnderTest) -> None:
    board = await a_day(meeting)
    await board.add_agent("stranger")
    told = await audit(board, agent="stranger")
    assert {name: told[name] for name in PARTS} == {name: [] for name in PARTS}
    told = await audit(board, agent="frontend")
    assert {one["task"] for one in told["delegations"]} == {"t2"}
    assert [one["depth"] for one in told["delegations"]] == [2]
    assert all("frontend" in one["members"] for one in told["threads"])
    assert len(told["meetings"]) == 1


async def test_a_correlation_keeps_what_belongs_to_it(meeting: MeetingUnderTest) -> None:
    board = await a_day(meeting)
    whole = await audit(board)
    correlation = whole["threads"][0]["correlation"]
    told = await audit(board, correlation=correlation)
    assert {one["correlation"] for one in told["threads"] + told["consults"]} == {correlation}
    assert 0 < len(told["threads"]) < len(whole["threads"])
    assert told["delegations"] == []


async def test_erased_texts_are_gone_and_nothing_breaks(meeting: MeetingUnderTest) -> None:
    """Each event of the organisation is erased, one kind after the other; the report holds at every step."""
    board = await a_day(meeting)
    await board.seal()
    nouns = (
        "message", "consult", "request", "escalation", "thread", "vote", "statement", "concern", "decision", "motion",
        "agenda", "meeting", "task", "turn", "item",
    )  # fmt: skip
    for noun in nouns:
        rows = await board.fetch(
            "SELECT position FROM events WHERE board = $1 AND subject LIKE $2 ORDER BY position", f"board.{noun}.%"
        )
        for row in rows:
            await board.perform("erase_event", position=row["position"], reason="a secret")
        for form in FORMS:
            text = (await audit(board, format=form))["text"]
            if noun == "message":
                assert "Thanks" not in text
            if noun == "motion":
                assert "fast enough" not in text
        assert (await audit(board))["proof"]["verified"]


async def test_what_began_before_the_range_is_told_as_far_as_it_goes(meeting: MeetingUnderTest) -> None:
    board = await a_day(meeting)
    moments = await board.fetch("SELECT happened_at FROM events WHERE board = $1 ORDER BY position")
    for row in moments[:: max(len(moments) // 12, 1)]:
        for form in FORMS:
            assert (await audit(board, format=form, since=row["happened_at"]))["text"]
        told = await audit(board, since=row["happened_at"])
        assert all(one["delegator"] for one in told["delegations"])


async def test_texts_beyond_the_bound_are_cut_and_that_is_told() -> None:
    room = Room(signs=1_000)
    assert room.keep("a" * 900) == "a" * 900
    assert room.keep("b" * 600) == "b" * (BEGINNING - 1) + "…"
    assert (room.keep("c" * 400), room.cut) == ("c" * 400, 1)


async def test_an_archived_log_tells_the_same(own: Database, own_url: str, tmp_path: Path) -> None:
    board = await new_board(own, "day", agents=("backend", "frontend", "cto"))
    await a_day(MeetingUnderTest(board))
    before = await audit(board)
    await _yesterday(own_url)
    board.database.home = tmp_path
    await archive(own_url, tmp_path / archives.FOLDER)
    told = await audit(board)
    assert told["events"] == before["events"] + 1
    for part in ("delegations", "threads", "consults", "requests", "refusals", "meetings", "control"):
        assert told[part] == before[part]
    await check_told(board, told)
