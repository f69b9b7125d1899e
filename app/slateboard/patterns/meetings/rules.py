"""The rules of a meeting, without a database: what comes next, and what votes mean."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

from slateboard.protocol.meetings import MAX_ROUNDS, Choice, DecisionModel, Stage, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable


class Step(Enum):
    """What happens next to an item of the agenda."""

    WAIT = auto()
    ROUND = auto()
    ASK_MOTION = auto()
    VOTE = auto()
    ASK_CONCERNS = auto()
    CLOSE = auto()
    DEFER = auto()


@dataclass(frozen=True, kw_only=True, slots=True)
class View:
    """An item of the agenda, as far as it matters for what comes next.

    `waiting` counts the turns, votes and askings that are not ended; `declined` says that the chair was asked and left
    it as it is, in this stage.
    """

    stage: Stage
    round: int
    waiting: int
    spoke: bool
    motion: bool
    concerns: int
    present: int
    declined: bool
    verdict: Verdict


def next_step(view: View) -> Step:
    """What happens next; `Step.WAIT` only while somebody is asked something."""
    if view.waiting:
        return Step.WAIT
    return _after_votes(view) if view.stage is Stage.VOTING else _after_turns(view)


def _after_turns(view: View) -> Step:
    if view.stage is Stage.PENDING and view.present:
        return Step.ROUND
    if view.motion and not view.concerns:
        return Step.VOTE
    if view.spoke and view.present and view.round < MAX_ROUNDS and not view.declined:
        return Step.ROUND
    if view.motion:
        return Step.VOTE
    return Step.DEFER if view.declined or not view.present else Step.ASK_MOTION


def _after_votes(view: View) -> Step:
    if not view.concerns or view.verdict is not Verdict.APPROVED:
        return Step.CLOSE
    return Step.DEFER if view.declined or not view.present else Step.ASK_CONCERNS


def tally(votes: Iterable[str], *, seats: int, quorum: int, model: DecisionModel) -> Verdict:
    """What these votes make of a motion. Seats without a vote, and abstentions, stay in the denominator."""
    cast = Counter(votes)
    if cast[Choice.VETO]:
        return Verdict.VETOED
    carried = cast[Choice.APPROVE] == seats if model is DecisionModel.UNANIMOUS else 2 * cast[Choice.APPROVE] > seats
    if carried and seats:
        return Verdict.APPROVED
    return Verdict.DEFERRED if cast.total() < quorum else Verdict.REJECTED
