"""Agents and their tokens: who acts is read from the credential, and what it may do from the agent's right."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from slateboard.board import agents
from slateboard.protocol.errors import Denied, Invalid, NotAuthenticated, NotYours, UnknownName
from slateboard.protocol.rights import Actor, Right
from tests.factories import AgentFactory, NewTaskFactory
from tests.support.boards import BoardUnderTest, Clock


async def _authenticate(board: BoardUnderTest, token: str) -> Actor:
    async with board.database.acquire() as connection:
        return await agents.authenticate(connection, token)


async def test_agent_is_added_with_what_was_said_of_it(board: BoardUnderTest) -> None:
    arguments = AgentFactory.build(name="painter", capabilities=("css", "svg", "css"))
    number = await board.perform("add_agent", manager="cto", **arguments)
    (row,) = await board.fetch("SELECT * FROM agents WHERE board = $1 AND name = 'painter'")
    assert (row["id"], row["role"], row["capabilities"], row["manager"]) == (
        number, "engineer", ["css", "svg"], board.agents["cto"],
    )  # fmt: skip
    event = (await board.log(subject="board.agent.added"))[-1]
    assert event.payload["agent"]["name"] == "painter"


@pytest.mark.parametrize("arguments", [{"kind": "robot"}, {"right": "god"}])
async def test_word_outside_its_set_is_invalid(board: BoardUnderTest, arguments: dict[str, str]) -> None:
    with pytest.raises(Invalid) as refused:
        await board.perform("add_agent", name="painter", **arguments)
    assert refused.value.remedy


async def test_unknown_agent_is_named_with_the_nearest_known(board: BoardUnderTest) -> None:
    with pytest.raises(UnknownName, match="'backed'") as refused:
        await board.perform("pause", agent="backed")
    assert "backend" in refused.value.remedy


async def test_token_stands_for_its_agent_and_is_kept_as_a_hash(board: BoardUnderTest) -> None:
    issued = await board.perform("issue_token", agent="backend")
    actor = await _authenticate(board, issued["token"])
    assert (actor.name, actor.agent, actor.board, actor.right) == (
        "backend", board.agents["backend"], board.id, Right.AGENT,
    )  # fmt: skip
    assert actor.authenticated_by == f"token:{issued['token_id']}"
    rows = await board.fetch("SELECT t::text AS row FROM tokens t WHERE t.board = $1")
    events = await board.fetch("SELECT payload FROM events WHERE board = $1")
    assert not any(issued["token"] in str(tuple(row)) for row in [*rows, *events])


@pytest.mark.parametrize("token", ["", "slate_", "slate_wrong", "x" * 10_000, "nul\x00"])
async def test_token_that_is_not_known_is_refused(board: BoardUnderTest, token: str) -> None:
    with pytest.raises(NotAuthenticated) as refused:
        await _authenticate(board, token)
    assert refused.value.remedy


async def test_revoked_token_is_refused_at_once_and_cannot_be_revoked_again(board: BoardUnderTest) -> None:
    issued = await board.perform("issue_token", agent="backend")
    await board.perform("revoke_token", token_id=issued["token_id"])
    with pytest.raises(NotAuthenticated, match="revoked"):
        await _authenticate(board, issued["token"])
    for operation in ("revoke_token", "rotate_token"):
        with pytest.raises(UnknownName):
            await board.perform(operation, token_id=issued["token_id"])


async def test_expired_token_is_refused_and_cannot_be_rotated(board: BoardUnderTest, clock: Clock) -> None:
    async with board.writing(now=clock.now - timedelta(hours=2)) as tx:
        issued = await agents.issue_token(tx, agent="backend", expires_in_seconds=3600)
    with pytest.raises(NotAuthenticated, match="expired"):
        await _authenticate(board, issued["token"])
    with pytest.raises(UnknownName):
        await board.perform("rotate_token", token_id=issued["token_id"])


async def test_rotation_lets_both_tokens_work_until_the_overlap_is_over(board: BoardUnderTest, clock: Clock) -> None:
    old = await board.perform("issue_token", agent="backend")
    new = await board.perform("rotate_token", token_id=old["token_id"], overlap_seconds=60)
    for token in (old["token"], new["token"]):
        assert (await _authenticate(board, token)).name == "backend"
    expires = await board.fetchval("SELECT expires_at FROM tokens WHERE board = $1 AND id = $2", old["token_id"])
    assert abs((expires - clock.now).total_seconds() - 60) < 30
    newest = await board.perform("rotate_token", token_id=new["token_id"], overlap_seconds=0)
    with pytest.raises(NotAuthenticated):
        await _authenticate(board, new["token"])
    await _authenticate(board, newest["token"])


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        ("issue_token", {"agent": "backend", "expires_in_seconds": 0}),
        ("issue_token", {"agent": "backend", "expires_in_seconds": -1}),
        ("issue_token", {"agent": "backend", "expires_in_seconds": float("nan")}),
        ("issue_token", {"agent": "backend", "expires_in_seconds": float("inf")}),
        ("rotate_token", {"token_id": 1, "overlap_seconds": -1}),
        ("rotate_token", {"token_id": 1, "overlap_seconds": float("nan")}),
        ("rotate_token", {"token_id": 1, "overlap_seconds": 8 * 86_400}),
    ],
)
async def test_time_that_makes_no_sense_is_invalid(
    board: BoardUnderTest, operation: str, arguments: dict[str, Any]
) -> None:
    with pytest.raises(Invalid):
        await board.perform(operation, **arguments)


async def test_token_of_one_board_is_not_seen_from_another(board: BoardUnderTest) -> None:
    from tests.support.boards import new_board

    issued = await board.perform("issue_token", agent="backend")
    other = await new_board(board.database, f"{board.name}-other")
    with pytest.raises(UnknownName):
        await other.perform("revoke_token", token_id=issued["token_id"])


async def test_agent_acts_for_itself_alone(board: BoardUnderTest) -> None:
    with pytest.raises(NotYours):
        await board.perform("claim", by="frontend", agent=board.agents["backend"], worker="w", lease_seconds=60)


async def test_boards_own_administrator_makes_no_boards_and_pauses_no_others(board: BoardUnderTest) -> None:
    await board.add_agent("root", right="admin")
    with pytest.raises(Denied):
        await board.perform("create_board", by="root", name="mine")
    with pytest.raises(Denied):
        await board.perform("pause", by="root", everything=True)


async def test_every_event_says_who_and_by_what_credential(board: BoardUnderTest) -> None:
    await board.post(by="backend", tasks=[NewTaskFactory.build()])
    event = (await board.log(subject="board.task.posted"))[0]
    assert (event.row["actor"], event.row["authenticated_by"]) == ("backend", "token:0")
