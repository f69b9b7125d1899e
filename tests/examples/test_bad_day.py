"""The bad day of the demo: its manifests are ones, and each step of them, and each undo, has a worker that does it."""

import ast
import fnmatch
from pathlib import Path

import pytest

from scripts.implementation import bad_day
from slateboard.manifests.kinds import declared

EXAMPLE = Path(__file__).parents[2] / "examples" / "bad-day"


@pytest.fixture(scope="module")
def board():
    file = EXAMPLE / "board.yaml"
    return declared([{"source": file.name, "text": file.read_text()}])


def handlers(agent, kind):
    """The patterns of an agent's handlers of this kind: `artifact` or `compensation`."""
    module = ast.parse((EXAMPLE / "agents" / f"{agent}.py").read_text())
    decorators = [
        one for node in module.body for one in getattr(node, "decorator_list", []) if isinstance(one, ast.Call)
    ]
    return [one.args[0].value for one in decorators if one.func.attr == kind]


def test_every_step_has_a_worker_of_its_owner(board):
    owners = {reference: one.owner or board.tasks[one.task].agent for reference, one in board.artifacts.items()}
    work = {reference: owner for reference, owner in owners.items() if owner != bad_day.PERSON}
    assert set(work.values()) == {"devops", "importer", "notary"}
    for reference, owner in work.items():
        name = reference.partition("/")[2]
        assert [pattern for pattern in handlers(owner, "artifact") if fnmatch.fnmatch(name, pattern)], reference


def test_what_undoes_the_release_is_what_its_worker_can_do_and_the_demo_expects(board):
    undone = {one.step: one.compensate for one in board.compensations.values()}
    assert undone == {"deploy_to_production": bad_day.ROLLBACK[0], "update_database_schema": bad_day.ROLLBACK[1]}
    assert sorted(handlers("devops", "compensation")) == sorted(bad_day.ROLLBACK)


def test_the_breaker_opens_when_the_demo_expects_it_and_soon_tries_again(board):
    (breaker,) = board.breakers.values()
    assert breaker.rules["failure_threshold"] == bad_day.FAILURES
    assert breaker.rules["recovery_seconds"] <= 3
    assert len(bad_day.DAYS) > bad_day.FAILURES + 2, "some work must wait behind the breaker"


def test_the_days_of_the_demo_are_those_of_the_board(board):
    days = {reference.partition("/")[2] for reference in board.artifacts if reference.startswith("catalogue/")}
    assert days == set(bad_day.DAYS)
