"""The rules of a meeting, without a database."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slateboard.patterns.meetings.rules import Step, View, next_step, tally
from slateboard.protocol.meetings import MAX_ROUNDS, Choice, DecisionModel, Stage, Verdict

MAJORITY, UNANIMOUS, WITH_VETO = DecisionModel


@pytest.mark.parametrize(
    ("votes", "seats", "model", "verdict"),
    [
        ("aaa", 5, MAJORITY, Verdict.APPROVED),
        ("aarr", 4, MAJORITY, Verdict.REJECTED),
        ("aa", 4, MAJORITY, Verdict.DEFERRED),
        ("aa-", 4, MAJORITY, Verdict.REJECTED),
        ("aaaa", 5, UNANIMOUS, Verdict.REJECTED),
        ("aaaaa", 5, UNANIMOUS, Verdict.APPROVED),
        ("aaaav", 5, WITH_VETO, Verdict.VETOED),
        ("", 5, MAJORITY, Verdict.DEFERRED),
    ],
)
def test_votes_are_counted_over_all_seats(votes: str, seats: int, model: DecisionModel, verdict: Verdict) -> None:
    words = {"a": Choice.APPROVE, "r": Choice.REJECT, "-": Choice.ABSTAIN, "v": Choice.VETO}
    assert tally([words[one] for one in votes], seats=seats, quorum=3, model=model) is verdict


@given(
    votes=st.lists(st.sampled_from([one.value for one in Choice if one is not Choice.VETO]), max_size=9),
    absent=st.integers(0, 9),
    quorum=st.integers(1, 9),
    model=st.sampled_from(DecisionModel),
)
def test_absentees_and_abstentions_never_carry_a_motion(
    votes: list[str], absent: int, quorum: int, model: DecisionModel
) -> None:
    seats = len(votes) + absent
    verdict = tally(votes, seats=seats, quorum=quorum, model=model)
    approvals = votes.count("approve")
    if verdict is Verdict.APPROVED:
        assert approvals * 2 > seats
        assert model is not UNANIMOUS or approvals == seats
    elif seats:
        assert approvals < seats


def view(**given: Any) -> View:
    """An item that was discussed for a round, with nobody asked anything."""
    plain: dict[str, Any] = {
        "stage": Stage.DISCUSSING, "round": 1, "waiting": 0, "spoke": False, "motion": False, "concerns": 0,
        "present": 3, "declined": False, "verdict": Verdict.APPROVED,
    }  # fmt: skip
    return View(**{**plain, **given})


@pytest.mark.parametrize(
    ("given", "step"),
    [
        ({"stage": Stage.PENDING, "round": 0}, Step.ROUND),
        ({"stage": Stage.PENDING, "round": 0, "present": 0}, Step.DEFER),
        ({"waiting": 1, "motion": True}, Step.WAIT),
        ({"motion": True}, Step.VOTE),
        ({"spoke": True}, Step.ROUND),
        ({"spoke": True, "round": 3}, Step.ASK_MOTION),
        ({}, Step.ASK_MOTION),
        ({"declined": True}, Step.DEFER),
        ({"motion": True, "concerns": 1, "spoke": True}, Step.ROUND),
        ({"motion": True, "concerns": 1, "round": 3, "spoke": True}, Step.VOTE),
        ({"stage": Stage.VOTING, "motion": True}, Step.CLOSE),
        ({"stage": Stage.VOTING, "motion": True, "concerns": 1}, Step.ASK_CONCERNS),
        ({"stage": Stage.VOTING, "motion": True, "concerns": 1, "verdict": Verdict.REJECTED}, Step.CLOSE),
        ({"stage": Stage.VOTING, "motion": True, "concerns": 1, "declined": True}, Step.DEFER),
        ({"stage": Stage.VOTING, "motion": True, "concerns": 1, "present": 0}, Step.DEFER),
    ],
)
def test_what_comes_next(given: dict[str, Any], step: Step) -> None:
    assert next_step(view(**given)) is step


@given(
    stage=st.sampled_from([Stage.PENDING, Stage.DISCUSSING, Stage.VOTING]),
    round=st.integers(0, MAX_ROUNDS),
    spoke=st.booleans(),
    motion=st.booleans(),
    concerns=st.integers(0, 2),
    present=st.integers(0, 3),
    declined=st.booleans(),
    verdict=st.sampled_from(Verdict),
)
def test_nothing_waits_where_nobody_is_asked_and_no_round_is_one_too_many(**given: Any) -> None:
    step = next_step(view(**given))
    assert step is not Step.WAIT
    if step is Step.ROUND:
        assert given["stage"] is Stage.PENDING or given["round"] < MAX_ROUNDS
    if step in {Step.ROUND, Step.ASK_MOTION, Step.ASK_CONCERNS}:
        assert given["present"]
