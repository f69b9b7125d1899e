"""Applying any board: again changes nothing, in two halves is the same as at once, and a dry run foretells it."""

from __future__ import annotations

import json
from itertools import count
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from slateboard.protocol.errors import SlateError
from slateboard.store.database import Database
from tests.support.boards import BoardUnderTest, new_board
from tests.support.invariants import check_work

NUMBERS = count(1)
AGENTS = ["backend", "frontend", "cto"]
BELOW = [one for one in AGENTS if one != "cto"]
"""To whom the cto, who stands above them all, may delegate."""
MANY = settings(max_examples=40)

names = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,8}", fullmatch=True)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12)
times = st.sampled_from(["30m", "4h", "2d", "2099-01-01T00:00:00Z"])


@st.composite
def artifacts(draw: st.DrawFn, task: str, known: list[str]) -> dict[str, Any]:
    """Artifacts of one task; each may wait for what was drawn before it, in this task or another."""
    found: dict[str, Any] = {}
    for name in draw(st.lists(names, min_size=1, max_size=5, unique=True)):
        given_: dict[str, Any] = {
            "title": draw(st.none() | texts),
            "brief": draw(st.none() | texts),
            "priority": draw(st.none() | st.sampled_from(["urgent", "high", "normal", "medium", "low"])),
            "due": draw(st.none() | times),
            "run_at": draw(st.none() | times),
            "max_attempts": draw(st.none() | st.integers(1, 100)),
            "path": draw(st.none() | texts),
        }
        owner = draw(st.sampled_from(["owner", "capability", None]))
        if owner:
            given_[owner] = draw(st.sampled_from(AGENTS))
        if draw(st.integers(0, 5)) == 0:
            given_ |= {"status": "complete", "content": draw(st.none() | texts)}
        given_["blocked_by"] = draw(st.lists(st.sampled_from(known), max_size=3)) if known else None
        found[name] = {key: value for key, value in given_.items() if value is not None}
        known.append(f"{task}/{name}")
    return found


@st.composite
def boards(draw: st.DrawFn) -> list[dict[str, Any]]:
    """A list of manifests, each of which stands on those before it."""
    known: list[str] = []
    manifests: list[dict[str, Any]] = []
    for number in range(draw(st.integers(1, 4))):
        task = f"task-{number}"
        if draw(st.booleans()):
            decided = draw(st.lists(texts.filter(lambda text: text.strip()), max_size=2))
            spec = {
                "artifacts": draw(artifacts(task, known)),
                "decisions": [{"decision": text, "subject": f"{task}-{i}"} for i, text in enumerate(decided)],
            }
            manifests.append({"kind": "TaskBoard", "metadata": {"name": task}, "spec": spec})
        else:
            children = [
                {
                    "agent": draw(st.sampled_from([one for one in AGENTS if one != "cto"])),
                    "task": draw(texts),
                    "name": f"{task}-{child}",
                }
                for child in range(draw(st.integers(0, 3)))
            ]
            for child in children:
                if draw(st.booleans()):
                    child["artifacts"] = draw(artifacts(child["name"], known))
            root = {"agent": "cto", "task": draw(texts), "due": draw(times), "children": children}
            manifests.append({"kind": "TaskTree", "metadata": {"name": task}, "spec": {"root": root}})
    return [{"apiVersion": "agent.ceo/v1", **manifest} for manifest in manifests]


def documents(manifests: list[dict[str, Any]]) -> list[dict[str, str]]:
    return [{"source": f"{n}.json", "text": json.dumps(manifest)} for n, manifest in enumerate(manifests)]


async def fresh(database: Database) -> BoardUnderTest:
    return await new_board(database, f"any-{id(database)}-{next(NUMBERS)}", agents=AGENTS)


async def shape(board: BoardUnderTest) -> list[tuple[Any, ...]]:
    """All that a manifest decides, without ids and times of posting."""
    found = await board.fetch(
        """
        SELECT w.reference, p.place, a.title, a.brief, a.path, o.name AS owner, a.capability, w.base_rating,
               w.due - w.created_at < interval '30 days' AS soon, w.due IS NULL AS undated, w.max_attempts, g.remaining,
               t.title AS task, u.name AS parent,
               ARRAY(SELECT b.reference FROM dependencies d
                     JOIN work_items b ON b.board = d.board AND b.id = d.blocker
                     WHERE d.board = a.board AND d.item = a.id ORDER BY 1) AS blocked_by,
               ARRAY(SELECT v.content || v.hash FROM artifact_versions v WHERE v.board = a.board AND v.artifact = a.id)
        FROM artifacts a
        JOIN tasks t ON t.board = a.board AND t.id = a.task
        LEFT JOIN tasks u ON u.board = t.board AND u.id = t.parent
        LEFT JOIN agents o ON o.board = a.board AND o.id = a.owner
        JOIN work_items w ON w.board = a.board AND w.id = a.id
        JOIN item_places p ON p.board = a.board AND p.item = a.id
        LEFT JOIN gates g ON g.board = a.board AND g.item = a.id
        WHERE a.board = $1 ORDER BY w.reference
        """
    )
    decisions = await board.fetch("SELECT subject, decision, status FROM decisions WHERE board = $1 ORDER BY subject")
    return [tuple(row) for row in [*found, *decisions]]


@MANY
@given(manifests=boards())
async def test_applying_again_changes_nothing(database: Database, manifests: list[dict[str, Any]]) -> None:
    board = await fresh(database)
    given_ = documents(manifests)
    foretold = await board.perform("apply", documents=given_, dry_run=True)
    answer = await board.perform("apply", documents=given_)
    assert foretold == {**answer, "dry_run": True}
    assert answer["unchanged"] == 0
    before = await shape(board)
    again = await board.perform("apply", documents=given_)
    assert (again["created"], again["changed"], again["agents_created"]) == ([], [], [])
    assert again["unchanged"] == len(answer["created"])
    assert await shape(board) == before
    await check_work(board)


@MANY
@given(manifests=boards(), data=st.data())
async def test_two_halves_are_the_same_as_all_at_once(
    database: Database, manifests: list[dict[str, Any]], data: st.DataObject
) -> None:
    at_once, in_halves = await fresh(database), await fresh(database)
    await at_once.perform("apply", documents=documents(manifests))
    cut = data.draw(st.integers(0, len(manifests) - 1))
    if cut:
        await in_halves.perform("apply", documents=documents(manifests[:cut]))
    first = half(data, manifests[cut])
    await in_halves.perform("apply", documents=documents([first]))
    await in_halves.perform("apply", documents=documents(manifests))
    assert await shape(in_halves) == await shape(at_once)
    await check_work(in_halves)


def half(data: st.DataObject, manifest: dict[str, Any]) -> dict[str, Any]:
    """The manifest with only the first of its artifacts, or of its children: what stands later is left out."""
    spec = manifest["spec"]
    if manifest["kind"] == "TaskBoard":
        kept = data.draw(st.integers(1, len(spec["artifacts"])))
        return {**manifest, "spec": {**spec, "artifacts": dict(list(spec["artifacts"].items())[:kept])}}
    children = spec["root"]["children"]
    kept = data.draw(st.integers(0, len(children)))
    return {**manifest, "spec": {"root": {**spec["root"], "children": children[:kept]}}}


@MANY
@given(first=boards(), second=boards())
async def test_any_board_over_any_other_settles(
    database: Database, first: list[dict[str, Any]], second: list[dict[str, Any]]
) -> None:
    """Whatever was there, what was applied stays applied, and the queue holds what it always holds."""
    board = await fresh(database)
    await board.perform("apply", documents=documents(first))
    refused = None
    try:
        await board.perform("apply", documents=documents(second))
    except SlateError as error:
        refused = error
    if refused is not None:
        assert "line" in refused.details, refused
    else:
        again = await board.perform("apply", documents=documents(second))
        assert (again["created"], again["changed"]) == ([], [])
    await check_work(board)
