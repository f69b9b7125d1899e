"""Agents and delegation from the shell: the directory, the agenda, removal, and giving work on and back."""

from __future__ import annotations

import json
from pathlib import Path

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


async def test_a_file_delegates_with_briefs_and_what_is_blocked_by_what(
    slate: Slate, board: BoardUnderTest, tmp_path: Path
) -> None:
    await board.post(tasks=[NewTask(name="feature", title="Feature", agent="cto")])
    (claim,) = await board.claim("cto")
    file = tmp_path / "give.json"
    under = ("task", "delegate", claim.item, "--fence", claim.fence, "--file", file)
    for text in ("{", "[]", '{"task": []}', '{"tasks": {}}', "{}"):
        file.write_text(text)
        await slate.wrong(2, *under)
    tasks = [{"name": "api", "title": "API", "agent": "backend", "brief": "REST"}]
    artifacts = [
        {"task": "api", "name": "design"},
        {"task": "api", "name": "code", "blocked_by": ["design"], "rules": {"verify": "cto"}},
    ]
    file.write_text(json.dumps({"tasks": tasks, "artifacts": artifacts}))
    answer = await slate.ok(*under, "--json")
    assert (answer["tasks"], answer["remaining"]) == (["api"], 2)
    assert [one["reference"] for one in await board.perform("agenda", agent="backend")] == ["api/design"]


async def test_a_held_item_says_so_on_the_agenda_and_show_says_who_pinned_it(
    slate: Slate, board: BoardUnderTest
) -> None:
    items = await board.post_graph({"a": []})
    await board.perform("pause", agent="backend", reason="lunch")
    assert "backend is paused: lunch" in (await slate("agent", "agenda", "backend")).out
    await slate.ok("work", "pin", items["a"], "--rating", "70", "--reason", "the customer waits")
    await slate.ok("work", "override", items["a"], "--agent", "frontend", "--reason", "lunch takes long")
    await slate.wrong(2, "work", "override", items["a"], "--agent", "frontend")
    await board.seal()
    shown = (await slate("show", "work/a")).out
    assert "pinned at 70" in shown
    assert "the customer waits" in shown
    assert "given to frontend" in shown
