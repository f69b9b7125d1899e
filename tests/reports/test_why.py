"""Why something does not move: the path to its root cause, and what would release it."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest

from slateboard.protocol.errors import DependencyCycle, Invalid, UnknownName
from slateboard.protocol.rights import ADMINISTRATOR
from slateboard.protocol.work import NewArtifact, NewTask
from slateboard.reports import causes
from slateboard.reports.why import ENDED, UPSTREAM
from slateboard.transaction import reading
from tests.support.boards import BoardUnderTest, QueryCount
from tests.support.live import check_fold


async def why(board: BoardUnderTest, item: int | str) -> dict[str, Any]:
    return await board.perform("why", item=item)


def references(found: dict[str, Any]) -> list[str]:
    return [step["reference"] for step in found["path"]]


async def test_path_leads_to_the_dead_letter_at_its_end(board: BoardUnderTest) -> None:
    items = await board.post_graph({"a": [], "b": ["a"], "other": [], "c": ["b", "other"]})
    await board.bury(items["a"])
    found = await why(board, "work/c")
    assert references(found) == ["work/c", "work/b", "work/a"]
    assert found["because"] == "is a dead letter: logic: it broke"
    assert (found["moves"], found["release"]) == (False, f"slate dead-letters redrive {items['a']}")
    assert found["path"][0]["because"] == "waits for work/b"
    assert {one["reference"] for one in found["roots"]} == {"work/a", "work/other"}
    assert found["circle"] == []


async def test_waived_blocker_holds_nothing(board: BoardUnderTest) -> None:
    items = await board.post_graph({"a": [], "b": [], "c": ["a", "b"]})
    await board.perform("cancel", reference="work/a", reason="no", waive=True)
    assert references(await why(board, items["c"])) == ["work/c", "work/b"]


async def test_person_who_must_answer_is_named_with_the_deadline(board: BoardUnderTest) -> None:
    items = await board.post_graph({"a": [], "b": ["a"]})
    claim = await board.claim_item(items["a"])
    asked = await board.perform("ask", by="backend", item=claim.item, fence=claim.fence, question="Why?", of="cto")
    found = await why(board, "work/b")
    assert [(step["place"], step["because"]) for step in found["path"]] == [
        ("gated", "waits for work/a"), ("waiting", "waits for an answer of cto"), ("ready", "cto must answer"),
    ]  # fmt: skip
    assert (found["path"][-1]["owner"], found["path"][-1]["deadline"]) == ("cto", asked["deadline"])
    assert found["release"] == f"slate answer {asked['escalation']} TEXT"


@pytest.mark.parametrize("whole", [True, False])
async def test_pause_is_a_root_cause(board: BoardUnderTest, whole: bool) -> None:
    items = await board.post_graph({"a": [], "b": ["a"]})
    await board.perform("pause", reason="audit", **({} if whole else {"agent": "backend"}))
    found = await why(board, items["b"])
    assert found["because"] == f"{'the board' if whole else 'backend'} is paused: audit"
    assert [one["reference"] for one in (await board.perform("stuck"))["items"]] == ["work/a"]


async def test_what_moves_is_told_too(board: BoardUnderTest) -> None:
    items = await board.post_graph({"a": [], "b": ["a"]})
    assert (await why(board, items["b"]))["because"] == "is ready for backend"
    claim = await board.claim_item(items["a"])
    assert (await why(board, items["b"]))["because"] == "backend works on it (w1)"
    await board.finish(claim)
    assert (await why(board, items["a"]))["because"] == "is done"
    assert (await why(board, items["b"]))["moves"] is True
    assert await board.perform("stuck") == {"items": [], "more": False, "circles": []}


async def test_stuck_lists_what_cannot_move_by_itself_and_circles_through_people(board: BoardUnderTest) -> None:
    items = await board.post_graph({"a": [], "b": ["a"], "mine": []})
    await board.bury(items["a"])
    await board.post_graph({"theirs": []}, task="other", owner="cto")
    for agent, of in (("backend", "cto"), ("cto", "backend")):
        (claim,) = await board.claim(agent)
        await board.perform("ask", by=agent, item=claim.item, fence=claim.fence, question="Why?", of=of)
    found = await board.perform("stuck")
    assert [(one["reference"], one["place"]) for one in found["items"]] == [
        ("work/a", "dead"), ("work/mine", "waiting"), ("other/theirs", "waiting"), ("work/b", "gated"),
    ]  # fmt: skip
    assert found["circles"] == [["backend", "cto", "backend"]] or found["circles"] == [["cto", "backend", "cto"]]
    assert (await board.perform("stuck", limit=1))["more"] is True


async def test_breaker_is_a_root_cause_that_a_probe_may_close(board: BoardUnderTest) -> None:
    items = await board.post_graph({"a": [], "b": ["a"]})
    await board.perform("open_breaker", agent="backend", reason="it lies")
    found = await why(board, items["b"])
    assert (found["because"], found["moves"]) == ("the circuit breaker of backend is open: it lies", True)
    assert found["release"] == "slate breaker close backend"
    assert found["path"][-1]["deadline"] is not None


async def test_used_up_budget_is_a_root_cause(board: BoardUnderTest) -> None:
    items = await board.post_graph({"a": [], "b": ["a"]})
    await board.perform("set_budget", agent="backend", tokens=1)
    await board.fetch("UPDATE budgets SET exhausted_at = now() WHERE board = $1")
    found = await why(board, items["b"])
    assert (found["because"], found["moves"]) == ("the budget of backend is used up", False)
    assert [one["reference"] for one in (await board.perform("stuck"))["items"]] == ["work/a"]


async def test_awaited_event_or_hold_beside_a_waived_blocker_is_not_stuck(board: BoardUnderTest) -> None:
    items = await board.post_graph({"gone": [], "a": ["gone"], "b": ["gone"], "first": []})
    touches = NewArtifact(task="work", name="c", owner="backend", blocked_by=("gone",), rules={"touches": ["src/**"]})
    items["c"] = (await board.post(touches))["work/c"]
    await board.perform("cancel", reference="work/gone", reason="no", waive=True)
    claim = await board.claim_item(items["a"])
    await board.perform("wait_for", item=claim.item, fence=claim.fence, pattern="x.y", timeout_seconds=60)
    other = NewArtifact(task="work", name="other", owner="backend", rules={"touches": ["src/a.py"]})
    await board.claim_item((await board.post(other))["work/other"])
    assert [claim.reference for claim in await board.claim(limit=10)] == ["work/b", "work/first"]
    assert [await board.place(items[name]) for name in "ac"] == ["gated", "gated"]
    assert (await board.perform("status"))["stuck"]["number"] == 0
    assert [row["reference"] for row in (await board.perform("list_items")).rows if row["stuck"]] == []
    assert (await board.perform("stuck"))["items"] == []
    assert references(await why(board, "work/a")) == ["work/a"]
    assert (await why(board, "work/c"))["because"] == "work/other has the resource src/a.py"
    await check_fold(board)


async def test_capability_that_nobody_has_is_told(board: BoardUnderTest) -> None:
    await board.post(NewArtifact(task="open", name="thing", capability="k6"), tasks=[NewTask(name="open", title="")])
    (row,) = (await board.perform("stuck"))["items"]
    assert row["because"] == "no agent has the capability that it is open (k6) to"


async def test_what_is_not_there_is_an_error(board: BoardUnderTest) -> None:
    for wrong in ("work/nothing", 2**40):
        with pytest.raises(UnknownName):
            await why(board, wrong)
    with pytest.raises(Invalid):
        await why(board, "9" * 40)
    with pytest.raises(Invalid):
        await board.perform("stuck", limit=0)


async def test_ten_thousand_items_are_read_by_a_handful_of_statements(board: BoardUnderTest) -> None:
    """A wide and deep graph: 99 layers of 100, each item behind three of the layer before."""
    edges = {
        f"n{layer}-{number}": [f"n{layer - 1}-{(number + step) % 100}" for step in range(3)] if layer else []
        for layer in range(99)
        for number in range(100)
    }
    items = await board.post_graph(edges)
    await board.bury(items["n0-50"])
    async with QueryCount(board.database).counted() as count:
        found = await why(board, items["n98-0"])
    assert found["release"] == f"slate dead-letters redrive {items['n0-50']}"
    assert len(found["path"]) == 99
    assert count.count <= 6


async def test_item_that_would_wait_for_what_waits_for_it_is_refused_with_the_circle(board: BoardUnderTest) -> None:
    """The answer that `a` waits for cannot wait for `a`, nor for what is behind it."""
    items = await board.post_graph({"a": [], "b": ["a"]})
    claim = await board.claim_item(items["a"])
    asked = await board.perform("ask", by="backend", item=claim.item, fence=claim.fence, question="Why?", of="cto")
    (duty,) = await board.claim("cto")
    for on in ("work/a", "work/b"):
        with pytest.raises(DependencyCycle) as refused:
            await board.perform("block_on", by="cto", item=duty.item, fence=duty.fence, on=[on])
        assert {"work/a", on} <= set(refused.value.details["path"])
    assert await board.place(asked["escalation"]) == "claimed"


async def test_agent_that_would_wait_for_itself_is_refused(board: BoardUnderTest) -> None:
    items = await board.post_graph({"a": []})
    claim = await board.claim_item(items["a"])
    with pytest.raises(Invalid, match="own answer"):
        await board.perform("ask", by="backend", item=claim.item, fence=claim.fence, question="Why?", of="backend")
    assert await board.place(items["a"]) == "claimed"


async def test_longer_circle_through_people_is_listed_once(board: BoardUnderTest) -> None:
    agents = ("backend", "frontend", "cto")
    for agent, of in zip(agents, (*agents[1:], agents[0]), strict=True):
        await board.post_graph({"a": []}, task=f"of-{agent}", owner=agent)
        (claim,) = await board.claim(agent)
        await board.perform("ask", by=agent, item=claim.item, fence=claim.fence, question="Why?", of=of)
    (circle,) = (await board.perform("stuck"))["circles"]
    assert circle[0] == circle[-1]
    assert circle[:-1] in [list(agents[step:] + agents[:step]) for step in range(3)]


async def test_plan_that_is_kept_from_a_small_board_reads_by_index(board: BoardUnderTest, database_url: str) -> None:
    """Kept with a scan of all dependencies for each item, it took half a minute on the first large board."""
    owner = await asyncpg.connect(database_url)
    await owner.execute("ANALYZE")
    await owner.close()
    async with reading(board.database, ADMINISTRATOR, board.id) as tx:
        await tx.connection.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        for number, (sql, types, given) in enumerate((
            (UPSTREAM, "bigint, bigint, bigint", "1, 1, 1"), (ENDED, "bigint, bigint[]", "1, '{1}'"),
            (causes.FACTS, "bigint, bigint[]", "1, '{1}'"),
        )):  # fmt: skip
            await tx.connection.execute(f"PREPARE kept{number} ({types}) AS {sql}")
            plan = "\n".join(row[0] for row in await tx.fetch(f"EXPLAIN EXECUTE kept{number} ({given})"))
            await tx.connection.execute(f"DEALLOCATE kept{number}")
            assert "Seq Scan" not in plan, plan
