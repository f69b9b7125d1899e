import ast
import fnmatch
from pathlib import Path

import pytest
import yaml

EXAMPLE = Path(__file__).parents[2] / "examples" / "analytics-dashboard"
AGENTS = ("ceo", "cto", "backend", "frontend", "devops", "cso", "marketing")


def names(value):
    return [value] if isinstance(value, str) else list(value or [])


@pytest.fixture(scope="module")
def board():
    """Owner and blockers of every artifact on the board, with the results that subtasks imply."""
    tasks, tree = yaml.safe_load_all((EXAMPLE / "board.yaml").read_text())
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

    add(tasks["metadata"]["name"], tasks["spec"]["artifacts"])
    walk(tree["spec"]["root"])
    return found


def handlers(agent):
    """The artifact names that an agent's module has handlers for."""
    module = ast.parse((EXAMPLE / "agents" / f"{agent}.py").read_text())
    calls = [
        decorator
        for node in module.body
        if isinstance(node, ast.AsyncFunctionDef)
        for decorator in node.decorator_list
        if isinstance(decorator, ast.Call)
    ]
    return [call.args[0].value for call in calls]


def test_every_blocker_is_on_the_board_and_there_is_no_cycle(board):
    done = set()
    while ready := {name for name, (_, gates) in board.items() if name not in done and set(gates) <= done}:
        done |= ready
    assert done == set(board)


def test_every_artifact_has_exactly_one_handler_of_its_owner(board):
    assert {owner for owner, _ in board.values()} == set(AGENTS)
    for reference, (owner, _) in board.items():
        name = reference.partition("/")[2]
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
