import ast
import fnmatch
from pathlib import Path

import pytest
import yaml
from agents import architecture

from scripts.implementation import organisation
from slateboard.manifests.kinds import declared

EXAMPLE = Path(__file__).parents[2] / "examples" / "analytics-dashboard"
AGENTS = ("ceo", "cto", "backend", "frontend", "devops", "cso", "marketing")
AT_RUN_TIME = {"release-data/data_check": "backend", "hosting/host_check": "devops"}
"""What the cto delegates when it begins to plan."""


def names(value):
    return [value] if isinstance(value, str) else list(value or [])


@pytest.fixture(scope="module")
def board():
    """Owner and blockers of every artifact on the board, with the results that subtasks imply."""
    tree = yaml.safe_load((EXAMPLE / "board.yaml").read_text())
    found = {}

    def add(task, artifacts):
        for name, artifact in artifacts.items():
            blockers = names(artifact.get("blocked_by"))
            gates = [blocker if "/" in blocker else f"{task}/{blocker}" for blocker in blockers]
            found[f"{task}/{name}"] = (artifact["owner"], gates)
        return [f"{task}/{name}" for name in artifacts]

    def walk(node):
        own = add(node["name"], node.get("artifacts", {}))
        below = [reference for child in node.get("children", []) for reference in walk(child)]
        if below:
            found[f"{node['name']}/result"] = (node["agent"], below)
            own.append(f"{node['name']}/result")
        return own + below

    walk(tree["spec"]["root"])
    return found


@pytest.fixture(scope="module")
def organisation_declared():
    """What all manifests of the example declare together."""
    texts = [(EXAMPLE / name).read_text() for name in ("agents.yaml", "routing.yaml", "board.yaml", "pipeline.yaml")]
    return declared([{"source": "example.yaml", "text": text} for text in texts])


def handlers(agent, kind="artifact"):
    """The patterns that an agent's module has handlers of this kind for: `artifact` or `action`."""
    module = ast.parse((EXAMPLE / "agents" / f"{agent}.py").read_text())
    calls = [one for node in module.body for one in getattr(node, "decorator_list", []) if isinstance(one, ast.Call)]
    return [call.args[0].value for call in calls if call.func.attr == kind]


def action_items():
    """What motions of the architecture review give to do."""
    return [action for matter in architecture.MATTERS for action in matter.actions]


def test_every_blocker_is_on_the_board_and_there_is_no_cycle(board):
    done = set()
    while ready := {name for name, (_, gates) in board.items() if name not in done and set(gates) <= done}:
        done |= ready
    assert done == set(board)


def test_every_artifact_has_exactly_one_handler_of_its_owner(board):
    assert {owner for owner, _ in board.values()} == set(AGENTS)
    actions = {f"action/{number}/result": one["owner"] for number, one in enumerate(action_items())}
    owners = {reference: owner for reference, (owner, _) in board.items()} | AT_RUN_TIME | actions
    for reference, owner in owners.items():
        name = reference.rpartition("/")[2]
        assert len([pattern for pattern in handlers(owner) if fnmatch.fnmatch(name, pattern)]) == 1, reference


def test_the_result_of_the_root_waits_for_everything_below(board):
    waited_for = set()
    pending = ["release-analytics/result"]
    while pending:
        for gate in board[pending.pop()][1]:
            if gate not in waited_for:
                waited_for.add(gate)
                pending.append(gate)
    assert waited_for == set(board) - {"release-analytics/result"}


def test_every_consumer_of_an_event_has_a_handler_for_its_action(organisation_declared):
    for one in organisation_declared.subscriptions.values():
        assert one.action in handlers(one.agent, "action"), one.name


def test_everybody_accepts_what_is_delegated_to_it(organisation_declared):
    accepts = {one.name: one.given["accepts_from"] for one in organisation_declared.profiles.values()}
    assert set(accepts) == set(AGENTS)
    for delegator, agent, task in organisation.DELEGATED:
        assert delegator in accepts[agent], task


def test_the_review_can_be_held_and_has_a_concern_and_a_dissent():
    for matter in architecture.MATTERS:
        named = {matter.proposer, *matter.concerns, *matter.against, *(one["owner"] for one in matter.actions)}
        assert named <= set(organisation.SEATS), matter.item
        votes = [architecture.position(matter, seat) for seat in organisation.SEATS]
        assert 2 * [choice for choice, _ in votes].count("approve") > len(votes), matter.item
        assert all(rationale for _, rationale in votes), matter.item
    assert [agent for matter in architecture.MATTERS for agent in matter.concerns] == ["cso"]
    assert [agent for matter in architecture.MATTERS for agent in matter.against] == [organisation.DISSENTER]
