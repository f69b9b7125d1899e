"""Agents and delegation from the shell: the directory, the agenda, removal, and giving work on and back."""

from __future__ import annotations

from slateboard.protocol.work import NewTask
from tests.cli.conftest import Slate
from tests.support.boards import BoardUnderTest


async def test_agents_are_changed_found_and_removed(slate: Slate, board: BoardUnderTest) -> None:
    await slate.ok("agent", "change", "backend", "--manager", "cto", "--accepts-from", "cto", "--capability", "sql")
    (found,) = await slate.ok("agent", "find", "--capability", "sql", "--json")
    assert (found["name"], found["manager"], found["accepts_from"]) == ("backend", "cto", ["cto"])
    await slate.ok("agent", "change", "backend", "--accepts-nobody")
    (found,) = await slate.ok("agent", "find", "--capability", "sql", "--json")
    assert found["accepts_from"] == []
    items = await board.post_graph({"a": []})
    (entry,) = await slate.ok("agent", "agenda", "backend", "--json")
    assert (entry["item"], entry["parts"]) == (items["a"], {"priority": 10})
    await slate.ok("work", "override", items["a"], "--rating", "5", "--reason", "later")
    left = await slate.ok("agent", "remove", "backend", "--to", "cto", "--dry-run", "--json")
    assert left["places"] == {"ready": 1}
    await slate.wrong(5, "agent", "remove", "backend")
    await slate.ok("agent", "remove", "backend", "--to", "cto")
    await slate.wrong(4, "agent", "agenda", "backend")


async def test_work_is_delegated_declined_reassigned_and_cancelled(slate: Slate, board: BoardUnderTest) -> None:
    await board.post(tasks=[NewTask(name="feature", title="Feature", agent="cto")])
    (claim,) = await board.claim("cto")
    given = ("--give", "api backend Build the API", "--give", "page frontend Build the page")
    answer = await slate.ok("task", "delegate", claim.item, "--fence", claim.fence, *given, "--json")
    assert (answer["tasks"], answer["remaining"]) == (["api", "page"], 2)
    await slate.wrong(2, "task", "delegate", claim.item, "--fence", claim.fence, "--give", "api")
    hops = await slate.ok("task", "chain", "api/result", "--json")
    assert [(hop["delegator"], hop["agent"]) for hop in hops] == [(None, "cto"), ("cto", "backend")]
    declined = await slate.ok("task", "decline", "api", "--reason", "no time", "--json")
    assert declined["to"] == "cto"
    await slate.ok("task", "reassign", "api", "frontend", "--reason", "it has time")
    await slate.wrong(5, "task", "cancel", "api", "--reason", "not wanted")
    cancelled = await slate.ok("task", "cancel", "api", "--reason", "not wanted", "--waive", "--json")
    assert cancelled["cancelled"] == ["api/result"]
