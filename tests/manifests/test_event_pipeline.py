"""Event pipelines: what they declare, and what applying them does to the subscriptions of a board."""

from __future__ import annotations

from pathlib import Path

import pytest

from slateboard.manifests import files
from slateboard.manifests.kinds import declared
from slateboard.protocol.errors import BadManifest, BadSubject, Invalid, NotYours, SlateError
from tests.support.boards import BoardUnderTest
from tests.support.manifests import do

GUIDE = Path(__file__).parent / "guide/event-pipeline.yaml"
EXAMPLE = Path(__file__).parents[2] / "examples/analytics-dashboard/pipeline.yaml"
NAMES = [
    "events-deployment-completed-cso-run_security_scan",
    "events-deployment-completed-devops-run_smoke_tests",
    "events-deployment-verified-ceo-update_stakeholders",
    "events-deployment-verified-marketing-post_changelog_update",
    "events-pr-merged-devops-trigger_deployment",
]


def pipeline(events: str, name: str = "release") -> str:
    """An EventPipeline whose entries begin on line 6."""
    body = "\n".join(f"    {line}" for line in events.splitlines())
    return f"apiVersion: agent.ceo/v1\nkind: EventPipeline\nmetadata: {{name: {name}}}\nspec:\n  events:\n{body}"


async def there(board: BoardUnderTest) -> dict[str, dict]:
    return {row["name"]: row for row in await board.perform("list_subscriptions")}


def test_the_example_waits_for_tests_and_scan() -> None:
    got = declared(files.read([str(EXAMPLE)]))
    (waiting,) = [one for one in got.subscriptions.values() if one.all_of]
    assert len(waiting.patterns) == 2


async def test_the_bare_pipeline_of_the_guide_is_applied(board) -> None:
    text = GUIDE.read_text()
    answer = await do(board, text)
    assert sorted(one["reference"] for one in answer["created"]) == NAMES
    assert "marketing" in answer["agents_created"]
    found = await there(board)
    assert sorted(found) == NAMES
    one = found["events-pr-merged-devops-trigger_deployment"]
    assert (one["patterns"], one["agent"], one["action"]) == (
        ["genbrain.events.pr.merged"],
        "devops",
        "trigger_deployment",
    )
    again = await do(board, text)
    assert (again["created"], again["changed"], again["removed"], again["unchanged"]) == ([], [], [], 5)


async def test_a_dry_run_changes_nothing(board) -> None:
    answer = await do(board, GUIDE.read_text(), dry_run=True)
    assert len(answer["created"]) == 5
    assert await there(board) == {}


async def test_what_is_changed_goes_on_from_its_place(board) -> None:
    await do(board, pipeline("- {subject: a.b, consumers: [{agent: backend, start: beginning}]}"))
    (before,) = (await there(board)).values()
    changed = "- {subject: a.b, consumers: [{agent: backend, filter: '$.payload.x', priority: high}]}"
    answer = await do(board, pipeline(changed))
    assert [(one["field"], one["from"], one["to"]) for one in answer["changed"]] == [
        ("filter", None, "$.payload.x"),
        ("priority", "medium", "high"),
    ]
    (after,) = (await there(board)).values()
    assert (after["id"], after["cursor"], after["filter"]) == (before["id"], before["cursor"], "$.payload.x")
    answer = await do(board, pipeline(changed))
    assert answer["unchanged"] == 1


async def test_what_a_pipeline_no_longer_has_is_removed_and_others_stay(board) -> None:
    await board.perform("subscribe", name="by-hand", patterns=["a.>"], agent="backend")
    await do(board, pipeline("- {subject: a.b, consumers: [{agent: backend}, {agent: cto}]}"))
    await do(board, pipeline("- {subject: a.b, consumers: [{agent: backend}]}", name="other"))
    answer = await do(board, pipeline("- {subject: a.b, consumers: [{agent: cto}]}"))
    assert answer["removed"] == [{"kind": "subscription", "reference": "release-a-b-backend-handle"}]
    assert sorted(await there(board)) == ["by-hand", "other-a-b-backend-handle", "release-a-b-cto-handle"]
    answer = await do(board, pipeline("[]"))
    assert len(answer["removed"]) == 1


async def test_a_name_that_is_taken_is_shown_with_its_place(board) -> None:
    await board.perform("subscribe", name="mine", patterns=["a.>"], agent="backend")
    with pytest.raises(BadManifest, match="made by somebody") as refused:
        await do(board, pipeline("- {subject: a.b, consumers: [{agent: backend, name: mine}]}"))
    assert (refused.value.details["line"], refused.value.details["column"]) == (6, 34)


async def test_one_mistake_applies_nothing(board) -> None:
    bad = "- {subject: a.b, consumers: [{agent: newcomer}]}\n- {subject: a.c, consumers: [{agent: cto, filter: '$.('}]}"
    with pytest.raises(Invalid, match="no JSON path") as refused:
        await do(board, pipeline(bad))
    assert refused.value.details["line"] == 7
    assert await there(board) == {}
    assert "newcomer" not in {row["name"] for row in (await board.perform("list_agents")).rows}


async def test_an_agent_subscribes_only_itself(board) -> None:
    await do(board, pipeline("- {subject: a.b, consumers: [{agent: backend}]}"), by="backend")
    with pytest.raises(NotYours) as refused:
        await do(board, pipeline("- {subject: a.b, consumers: [{agent: cto}]}", name="other"), by="backend")
    assert refused.value.details["line"] == 6


@pytest.mark.parametrize(
    ("events", "kind", "column", "says"),
    [
        ("- {subject: a..b, consumers: []}", BadSubject, 17, "is not a pattern"),
        ("- {subject: a.b}", BadManifest, 7, "no 'consumers'"),
        ("- {consumers: []}", BadManifest, 7, "no 'subject'"),
        ("- {subject: a, all_of: [b, c], consumers: []}", BadManifest, 20, "both 'subject' and 'all_of'"),
        ("- {all_of: [a], consumers: []}", BadManifest, 16, "found 1 subjects"),
        ("- {all_of: [a, a], consumers: []}", BadManifest, 16, "each of them once"),
        ("- {subject: a, consumers: [{action: b}]}", BadManifest, 32, "no 'agent'"),
        ("- {subject: a, consumers: [{agent: b, action: Go On}]}", BadManifest, 51, "not a name"),
        ("- {subject: a, consumers: [{agent: b, start: never}]}", BadManifest, 50, "no start 'never'"),
        ("- {subject: a, consumers: [{agent: b, filtr: x}]}", BadManifest, 43, "no key 'filtr'"),
        ("- {subject: a, consumers: [{agent: b}, {agent: b}]}", BadManifest, 44, "twice"),
    ],
)
def test_mistakes_are_shown_where_they_stand(events: str, kind: type[SlateError], column: int, says: str) -> None:
    with pytest.raises(kind, match=says) as refused:
        declared([{"source": "p.yaml", "text": pipeline(events)}])
    assert (refused.value.details["line"], refused.value.details["column"]) == (6, column)


def test_long_names_are_cut_and_stay_apart() -> None:
    events = "- {subject: genbrain.events.%s.>, consumers: [{agent: backend}]}"
    got = declared(
        [{"source": "p.yaml", "text": pipeline("\n".join(events % f"{'very-' * 12}long-{n}" for n in (1, 2)))}]
    )
    assert len(got.subscriptions) == 2
    assert all(len(name) <= 63 for name in got.subscriptions)
