"""The verbs of a handler say what the operations say, in the same words."""

from __future__ import annotations

from inspect import signature

import pytest

from slateboard import Work
from slateboard.interfaces.operations import OPERATIONS

VERBS = ("ask", "consult", "request", "notify", "reply", "acknowledge", "delegate", "say", "concern", "propose", "vote")
CLAIMED = {"item", "fence", "meeting", "agent"}
"""What a claim knows by itself."""


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_has_the_arguments_of_its_operation(verb: str) -> None:
    taken = {one for one in list(signature(OPERATIONS[verb].load()).parameters)[1:] if one not in CLAIMED}
    said = {one for one in list(signature(getattr(Work, verb)).parameters)[1:] if one != "wait"}
    if "deadline" in said:  # a length of time of the language
        said = said - {"deadline"} | {"deadline_seconds"}
    assert said == taken
