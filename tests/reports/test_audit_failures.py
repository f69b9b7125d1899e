"""The audit trail of a board on which much went wrong: each fact is in every form, and the tables say the same."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import pytest

from slateboard.patterns import spending
from slateboard.protocol.states import FailureClass
from slateboard.protocol.work import NewArtifact, NewTask
from tests.patterns import test_compensation as undoing
from tests.patterns import test_escalations as asking
from tests.patterns import test_verification as judging
from tests.reports.test_audit_truth import check_audit
from tests.support import breakers
from tests.support.boards import BoardUnderTest

FORMS = ("html", "md", "json", "csv")
VOID = frozenset(("meta", "br", "link"))


async def audit(board: BoardUnderTest, **asked: Any) -> dict[str, Any]:
    await board.seal()
    return await board.perform("report_audit", **asked)


async def each_form_tells(board: BoardUnderTest, *facts: str) -> dict[str, Any]:
    """The report says the same as the tables, and every form of it has these texts; returns the data."""
    told = await check_audit(board)
    for form in FORMS:
        text = (await audit(board, format=form))["text"]
        # Markdown escapes signs, and CSV doubles quotes; the facts here are plain words.
        missing = [fact for fact in facts if fact not in text.replace("\\", "")]
        assert not missing, (form, missing)
    return told


async def a_rollback(board: BoardUnderTest) -> None:
    """A release that fails: one step is undone, the other cannot be, and a person leaves it as it is."""
    await board.add_agent("olivia", kind="human")
    await undoing.release(board)
    (smoke,) = await board.claim()
    await board.fail(smoke, FailureClass.LOGIC, "the smoke test broke")
    await undoing.act(board)
    await undoing.undo(board)
    (claim,) = await board.claim()
    await board.fail(claim, FailureClass.LOGIC, "no down migration there")
    await undoing.act(board)
    (asked,) = [one for one in (await board.perform("list_escalations")).rows if one["kind"] == "compensation"]
    await board.perform("answer", by="olivia", escalation=asked["item"], answer="skip")


async def test_what_was_undone_and_what_could_not_be_is_told(board: BoardUnderTest) -> None:
    await a_rollback(board)
    told = await each_form_tells(
        board,
        "rollback_deployment",
        "run_down_migration",
        "undone",
        "left",
        "no down migration there",
        "olivia",
        "skip",
    )
    assert [(one["reference"], one["outcome"], one["by"]) for one in told["compensations"]] == [
        ("release/deploy", "undone", "admin"),
        ("release/schema", "left", "olivia"),
    ]
    assert {one["then"] for one in told["dead_letters"]} == {None, "settled"}
    page = (await audit(board, format="md"))["text"]
    assert "release was rolled back (release/smoke failed: the smoke test broke)" in page.replace("\\", "")


async def test_a_step_of_unknown_effect_is_told(board: BoardUnderTest) -> None:
    await board.perform("apply", documents=[{"source": "undo.yaml", "text": undoing.GUIDE}])
    items = await board.post_graph({"schema": [], "deploy": [], "smoke": []}, task="release")
    await board.complete(items["schema"])
    await board.claim_item(items["deploy"])
    await board.bury(items["smoke"])
    await undoing.act(board)
    told = await each_form_tells(board, "unknown", "rollback_deployment")
    assert {one["reference"]: one["outcome"] for one in told["compensations"]} == {
        "release/deploy": "unknown", "release/schema": "ready",
    }  # fmt: skip


async def test_the_history_of_a_breaker_is_told(board: BoardUnderTest) -> None:
    await breakers.opened(board)
    await breakers.recovered(board)
    (probe,) = await board.claim()
    await board.fail(probe, error="still no route")
    await breakers.recovered(board)
    (probe,) = await board.claim()
    await board.finish(probe)
    told = await each_form_tells(
        board,
        "opened",
        "probed",
        "reopened",
        "closed",
        "3 items failed in a row",
        "still no route",
        "escalate_to_human",
    )
    assert [one["change"] for one in told["breakers"]] == ["opened", "probed", "reopened", "probed", "closed"]
    assert {one["agent"] for one in told["breakers"]} == {"backend"}
    said = (await audit(board, format="md"))["text"].replace("\\", "")
    assert "2 probes went through, 1 failed; it closed at" in said
    assert (await audit(board, agent="cto"))["breakers"] == []
    assert len((await audit(board, agent="backend"))["breakers"]) == 5


async def test_who_was_asked_by_whom_and_who_answered_is_told(board: BoardUnderTest) -> None:
    claim = await asking.claimed(board)
    asked = await asking.ask(board, claim, options=["80", "8080"], note="half done")
    await check_audit(board)
    waiting = (await audit(board))["escalations"]
    assert [(one["owner"], one["answered_at"]) for one in waiting] == [("cto", None)]
    (held,) = await board.claim("cto")
    await check_audit(board)
    await board.finish(held, by="cto", content="8080")
    told = await each_form_tells(board, "Which port?", "8080", "cto", "half done")
    (row,) = told["escalations"]
    assert (row["owner"], row["asked_by"], row["answer"], row["answered_by"]) == ("cto", "backend", "8080", "cto")
    assert (row["deadline"], row["item"]) == (asked["deadline"], asked["escalation"])
    spec = next(one for one in told["artifacts"] if one["kind"] == "produce")
    assert spec["seconds"]["waiting"] > 0
    assert [one["outcome"] for one in spec["attempts"]] == ["blocked"]


async def test_a_question_that_goes_up_and_dies_or_is_withdrawn_is_told(board: BoardUnderTest) -> None:
    await board.add_agent("ceo", kind="human")
    claim = await asking.claimed(board)
    await asking.ask(board, claim, deadline_seconds=3600)
    await board.claim("cto")
    await asking.late(board, 1.1)
    await board.seal()
    told = await audit(board)
    assert [(one["owner"], one["level"]) for one in told["escalations"]] == [("ceo", 1)]
    handed = next(one for one in told["artifacts"] if one["kind"] == "answer")
    assert [(one["outcome"], one["error"]) for one in handed["attempts"]] == [("cancelled", "handed over")]
    other = await board.post_graph({"port": []}, task="more")
    await asking.ask(board, await board.claim_item(other["port"]))
    await board.perform("cancel", reference="more/port")
    told = await audit(board)
    assert [one["answered_by"] for one in told["escalations"]] == [None, "withdrawn"]
    assert "it was withdrawn" in (await audit(board, format="md"))["text"]


async def test_verdicts_are_told_with_version_hash_and_reason(board: BoardUnderTest) -> None:
    await judging.post(board, verify="cto")
    duty = await judging.submitted(board)
    await judging.judge(board, duty.item, "reject", reason="no errors are described")
    duty = await judging.submitted(board, "v2")
    await judging.judge(board, duty.item, version=2)
    told = await each_form_tells(board, "no errors are described", "rejected", "approved", judging.HASH, "cto")
    assert [(one["version"], one["hash"], one["verdict"], one["judged_by"]) for one in told["verifications"]] == [
        (1, judging.HASH, "rejected", "cto"),
        (2, judging.HASH, "approved", "cto"),
    ]
    assert {one["author"] for one in told["verifications"]} == {"backend"}


async def test_work_that_is_accepted_after_its_third_rejection_has_both_verdicts(board: BoardUnderTest) -> None:
    await judging.post(board, verify="cto")
    for version in (1, 2, 3):
        duty = await judging.submitted(board, f"v{version}")
        await judging.judge(board, duty.item, "reject", version=version)
    (asked,) = (await board.perform("list_escalations")).rows
    await check_audit(board)
    await board.perform("answer", escalation=asked["item"], answer="accept")
    told = await each_form_tells(board, "too short", "accept", "accepted after it was rejected")
    assert [one["verdict"] for one in told["verifications"]] == ["rejected"] * 3 + ["approved"]


async def test_dead_letters_are_told_with_what_became_of_them(board: BoardUnderTest) -> None:
    items = await board.post(
        *(NewArtifact(task="work", name=name, owner="backend") for name in ("back", "gone", "here")),
        tasks=[NewTask(name="work", title="work", delegator="cto")],
    )
    for number in items.values():
        await board.fail(await board.claim_item(number), FailureClass.LOGIC, "nothing to be done")
        await board.perform("reset_breaker", agent="backend")
    await board.perform("redrive", items=[items["work/back"]])
    await board.complete(items["work/back"])
    await board.perform("discard", items=[items["work/gone"]], reason="nobody wants it")
    told = await each_form_tells(board, "redriven", "discarded", "nobody wants it", "nothing to be done", "work/here")
    assert {one["reference"]: one["then"] for one in told["dead_letters"]} == {
        "work/back": "redriven", "work/gone": "discarded", "work/here": None,
    }  # fmt: skip
    said = (await audit(board, format="md"))["text"].replace("\\", "")
    assert "Of 3 dead letters: 1 discarded, 1 redriven and 1 still on the table." in said


async def test_budgets_are_told_used_up_and_raised(board: BoardUnderTest) -> None:
    await board.add_agent("ceo", kind="human")
    await board.post_graph({"a": [], "b": []})
    await board.perform("set_budget", tokens=100, task="work")
    (claim,) = await board.claim()
    used = {"input_tokens": 110, "cost": 0.5}
    await board.perform("report_usage", by="backend", item=claim.item, fence=claim.fence, **used)
    async with board.chores() as tx:
        await spending.watch(tx)
    assert await board.claim() == []
    await check_audit(board)
    await board.perform("set_budget", tokens=200, task="work")
    await board.finish(claim, usage={"cost": 1.5})
    told = await each_form_tells(board, "task work", "exhausted", "raised", "ceo")
    assert [(one["change"], one["tokens"]) for one in told["budgets"]] == [
        ("set", 100), ("exhausted", 100), ("raised", 200),
    ]  # fmt: skip
    assert told["summary"]["cost"] == 2.0
    said = (await audit(board, format="md"))["text"].replace("\\", "")
    assert "The budget of task work was used up at" in said
    assert "110 of 100 tokens" in said
    assert "raised the budget of task work to 200 tokens" in said
    assert (await audit(board, agent="cto"))["budgets"] == []
    assert len((await audit(board, task="work"))["budgets"]) == 3


class Tags(HTMLParser):
    """Tags that are opened and closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.ids += [value or "" for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Nothing is open after it."""

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("form", FORMS)
async def test_the_story_of_a_bad_day_gives_the_same_bytes_and_one_valid_file(board: BoardUnderTest, form: str) -> None:
    await a_rollback(board)
    await breakers.opened(board)
    first = (await audit(board, format=form))["text"]
    assert first == (await audit(board, format=form))["text"]
    if form == "html":
        tags = Tags()
        tags.feed(first)
        assert tags.open == []
        assert len(tags.ids) == len(set(tags.ids))
        assert "What was done about it" in first
        assert "<script" not in first
    if form == "csv":
        rows = list(csv.reader(io.StringIO(first)))
        assert {len(row) for row in rows} == {len(rows[0])}
    if form == "json":
        assert json.loads(first)["summary"]["duties"] > 0


async def test_what_a_board_says_of_failures_does_not_break_out(board: BoardUnderTest) -> None:
    claim = await asking.claimed(board)
    await asking.ask(board, claim, question="=1+1 <script>alert(1)</script> | `x`", options=["<b>", "=cmd"])
    (asked,) = (await board.perform("list_escalations")).rows
    await board.perform("answer", by="cto", escalation=asked["item"], answer="=cmd")
    page = (await audit(board, format="html"))["text"]
    assert "<script" not in page
    assert "<script" not in (await audit(board, format="md"))["text"]
    cells = [cell for row in csv.reader(io.StringIO((await audit(board, format="csv"))["text"])) for cell in row]
    assert "'=cmd" in cells
    assert not [cell for cell in cells if cell.startswith("=")]


async def test_a_range_that_begins_after_the_question_tells_of_its_answer(board: BoardUnderTest) -> None:
    """What was there before the range is not invented, and nothing breaks on it."""
    claim = await asking.claimed(board)
    asked = await asking.ask(board, claim)
    await board.seal()
    (moment,) = await board.fetch("SELECT max(happened_at) AS at FROM events WHERE board = $1")
    await board.perform("answer", by="cto", escalation=asked["escalation"], answer="8080")
    told = await audit(board, since=moment["at"] + timedelta(microseconds=1), until=datetime.now(UTC) + timedelta(1))
    assert told["escalations"] == []
    places = {one["kind"]: one["place"] for one in told["artifacts"]}
    assert places == {"answer": "done", "produce": "ready"}
