"""Every error that a user can meet, one class each.

SlateError
├── NotFound      nothing of that name is there          exit 4   HTTP 404
├── Conflict      the state of the board forbids it      exit 5   HTTP 409
├── Denied        the credential does not allow it       exit 6   HTTP 403 (401 without one)
├── Invalid       the request itself is wrong            exit 2   HTTP 422
└── Unavailable   the database or server cannot answer   exit 7   HTTP 503

An error says what is wrong, why, and what to do next (`remedy`); `code` is stable and documented in
`docs/errors.md`; `details` are plain JSON values. Doors map the five kinds, never single codes.
"""

from __future__ import annotations

from typing import Any, ClassVar


class SlateError(Exception):
    """The root: `str(error)` is what is wrong and why; `remedy` is what to do next."""

    code: ClassVar[str] = "error"
    kind: ClassVar[str] = "error"

    def __init__(self, message: str, *, remedy: str = "", **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.details = details

    def as_dict(self) -> dict[str, Any]:
        """The error as plain JSON values: code, kind, message, remedy, details."""
        return {
            "code": self.code,
            "kind": self.kind,
            "message": self.message,
            "remedy": self.remedy,
            "details": self.details,
        }


class NotFound(SlateError):
    """Nothing of that name is there."""

    code = "not_found"
    kind = "not_found"


class Conflict(SlateError):
    """The state of the board forbids it."""

    code = "conflict"
    kind = "conflict"


class Denied(SlateError):
    """The credential does not allow it."""

    code = "denied"
    kind = "denied"


class Invalid(SlateError):
    """The request itself is wrong."""

    code = "invalid"
    kind = "invalid"


class Unavailable(SlateError):
    """The database or the server cannot answer now."""

    code = "unavailable"
    kind = "unavailable"


class UnknownName(NotFound):
    """A board, agent, task, artifact, item or decision that is not there."""

    code = "unknown_name"


class Archived(NotFound):
    """These events are in archives, and no longer in the database."""

    code = "archived"


class DuplicateName(Conflict):
    """The name is taken."""

    code = "duplicate_name"


class LeaseLost(Conflict):
    """The claim is gone: taken back, cancelled or finished by another; nothing was changed."""

    code = "lease_lost"


class FinishConflict(Conflict):
    """This claim was already finished, with other content."""

    code = "finish_conflict"


class VersionConflict(Conflict):
    """The artifact is at another version than the caller expected."""

    code = "version_conflict"


class EvidenceMissing(Invalid):
    """The artifact demands evidence that the result does not name; the claim is kept."""

    code = "evidence_missing"


class NoProgress(Conflict):
    """It went round too often without a result, or without a change; somebody must look at it."""

    code = "no_progress"


class DependencyCycle(Conflict):
    """The dependency would close a circle; the path is in the message."""

    code = "dependency_cycle"


class ManagerCircle(Conflict):
    """The manager would be managed, directly or not, by the agent itself; the circle is in the message."""

    code = "manager_circle"


class HasWork(Conflict):
    """The agent has unfinished work, and nobody was named to whom it goes."""

    code = "has_work"


class DelegationLoop(Conflict):
    """The agent stands in the chain of the task already; the chain is in the message."""

    code = "delegation_loop"


class ConsultLoop(Conflict):
    """Whoever is to be asked waits for the answer of the one that asks; the path is in the message."""

    code = "consult_loop"


class TooDeep(Conflict):
    """The task would be more than five delegations below the root of its tree."""

    code = "too_deep"


class AlreadyStarted(Conflict):
    """The item was started or finished, so its dependencies can no longer change."""

    code = "already_started"


class WrongState(Conflict):
    """The item is in a place from which this cannot be done."""

    code = "wrong_state"


class HasDependents(Conflict):
    """Others wait for this item; the caller must choose `cascade` or `waive`."""

    code = "has_dependents"


class SubjectDecided(Conflict):
    """An accepted decision for this subject exists already."""

    code = "subject_decided"


class TriedTooOften(Conflict):
    """A dead letter that was tried too often, over all its redrives, to be brought back again."""

    code = "tried_too_often"


class Paused(Conflict):
    """The agent, the board or everything is paused."""

    code = "paused"


class BreakerOpen(Conflict):
    """The agent's circuit breaker lets nothing through; `until` in `details` says when a probe may try."""

    code = "breaker_open"


class BoardArchived(Conflict):
    """The board is archived: it can be read, and not changed."""

    code = "board_archived"


class BrokenLog(Conflict):
    """The log does not prove: an entry was changed, or is missing; the first one is in the message."""

    code = "broken_log"


class WrongLog(Conflict):
    """A checkpoint, a signature or a file that belongs to another log."""

    code = "wrong_log"


class NotAuthenticated(Denied):
    """No credential, or one that is unknown, expired or revoked."""

    code = "not_authenticated"


class NotYours(Denied):
    """The item, the task or the word belongs to another agent."""

    code = "not_yours"


class NotAccepted(Denied):
    """The agent does not accept work from this delegator."""

    code = "not_accepted"


class NoChannel(Denied):
    """No route leads from this agent to whom it wants to ask or tell; the refusal stands in the log."""

    code = "no_channel"


class BadName(Invalid):
    """Names match `[a-z0-9][a-z0-9_-]{0,62}`."""

    code = "bad_name"


class BadSubject(Invalid):
    """A subject is tokens between dots; in a pattern `*` is one of them, and a final `>` the rest."""

    code = "bad_subject"


class BadCursor(Invalid):
    """A place in the log from which nobody can go on: beyond its end, or of another board."""

    code = "bad_cursor"


class BadManifest(Invalid):
    """A manifest that cannot be applied; file, line and column are in `details`."""

    code = "bad_manifest"


class BadExport(Invalid):
    """A file that is no export of a log, or no list of checkpoints; the line is in the message."""

    code = "bad_export"


class TooLarge(Invalid):
    """Over a stated limit."""

    code = "too_large"


class BadSetting(Invalid):
    """A setting that cannot be used; the message names it."""

    code = "bad_setting"


class BadHandler(Invalid):
    """A worker was given something that it cannot run."""

    code = "bad_handler"


class SlowReader(Unavailable):
    """A live reader took nothing while events waited for it, and was closed; it can go on from its last position."""

    code = "slow_reader"


class DatabaseUnreachable(Unavailable):
    """Postgres does not answer."""

    code = "database_unreachable"


class DatabaseFull(Unavailable):
    """The disk under Postgres is full; nothing was written."""

    code = "database_full"


class DatabaseBusy(Unavailable):
    """All connections are in use, or a statement ran out of its time."""

    code = "database_busy"


class DatabaseTooOld(Unavailable):
    """A Postgres older than 15, or a data folder of another major version."""

    code = "database_version"


class SchemaMismatch(Unavailable):
    """The schema is newer or older than this code can work with."""

    code = "schema_mismatch"


class ServerProblem(Unavailable):
    """The server or the embedded Postgres could not be started, stopped or found."""

    code = "server_problem"
