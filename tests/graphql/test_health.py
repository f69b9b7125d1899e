"""Health and the doctor over GraphQL, and what stands still in the status and the listings."""

from __future__ import annotations

from datetime import timedelta

from slateboard.work import health
from tests.cli.conftest import Slate
from tests.graphql.conftest import Asker
from tests.support.boards import BoardUnderTest

STILL = """{
    status { stalled { reference agent since } }
    items { nodes { reference stalledSince } }
    artifacts { nodes { reference stalledSince } }
}"""
HEALTH = "{ health { degraded { agent reasons { reason because } } stalled { item } overdue { item } more } }"


async def test_claim_that_stands_still_is_shown_until_it_moves(
    board: BoardUnderTest, asker: Asker, app_url: str
) -> None:
    await board.post_graph({"a": []})
    (claim,) = await board.claim()
    async with board.chores(now=claim.claimed_at + timedelta(minutes=5)) as tx:
        await health.tell_stalled(tx, limit=100_000)
    found = await asker.ask(STILL)
    (row,) = found["status"]["stalled"]
    assert (row["reference"], row["agent"]) == ("work/a", "backend")
    assert [one["nodes"][0]["stalledSince"] for one in (found["items"], found["artifacts"])] == [row["since"]] * 2
    slate = Slate({"SLATE_DATABASE_URL": app_url, "SLATE_BOARD": board.name, "SLATE_AGENT": "", "SLATE_LOG_LEVEL": ""})
    assert "work/a, claimed by backend, has made no progress for" in (await slate("status", "--board", board.name)).out
    assert "no progress for" in (await slate("get", "items")).out
    async with board.writing() as tx:
        await tx.fetch("UPDATE leases SET stalled_at = claimed_at WHERE board = $1", board.id)
    await board.perform("checkpoint", item=claim.item, fence=claim.fence, data=1)
    assert (await asker.ask(STILL))["status"]["stalled"] == []


async def test_health_and_doctor_are_fields(board: BoardUnderTest, asker: Asker) -> None:
    await board.perform("open_breaker", agent="cto", reason="it lies")
    found = (await asker.ask(HEALTH))["health"]
    assert found == {
        "degraded": [{"agent": "cto", "reasons": [
            {"reason": "breaker", "because": "its circuit breaker is not closed: it lies"}]}],
        "stalled": [], "overdue": [], "more": [],
    }  # fmt: skip
    report = (await asker.ask("{ doctor { state checks { name state seen remedy } } }"))["doctor"]
    checks = {one["name"]: one for one in report["checks"]}
    assert checks["schema"]["state"] == "ok"
    assert checks["gates"]["state"] == "ok"
    assert report["state"] in {"ok", "warn", "fail"}
