"""What an audit says to people of the events that were published, and how much of a long log it lists for them."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

from slateboard.interfaces.operations import perform
from slateboard.reports.audit import sections
from slateboard.reports.audit.followed import MOST_CHAINS
from slateboard.reports.audit.section import FIRST_ROWS, LAST_ROWS
from tests.patterns.conftest import Router, duty, router

if TYPE_CHECKING:
    import pytest

    from slateboard.work.claims import Claim
    from tests.support.boards import BoardUnderTest

__all__ = ["duty", "router"]
"""Fixtures of the choreography, used here."""

MERGED, DEPLOYED = "genbrain.events.merged", "genbrain.events.deployed"


async def publish_under(board: BoardUnderTest, claim: Claim, agent: str, subject: str) -> None:
    """Publish as a handler does: the event follows from its work."""
    asked: dict[str, Any] = {"subject": subject, "data": {}}
    await perform(board.database, board.actor(agent), board.id, "publish", asked, under=(claim.item, claim.fence))


async def merge(board: BoardUnderTest, router: Router) -> None:
    """A merge that backend handles with `release`, whose event frontend handles with `check`."""
    await board.perform("subscribe", name="merged", patterns=[MERGED], agent="backend", action="release")
    await board.perform("subscribe", name="deployed", patterns=[DEPLOYED], agent="frontend", action="check")
    await board.perform("publish", subject=MERGED, data={})
    await router.run()
    (claim,) = await board.claim("backend", limit=1)
    await publish_under(board, claim, "backend", DEPLOYED)
    await board.finish(claim)
    await router.run()


async def audit(board: BoardUnderTest, **arguments: Any) -> dict[str, Any]:
    await board.seal()
    return await board.perform("report_audit", **arguments)


async def test_the_story_tells_what_followed_from_a_published_event(board: BoardUnderTest, router: Router) -> None:
    await merge(board, router)
    story = (await audit(board, format="md"))["text"].replace("\\", "")
    assert "of 2 deliveries, 1 done and 1 ready, so far in" in story
    (claim,) = await board.claim("frontend", limit=1)
    await board.finish(claim, by="frontend")
    told = await audit(board)
    (chain,) = told["chains"]
    assert (chain["subject"], chain["published_by"], chain["places"]) == (MERGED, "admin", {"done": 2})
    assert [(one["agent"], one["action"]) for one in chain["steps"]] == [("backend", "release"), ("frontend", "check")]
    assert [one["subject"] for one in chain["led_to"]] == [DEPLOYED]
    story = (await audit(board, format="md"))["text"].replace("\\", "")
    assert f"admin published {MERGED} at " in story
    assert "; it went to backend (release), then frontend (check). " in story
    assert f"It led to {DEPLOYED}; all 2 deliveries were done, in " in story


async def test_only_so_many_chains_are_told_and_the_rest_is_counted(board: BoardUnderTest, router: Router) -> None:
    await board.perform("subscribe", name="merged", patterns=[MERGED], agent="backend", action="release")
    for _ in range(MOST_CHAINS + 2):
        await board.perform("publish", subject=MERGED, data={})
    await board.perform("publish", subject="genbrain.events.other", data={})
    await router.run()
    story = (await audit(board, format="md"))["text"].replace("\\", "")
    assert story.count(f"published {MERGED} at ") == MOST_CHAINS
    assert "2 more published events were handled." in story
    assert "1 published event had no handler." in story


async def test_a_delivery_is_called_by_agent_action_and_subject(board: BoardUnderTest, router: Router) -> None:
    await merge(board, router)
    (claim,) = await board.claim("frontend", limit=1)
    await board.finish(claim, by="frontend")
    told = await audit(board)
    (handed,) = told["hand_overs"]
    assert handed["to_label"] == f"frontend: check on {DEPLOYED}"
    assert handed["from_label"] == f"backend: release on {MERGED}"
    page = (await audit(board, format="html"))["text"]
    assert f'<th scope="row">frontend: check on {DEPLOYED}</th>' in page
    assert "deployed/check" not in page


async def test_the_story_always_names_the_first_step_of_the_critical_path(board: BoardUnderTest) -> None:
    names = [f"step{number}" for number in range(8)]
    items = await board.post_graph({name: names[:number][-1:] for number, name in enumerate(names)})
    for name in names:
        await board.complete(items[name])
    story = (await audit(board, format="md"))["text"]
    path = next(line for line in story.splitlines() if "The longest chain of work" in line).replace("\\", "")
    assert ": work/step0, then 3 others, then work/step4, then" in path
    assert "completed the most" not in story


async def test_a_long_list_is_cut_for_people_and_whole_as_data(
    board: BoardUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    published = next(one for one in sections.SECTIONS if one.name == "published")
    attempts = next(one for one in sections.SECTIONS if one.name == "attempts")
    assert (published.first, published.last) == (FIRST_ROWS, LAST_ROWS)
    for section in (published, attempts):
        monkeypatch.setitem(section.__dict__, "first", 3)
        monkeypatch.setitem(section.__dict__, "last", 2)
    for number in range(9):
        await board.perform("publish", subject=f"genbrain.events.number{number}", data={})
    items = await board.post_graph({f"a{number}": [] for number in range(6)})
    for item in items.values():
        await board.complete(item)
    for form in ("html", "md"):
        text = (await audit(board, format=form))["text"].replace("\\", "")
        shown = [number for number in range(9) if f"genbrain.events.number{number}" in text]
        assert shown == [0, 1, 2, 7, 8]
        assert "9 events; the first 3 and the last 2 are here, 4 are left out: --format json has all" in text
        assert "4 rows are left out here" in text
        assert "6 attempts; the first 3 and the last 2 are here, 1 are left out" in text
        assert text == (await audit(board, format=form))["text"].replace("\\", "")
    assert len(json.loads((await audit(board, format="json"))["text"])["published"]) == 9
    assert len(list(csv.DictReader(io.StringIO((await audit(board, format="csv"))["text"])))) == 6


def test_a_page_of_a_hundred_thousand_rows_stays_small() -> None:
    published = next(one for one in sections.SECTIONS if one.name == "published")
    row = {"subject": "s", "happened_at": None, "actor": "a", "correlation": None}
    report = {"published": [{**row, "position": number} for number in range(100_002)]}
    shown = list(published.bounded(report))
    assert (len(shown), shown[500], published.left_out(report)) == (1_001, None, 99_002)
    assert (shown[499], shown[501]) == (("s", 499, None, "a", None), ("s", 99_502, None, "a", None))
    exact = {"published": report["published"][:1_000]}
    assert len(list(published.bounded(exact))) == 1_000
