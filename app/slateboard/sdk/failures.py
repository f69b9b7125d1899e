"""How a handler says that it failed, and what is made of an exception that does not say it.

Failure
├── TransientFailure       tried again: 30 s, 2 min, 5 min
├── InfrastructureFailure  the same; something below the work is broken
├── ValidationFailure      tried again, with the error in the next briefing
└── LogicFailure           a dead letter at once: trying again cannot help

Any other exception counts as transient; a lost connection or a failing file system as infrastructure; an error of the
board that no repetition changes (a circle, an unknown name) as logic.
"""

from __future__ import annotations

import traceback
from typing import ClassVar

from slateboard.protocol.errors import SlateError, Unavailable
from slateboard.protocol.states import FailureClass

ERROR_CHARACTERS = 4_000
"""What is kept of an error's text."""


class Failure(Exception):
    """The work failed; `delay_seconds` overrides the back-off, `note` is for the attempt that follows."""

    failure_class: ClassVar[FailureClass] = FailureClass.TRANSIENT

    def __init__(self, message: str, *, delay_seconds: float | None = None, note: str | None = None) -> None:
        super().__init__(message)
        self.delay_seconds = delay_seconds
        self.note = note


class TransientFailure(Failure):
    """Something that passes: a rate limit, a model that answered nonsense."""


class InfrastructureFailure(Failure):
    """Something below the work is broken: a network, a disk, a service."""

    failure_class = FailureClass.INFRASTRUCTURE


class ValidationFailure(Failure):
    """The result does not hold; the next attempt reads the error in its briefing."""

    failure_class = FailureClass.VALIDATION


class LogicFailure(Failure):
    """Trying again cannot help: the item becomes a dead letter."""

    failure_class = FailureClass.LOGIC


class HandlerEnded(BaseException):
    """Ends a handler whose claim was given back by `block_on` or `release`.

    Not an `Exception`, so that `except Exception` in a handler does not swallow it. Should it be swallowed all the
    same, whatever the handler returns is dropped.
    """


class TurnPassed(HandlerEnded):
    """Ends a handler whose turn in a meeting is over without a word more: its claim ends as completed."""


def class_of(error: BaseException) -> FailureClass:
    """The failure class of what a handler raised."""
    if isinstance(error, Failure):
        return error.failure_class
    if isinstance(error, (Unavailable, OSError)):
        return FailureClass.INFRASTRUCTURE
    return FailureClass.LOGIC if isinstance(error, SlateError) else FailureClass.TRANSIENT


def text_of(error: BaseException) -> str:
    """The error as the board keeps it: what was said, and for an unforeseen one its kind and where it was raised."""
    if isinstance(error, (Failure, SlateError)):
        text = str(error) or type(error).__name__
    else:
        frames = traceback.extract_tb(error.__traceback__)
        where = f" ({frames[-1].filename}:{frames[-1].lineno} in {frames[-1].name})" if frames else ""
        text = f"{type(error).__name__}: {error}{where}"
    return text[:ERROR_CHARACTERS].replace("\0", "\\0")
