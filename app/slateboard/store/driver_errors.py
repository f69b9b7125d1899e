"""What the driver raises, as domain errors: constraints by their names, Postgres's states by their codes."""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from slateboard.protocol.errors import (
    BadName,
    BoardArchived,
    BreakerOpen,
    Conflict,
    DatabaseBusy,
    DatabaseFull,
    DatabaseTooOld,
    DatabaseUnreachable,
    DuplicateName,
    Invalid,
    Paused,
    SchemaMismatch,
    ServerProblem,
    SlateError,
    SubjectDecided,
    TooLarge,
    UnknownName,
    VersionConflict,
    WrongState,
)

if TYPE_CHECKING:
    from collections.abc import Generator

# Each named constraint, and the error that a user sees when it refuses a row.
CONSTRAINTS: dict[str, tuple[type[SlateError], str, str]] = {
    "boards_name_key": (DuplicateName, "a board of this name exists already", "choose another name"),
    "boards_name_check": (BadName, "a board's name must be a name", "use [a-z0-9][a-z0-9_-]{0,62}"),
    "boards_prefix_check": (BadName, "a board's prefix must be a name", "use [a-z0-9][a-z0-9_-]{0,62}"),
    "agents_board_name_key": (DuplicateName, "an agent of this name exists on the board", "choose another name"),
    "agents_name_check": (BadName, "an agent's name must be a name", "use [a-z0-9][a-z0-9_-]{0,62}"),
    "agents_kind_check": (Invalid, "an agent's kind is agent, human or service", "use one of them"),
    "agents_grant_check": (Invalid, "a right is reader, agent, operator or admin", "use one of them"),
    "agents_board_fkey": (UnknownName, "there is no such board", "see `slate get boards`"),
    "tasks_board_name_key": (DuplicateName, "a task of this name exists on the board", "choose another name"),
    "tasks_name_check": (BadName, "a task's name must be a name", "use [a-z0-9][a-z0-9_-]{0,62}"),
    "tasks_priority_check": (Invalid, "a priority is urgent, high, medium or low", "use one of them"),
    "artifacts_board_task_name_key": (DuplicateName, "the task has an artifact of this name", "choose another name"),
    "artifacts_name_check": (BadName, "an artifact's name must be a name", "use [a-z0-9][a-z0-9_-]{0,62}"),
    "artifact_versions_pkey": (VersionConflict, "somebody else made this version", "read the artifact again"),
    "artifact_versions_content_at_most_1_mib_check": (
        TooLarge,
        "inline content is limited to 1 MiB",
        "write a file and give its path",
    ),
    "decisions_one_accepted_key": (
        SubjectDecided,
        "an accepted decision for this subject exists already",
        "supersede it (`--supersedes SUBJECT`), or choose another subject",
    ),
    "dependencies_not_itself_check": (Invalid, "an artifact cannot be blocked by itself", "name another blocker"),
    "leases_lease_seconds_check": (Invalid, "a lease lasts more than 0 s and at most 24 h", "choose another length"),
    "leases_percent_check": (Invalid, "progress is 0 to 100 percent", "give a number in that range"),
    "work_items_max_attempts_check": (Invalid, "max_attempts is 1 to 100", "give a number in that range"),
}

TAKEN = re.compile(r"=\((?:.*, )?(?P<name>[^,]+)\) already exists")
"""The name in what Postgres says of a unique key: the last column of those above."""

MISFIT = "`slate doctor` says what the schema lacks; run `slate migrate`"
"""A table, column or function that is not there: the schema is not the one of this code."""

STATES: dict[str, tuple[type[SlateError], str]] = {
    "53100": (DatabaseFull, "free space on the database's disk; nothing was written"),
    "53200": (DatabaseBusy, "the database is out of memory; ask again later"),
    "53300": (DatabaseBusy, "too many connections; lower SLATE_POOL_SIZE or raise max_connections"),
    "55P03": (DatabaseBusy, "somebody holds the lock; ask again"),
    "57014": (DatabaseBusy, "the statement took too long; ask for less, or raise SLATE_STATEMENT_TIMEOUT_SECONDS"),
    "57P01": (DatabaseUnreachable, "Postgres is stopping; try again"),
    "57P02": (DatabaseUnreachable, "Postgres crashed and restarts; try again"),
    "57P03": (DatabaseUnreachable, "Postgres is starting; try again"),
    "28P01": (DatabaseUnreachable, "check the user and password of SLATE_DATABASE_URL"),
    "28000": (DatabaseUnreachable, "check the user and pg_hba.conf of SLATE_DATABASE_URL"),
    "3D000": (DatabaseUnreachable, "create the database, or correct SLATE_DATABASE_URL"),
    "42P01": (SchemaMismatch, MISFIT),
    "42703": (SchemaMismatch, MISFIT),
    "42883": (SchemaMismatch, MISFIT),
    "22023": (SchemaMismatch, "run `slate migrate` as the schema's owner"),
    "42501": (ServerProblem, "grant the role slateboard_app to this user, or run `slate migrate` as the owner"),
    "SB003": (
        ServerProblem,
        "as a superuser: CREATE ROLE slateboard_app; GRANT slateboard_app TO the owner WITH ADMIN OPTION",
    ),
    "0A000": (DatabaseTooOld, "use Postgres 15 or newer"),
}


def translate(error: BaseException) -> BaseException:
    """The domain error for what asyncpg (or the socket) raised; anything unknown is returned as it is."""
    import asyncpg

    if isinstance(error, SlateError):
        return error
    if isinstance(error, asyncpg.PostgresError):
        return _of_postgres(error)
    if isinstance(error, (asyncpg.DataError, UnicodeError)):
        return Invalid(f"a value cannot be stored: {error}", remedy="correct it; nothing was changed")
    if isinstance(error, asyncpg.InterfaceError):
        if "closed" in str(error) or "released" in str(error) or "another operation" in str(error):
            return DatabaseUnreachable(f"the database connection was lost: {error}", remedy="try again")
        return error
    if isinstance(error, (ConnectionError, OSError, TimeoutError)):
        message = f"the database cannot be reached: {error or type(error).__name__}"
        return DatabaseUnreachable(message, remedy="start it with `slate up`, or correct SLATE_DATABASE_URL")
    return error


def _of_postgres(error: Any) -> BaseException:
    state: str = error.sqlstate or ""
    constraint: str | None = getattr(error, "constraint_name", None)
    if constraint in CONSTRAINTS:
        kind, message, remedy = CONSTRAINTS[constraint]
        taken = TAKEN.search(error.detail or "")
        if taken:
            return kind(f"{message}: {taken['name']!r}", remedy=remedy, name=taken["name"])
        return kind(message, remedy=remedy)
    if state == "SB001":
        return Paused(str(error), remedy="resume it with `slate resume`, raise the budget, or wait")
    if state == "SB002":
        return Conflict(str(error), remedy="append a new entry instead")
    if state == "SB004":
        return WrongState(str(error), remedy="name another blocker")
    if state == "SB005":
        return BoardArchived(str(error), remedy="an administrator opens it again with `slate board unarchive`")
    if state == "SB006":
        return UnknownName(str(error), remedy="see `slate board deleted`")
    if state == "SB007":
        return _breaker_open(error)
    if state == "SB008":
        return UnknownName(str(error), remedy="name another agent")
    if state in STATES:
        kind, remedy = STATES[state]
        return kind(f"the database says: {error}", remedy=remedy)
    if state[:2] == "08":
        return DatabaseUnreachable(f"the database connection was lost: {error}", remedy="try again")
    if state in {"22P05", "22021"}:
        return Invalid(f"the text cannot be stored: {error}", remedy="remove NUL and invalid characters")
    if state[:2] in {"22", "23"}:
        return Invalid(f"a value cannot be stored: {error}", remedy="correct it; nothing was changed")
    return error


def _breaker_open(error: Any) -> BreakerOpen:
    details = json.loads(error.detail)
    if details["probe"] is None:
        remedy = f"wait until {details['until']}, when one probe goes through, or `slate breaker close`"
    else:
        remedy = f"wait for the probe, item {details['probe']}: its outcome closes or reopens it"
    return BreakerOpen(error.message, remedy=remedy, **details)


def _was_cut_off(error: BaseException | None) -> bool:
    """Whether an error came up while the cancellation of this task was on its way."""
    task = asyncio.current_task()
    while task is not None and task.cancelling() and error is not None:
        if isinstance(error, asyncio.CancelledError):
            return True
        error = error.__cause__ or error.__context__
    return False


@contextmanager
def translating() -> Generator[None]:
    """Raise domain errors for what the driver raises inside.

    A statement that is cut off is cancelled in the database, too, and that may come so late that it ends the rollback
    instead: whoever cancelled the task is not told of that error, which some would answer by trying again.
    """
    try:
        yield
    except SlateError:
        raise
    except Exception as error:
        if _was_cut_off(error):
            raise asyncio.CancelledError from error
        domain = translate(error)
        if domain is error:
            raise
        raise domain from error
