"""The kinds of error, and what each is to a door: the exit code of the command, the status of an HTTP answer.

One table for all doors. An error that is no `SlateError` is a bug of ours: exit code 1, status 500.
"""

from __future__ import annotations

from dataclasses import dataclass

from slateboard.protocol.errors import NotAuthenticated, SlateError

NOTHING_TO_DO = 3
"""The exit code that says: there is no work, and nothing is wrong."""
INTERRUPTED = 130
BROKEN_PIPE = 141


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """What one kind of error is to the doors."""

    exit_code: int
    http_status: int
    title: str


KINDS: dict[str, Kind] = {
    "error": Kind(exit_code=1, http_status=500, title="A bug of ours"),
    "invalid": Kind(exit_code=2, http_status=422, title="The request is wrong"),
    "not_found": Kind(exit_code=4, http_status=404, title="Nothing of that name is there"),
    "conflict": Kind(exit_code=5, http_status=409, title="The state of the board forbids it"),
    "denied": Kind(exit_code=6, http_status=403, title="The credential does not allow it"),
    "unavailable": Kind(exit_code=7, http_status=503, title="The database or the server cannot answer now"),
}


class Bug(SlateError):
    """Something that no code of ours expected."""


def known(error: BaseException) -> SlateError:
    """The error itself, or the bug that an unexpected exception is, as every door shows it."""
    if isinstance(error, SlateError):
        return error
    return Bug(
        f"something unexpected happened: {type(error).__name__}: {error}",
        remedy="please report it, with the steps that led there; SLATE_LOG_LEVEL=debug shows where it came from",
    )


def exit_code(error: SlateError) -> int:
    """The exit code of a command that ends with this error."""
    return KINDS[error.kind].exit_code


def http_status(error: SlateError) -> int:
    """The status of an HTTP answer; 401 where the credential is missing or no longer good."""
    return 401 if isinstance(error, NotAuthenticated) else KINDS[error.kind].http_status
