"""Any board that manifests can make comes back out of it: it changes nothing there, and makes an empty board alike."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from slateboard.manifests.event_pipeline import named_after
from slateboard.store.database import Database
from tests.manifests.exporting import exported, fixed_point, fresh, names_may_clash
from tests.manifests.test_apply_properties import AGENTS, MANY, boards, documents, names, shape
from tests.manifests.test_export_text import LOOKS
from tests.support.invariants import check_work

PEOPLE = [*AGENTS, "no", "8"]
ACTIONS = ["handle", "deploy", "on"]
SUBJECTS = ["genbrain.events.a", "genbrain.events.*.b", "genbrain.events.>", "other.x"]
FILTERS = ['$.payload.branch == "main"', "$.payload.text == \"a #b: 'c'\""]
FEW = settings(MANY, max_examples=15)
texts = st.sampled_from([one for one in LOOKS if "\0" not in one]) | st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30
)
said = texts.filter(lambda text: bool(text.strip()))
people = st.sampled_from(PEOPLE)
YEAR = datetime.now(UTC).year + 5
"""A meeting begins within ten years."""


def some(draw: st.DrawFn, **keys: st.SearchStrategy[Any]) -> dict[str, Any]:
    """Some of these keys."""
    return {key: draw(one) for key, one in keys.items() if draw(st.booleans())}


breakers = st.fixed_dictionaries(
    {},
    optional={
        "failure_threshold": st.integers(1, 1000),
        "recovery_timeout": st.sampled_from(["1h30m", "90s", "0.25", "2d", "1.5h"]),
        "fallback": st.sampled_from(["escalate_to_human", "queue_for_retry", "proceed_with_warning"]),
    },
).filter(bool)
limits = st.sampled_from([
    {"concurrency": 2}, {"rate": 7, "per": "1h"}, {"concurrency": 1, "rate": 3, "per": "0.1"},
    {"rate": 1, "per": "90s"},
])  # fmt: skip
budgets = st.sampled_from([{"tokens": 10}, {"cost": 0.5}, {"tokens": 10**12, "cost": 40}, {"cost": 1e-07}])


@st.composite
def agents(draw: st.DrawFn) -> list[dict[str, Any]]:
    """What is said of some agents; managers stand before whom they manage, so that there is no circle."""
    found: list[dict[str, Any]] = []
    for number, name in enumerate(draw(st.lists(people, unique=True, max_size=4))):
        others = [one for one in PEOPLE if one != name]
        spec = some(
            draw,
            role=texts,
            kind=st.sampled_from(["agent", "human", "service"]),
            capabilities=st.lists(names, max_size=3),
            right=st.sampled_from(["reader", "agent", "operator", "admin"]),
            event_subscriptions=st.lists(st.sampled_from(SUBJECTS), unique=True, max_size=2),
            peer_channels=st.lists(
                st.sampled_from([f"genbrain.agents.{one}.inbox" for one in others]), unique=True, max_size=2
            ),
            meeting_availability=st.just("always"),
            limits=limits,
            budget=budgets,
            circuit_breaker=breakers,
        )
        if number:
            spec |= some(draw, manager=st.sampled_from([one["spec"]["agent"] for one in found]))
        if name not in AGENTS:
            spec |= some(draw, accepts_delegation_from=st.lists(st.sampled_from(others), unique=True, max_size=2))
        found.append({"kind": "AgentConfig", "metadata": {"name": f"{name}-agent"}, "spec": {**spec, "agent": name}})
    return found


@st.composite
def rules(draw: st.DrawFn) -> list[dict[str, Any]]:
    """A routing table, a pipeline, what undoes steps, and the breakers of agents of which no config speaks."""
    found: list[dict[str, Any]] = []
    pairs = draw(st.lists(st.tuples(people, people, said), max_size=4, unique_by=lambda one: (one[0], one[1])))
    table: dict[str, Any] = {}
    for agent, other, label in pairs:
        if agent != other:
            consults, notice = {"agent": other, "for": label}, {"agent": other, "when": label}
            notice |= some(draw, on=st.sampled_from(SUBJECTS))
            peers = table.setdefault(agent, {"consults": [], "notifies": []})
            peers["consults"].append(consults)
            peers["notifies"].append(notice)
    if table:
        found.append({"kind": "RoutingTable", "metadata": {"name": draw(names)}, "spec": {"agents": table}})
    events: dict[str, Any] = {}
    pipeline = draw(names)
    for subjects in draw(
        st.lists(st.lists(st.sampled_from(SUBJECTS), unique=True, min_size=1, max_size=3), max_size=3)
    ):
        consumer = {"agent": draw(people), "action": draw(st.sampled_from(ACTIONS))}
        consumer |= some(
            draw, priority=st.sampled_from(["urgent", "low", "normal"]), filter=st.sampled_from(FILTERS), name=names
        )
        name = consumer.get("name") or named_after(pipeline, subjects, consumer["agent"], consumer["action"])
        entry = {"subject": subjects[0]} if len(subjects) == 1 else {"all_of": subjects}
        events[name] = {**entry, "consumers": [consumer]}
    if events:
        spec = {"events": list(events.values())}
        found.append({"kind": "EventPipeline", "metadata": {"name": pipeline}, "spec": spec})
    steps = [
        {"step": step, "compensate": draw(names), **some(draw, agent=people, irreversible=st.booleans())}
        for step in draw(st.lists(names, unique=True, max_size=3))
    ]
    if steps:
        found.append({"kind": "Compensation", "metadata": {"name": draw(names)}, "spec": {"compensation": steps}})
    if draw(st.booleans()):
        found.append(
            {"kind": "CircuitBreaker", "metadata": {"name": "all"}, "spec": {"circuit_breaker": draw(breakers)}}
        )
    return found


@st.composite
def meetings(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Meetings that are to be held some time."""
    found: list[dict[str, Any]] = []
    for number in range(draw(st.integers(0, 2))):
        spec: dict[str, Any] = {
            "participants": draw(st.lists(people, unique=True, min_size=2, max_size=4)),
            "agenda": draw(st.lists(said, min_size=1, max_size=3)),
            "starts_at": f"{YEAR}-01-01T09:00:00Z",
            **some(draw, title=said, decision_required=st.booleans(), max_duration_minutes=st.integers(2, 480)),
            **some(draw, turn_seconds=st.integers(1, 100), decision_model=st.sampled_from(["majority", "unanimous"])),
        }
        found.append({"kind": "Meeting", "metadata": {"name": f"meeting-{number}"}, "spec": spec})
    return found


@st.composite
def organisations(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Everything at once; texts of the tasks look like anything."""
    found = draw(boards())
    for manifest in found:
        spec = manifest["spec"]
        if manifest["kind"] == "TaskBoard":
            spec |= some(draw, title=texts, brief=texts, agent=people, due=st.just("4h"))
            spec["decisions"] += [{"decision": one} for one in draw(st.lists(said, max_size=2, unique_by=str.casefold))]
        else:
            spec["root"] |= some(draw, brief=texts, on_no_ack=st.just("escalate"), priority=st.just("urgent"))
    more = [*draw(agents()), *draw(rules()), *draw(meetings())]
    return [*found, *({"apiVersion": "agent.ceo/v1", **one} for one in more)]


@FEW
@given(manifests=organisations())
async def test_an_export_changes_nothing_and_makes_an_empty_board_alike(
    database: Database, manifests: list[dict[str, Any]]
) -> None:
    board, other = await fresh(database), await fresh(database)
    with names_may_clash():
        await board.perform("apply", documents=documents(manifests))
    texts_ = await fixed_point(board)
    await other.perform("apply", documents=[{"source": "export.yaml", "text": texts_}])
    assert await exported(other) == texts_
    assert await shape(other) == await shape(board)
    await check_work(other)
