"""The catalogue of what Slateboard can do: one entry for each action, the same words for every door.

A door translates its request into `perform(operation, arguments)` and translates the answer back. `perform` opens what
the action needs (a hot connection, a snapshot, a transaction), repeats lost races, and tells the notifier whom to wake
after the commit. Actions are named by import path, so that asking for work loads neither SQLAlchemy nor the manifests.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import import_module
from inspect import Parameter, signature
from typing import TYPE_CHECKING, Any, TypeVar

from slateboard.board.presence import noted
from slateboard.protocol.errors import DatabaseBusy, Denied, Invalid, UnknownName
from slateboard.protocol.rights import Actor, Right
from slateboard.transaction import REPEATS, Statement, Transaction, hot, reading, writing
from slateboard.work import hooks, leases

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from slateboard.protocol.names import BoardId
    from slateboard.store.database import Database
    from slateboard.transaction import Wake


Answer = TypeVar("Answer")


class Mode(StrEnum):
    """What an action works on."""

    HOT = "hot"
    READ = "read"
    WRITE = "write"
    LOOK_FIRST = "look first"
    """A change that looks before it begins, and may be one statement."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One entry: where the action is, what it works on, and the least right that it asks for."""

    action: str
    mode: Mode
    right: Right

    def load(self) -> Callable[..., Awaitable[Any]]:
        """The action itself."""
        return _load(self.action)


@cache
def _load(path: str) -> Callable[..., Awaitable[Any]]:
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)


READER, AGENT, OPERATOR, ADMIN = Right
HOT, READ, WRITE, LOOK_FIRST = Mode

OPERATIONS: dict[str, Operation] = {
    # the queue
    "claim": Operation("slateboard.work.claims:claim", HOT, AGENT),
    "claim_one": Operation("slateboard.work.claims:claim_one", HOT, AGENT),
    "has_work": Operation("slateboard.work.claims:has_work", HOT, READER),
    "heartbeat": Operation("slateboard.work.leases:renew", HOT, AGENT),
    "checkpoint": Operation("slateboard.work.leases:checkpoint", HOT, AGENT),
    "mine": Operation("slateboard.work.leases:mine", HOT, READER),
    "finish": Operation("slateboard.work.finish:finish", HOT, AGENT),
    "give_back": Operation("slateboard.work.finish:give_back", HOT, AGENT),
    "briefing": Operation("slateboard.work.briefing:briefing", HOT, READER),
    "explain": Operation("slateboard.work.ratings:explain", READ, READER),
    "post": Operation("slateboard.work.intake:post", LOOK_FIRST, AGENT),
    "depend": Operation("slateboard.work.gates:depend", WRITE, AGENT),
    "block_on": Operation("slateboard.work.gates:block_on", WRITE, AGENT),
    "revise": Operation("slateboard.work.revisions:revise", WRITE, AGENT),
    "cancel": Operation("slateboard.work.endings:cancel", WRITE, AGENT),
    "redrive": Operation("slateboard.work.dead_letters:redrive", WRITE, OPERATOR),
    "discard": Operation("slateboard.work.dead_letters:discard", WRITE, OPERATOR),
    "agenda": Operation("slateboard.work.agendas:agenda", READ, READER),
    "override": Operation("slateboard.work.agendas:override", WRITE, OPERATOR),
    "pin": Operation("slateboard.work.ratings:pin", WRITE, OPERATOR),
    # delegation
    "delegate": Operation("slateboard.patterns.delegation:delegate", WRITE, AGENT),
    "decline": Operation("slateboard.patterns.delegation:decline", WRITE, AGENT),
    "reassign": Operation("slateboard.patterns.delegation:reassign", WRITE, AGENT),
    "cancel_task": Operation("slateboard.patterns.delegation:cancel_task", WRITE, AGENT),
    "accountability": Operation("slateboard.reports.accountability:accountability", READ, READER),
    # waiting on people
    "ask": Operation("slateboard.patterns.escalations:ask", WRITE, AGENT),
    "answer": Operation("slateboard.patterns.escalations:answer", WRITE, AGENT),
    "list_escalations": Operation("slateboard.reports.escalations:escalations", READ, READER),
    # peers
    "consult": Operation("slateboard.patterns.peers.consults:consult", WRITE, AGENT),
    "request": Operation("slateboard.patterns.peers.requests:request", WRITE, AGENT),
    "notify": Operation("slateboard.patterns.peers.notices:notify", WRITE, AGENT),
    "reply": Operation("slateboard.patterns.peers.threads:reply", WRITE, AGENT),
    "acknowledge": Operation("slateboard.patterns.peers.threads:acknowledge", WRITE, AGENT),
    "list_threads": Operation("slateboard.patterns.peers.threads:list_threads", READ, READER),
    "show_thread": Operation("slateboard.patterns.peers.threads:show_thread", READ, READER),
    "list_routes": Operation("slateboard.patterns.peers.routes:list_routes", READ, READER),
    # verification
    "judge": Operation("slateboard.patterns.verdicts:judge", WRITE, AGENT),
    "list_verifications": Operation("slateboard.patterns.verification:list_verifications", READ, READER),
    # meetings
    "schedule_meeting": Operation("slateboard.patterns.meetings.schedule:schedule_meeting", WRITE, AGENT),
    "join_meeting": Operation("slateboard.patterns.meetings.gathering:join_meeting", WRITE, AGENT),
    "say": Operation("slateboard.patterns.meetings.speaking:say", WRITE, AGENT),
    "concern": Operation("slateboard.patterns.meetings.speaking:concern", WRITE, AGENT),
    "settle_concern": Operation("slateboard.patterns.meetings.speaking:settle_concern", WRITE, AGENT),
    "propose": Operation("slateboard.patterns.meetings.speaking:propose", WRITE, AGENT),
    "vote": Operation("slateboard.patterns.meetings.voting:vote", WRITE, AGENT),
    "pass_turn": Operation("slateboard.patterns.meetings.speaking:pass_turn", WRITE, AGENT),
    "adjourn_meeting": Operation("slateboard.patterns.meetings.schedule:adjourn_meeting", WRITE, AGENT),
    "list_meetings": Operation("slateboard.patterns.meetings.minutes:list_meetings", READ, READER),
    "minutes": Operation("slateboard.patterns.meetings.minutes:minutes", READ, READER),
    # circuit breakers
    "list_breakers": Operation("slateboard.work.breakers:list_breakers", READ, READER),
    "show_breaker": Operation("slateboard.work.breakers:show_breaker", READ, READER),
    "open_breaker": Operation("slateboard.work.breakers:open_breaker", WRITE, OPERATOR),
    "close_breaker": Operation("slateboard.work.breakers:close_breaker", WRITE, OPERATOR),
    "reset_breaker": Operation("slateboard.work.breakers:reset_breaker", WRITE, OPERATOR),
    # compensation
    "compensate": Operation("slateboard.patterns.compensation:compensate", WRITE, OPERATOR),
    "list_compensations": Operation("slateboard.patterns.steps:list_compensations", READ, READER),
    # usage and budgets
    "report_usage": Operation("slateboard.work.usage:report_usage", WRITE, AGENT),
    "usage": Operation("slateboard.work.usage:usage", READ, READER),
    "set_budget": Operation("slateboard.patterns.spending:set_budget", WRITE, OPERATOR),
    "remove_budget": Operation("slateboard.work.budgets:remove_budget", WRITE, OPERATOR),
    "list_budgets": Operation("slateboard.work.budgets:list_budgets", READ, READER),
    "set_limit": Operation("slateboard.work.limits:set_limit", WRITE, OPERATOR),
    "remove_limit": Operation("slateboard.work.limits:remove_limit", WRITE, OPERATOR),
    "list_limits": Operation("slateboard.work.limits:list_limits", READ, READER),
    # the board
    "create_board": Operation("slateboard.board.boards:create", WRITE, ADMIN),
    "archive_board": Operation("slateboard.board.boards:archive", WRITE, ADMIN),
    "unarchive_board": Operation("slateboard.board.boards:unarchive", WRITE, ADMIN),
    "delete_board": Operation("slateboard.board.boards:delete", WRITE, ADMIN),
    "list_deleted_boards": Operation("slateboard.board.boards:list_deleted", READ, ADMIN),
    "pause": Operation("slateboard.board.boards:pause", WRITE, OPERATOR),
    "resume": Operation("slateboard.board.boards:resume", WRITE, OPERATOR),
    "add_agent": Operation("slateboard.board.agents:add", WRITE, ADMIN),
    "change_agent": Operation("slateboard.board.profiles:change_agent", WRITE, ADMIN),
    "remove_agent": Operation("slateboard.patterns.removal:remove_agent", WRITE, ADMIN),
    "find_agents": Operation("slateboard.reports.directory:find_agents", READ, READER),
    "attend": Operation("slateboard.board.presence:attend", HOT, AGENT),
    "issue_token": Operation("slateboard.board.agents:issue_token", WRITE, ADMIN),
    "rotate_token": Operation("slateboard.board.agents:rotate_token", WRITE, ADMIN),
    "revoke_token": Operation("slateboard.board.agents:revoke_token", WRITE, ADMIN),
    "decide": Operation("slateboard.board.decisions:decide", WRITE, AGENT),
    # the log
    "read_log": Operation("slateboard.log.feed:read", HOT, READER),
    "log_head": Operation("slateboard.log.feed:head", HOT, READER),
    "as_of": Operation("slateboard.reports.past.as_of:as_of", READ, READER),
    # the choreography
    "publish": Operation("slateboard.patterns.publishing:publish", WRITE, AGENT),
    "wait_for": Operation("slateboard.patterns.waits:wait_for", WRITE, AGENT),
    "show_event": Operation("slateboard.patterns.tracing:show_event", READ, READER),
    "chain": Operation("slateboard.patterns.tracing:chain", READ, READER),
    "schedule": Operation("slateboard.patterns.schedules:schedule", WRITE, OPERATOR),
    "unschedule": Operation("slateboard.patterns.schedules:unschedule", WRITE, OPERATOR),
    "list_schedules": Operation("slateboard.patterns.schedules:list_schedules", READ, READER),
    "subscribe": Operation("slateboard.patterns.subscriptions:subscribe", WRITE, AGENT),
    "change_subscription": Operation("slateboard.patterns.subscriptions:change_subscription", WRITE, AGENT),
    "unsubscribe": Operation("slateboard.patterns.subscriptions:unsubscribe", WRITE, AGENT),
    "pause_subscription": Operation("slateboard.patterns.subscriptions:pause_subscription", WRITE, AGENT),
    "resume_subscription": Operation("slateboard.patterns.subscriptions:resume_subscription", WRITE, AGENT),
    "rewind_subscription": Operation("slateboard.patterns.subscriptions:rewind_subscription", WRITE, AGENT),
    "list_subscriptions": Operation("slateboard.patterns.subscriptions:list_subscriptions", READ, READER),
    # questions across the whole
    "list_boards": Operation("slateboard.reports.listings:boards", READ, READER),
    "list_agents": Operation("slateboard.reports.listings:agents", READ, READER),
    "list_tokens": Operation("slateboard.reports.listings:tokens", READ, ADMIN),
    "list_tasks": Operation("slateboard.reports.listings:tasks", READ, READER),
    "list_artifacts": Operation("slateboard.reports.artifacts:artifacts", READ, READER),
    "list_items": Operation("slateboard.reports.items:items", READ, READER),
    "list_decisions": Operation("slateboard.reports.listings:decisions", READ, READER),
    "list_dead_letters": Operation("slateboard.reports.items:dead_letters", READ, READER),
    "list_attempts": Operation("slateboard.reports.history:attempts", READ, READER),
    "list_versions": Operation("slateboard.reports.history:versions", READ, READER),
    "list_dependencies": Operation("slateboard.reports.history:dependencies", READ, READER),
    "show": Operation("slateboard.reports.details:show", READ, READER),
    "why": Operation("slateboard.reports.why:why", READ, READER),
    "stuck": Operation("slateboard.reports.causes:stuck", READ, READER),
    "health": Operation("slateboard.reports.health:health", READ, READER),
    "doctor": Operation("slateboard.reports.doctor:doctor", READ, READER),
    "tree": Operation("slateboard.reports.tree:tree", READ, READER),
    "status": Operation("slateboard.reports.overview:status", READ, READER),
    "report_audit": Operation("slateboard.reports.audit.report:report_audit", READ, READER),
    "report_decisions": Operation("slateboard.reports.decision_records:report_decisions", READ, READER),
    "report_agents": Operation("slateboard.reports.audit.agents:report_agents", READ, READER),
    # the proof of the log
    "verify_log": Operation("slateboard.log.proof:verify", READ, READER),
    "export_log": Operation("slateboard.log.proof:export", READ, READER),
    "erase_event": Operation("slateboard.log.erasure:erase", WRITE, ADMIN),
    "record_key": Operation("slateboard.log.keys:record_key", WRITE, ADMIN),
    # declared boards
    "apply": Operation("slateboard.manifests.apply:apply", WRITE, AGENT),
}


hooks.HOOKS |= {
    "answer": "slateboard.patterns.escalations:finished",
    "compensate": "slateboard.patterns.compensation:finished",
    "meet": "slateboard.patterns.meetings.finishing:finished",
    "produce": "slateboard.patterns.verification:finished",
    "verify": "slateboard.patterns.verdicts:judged",
}


async def perform(
    database: Database,
    actor: Actor,
    board: BoardId,
    operation: str,
    arguments: Mapping[str, Any],
    *,
    wake: Wake | None = None,
    correlation: str | None = None,
    under: tuple[int, int] | None = None,
) -> Any:
    """Run one operation as `actor` on `board`; returns what the action returns. Unknown arguments are `Invalid`.

    `under` is the claim (item and fence) under which it is asked for: a change then belongs to that work's correlation,
    and is refused (`LeaseLost`) when the claim is gone.

    A lost race (a deadlock, a failed serialization) is repeated, three times in all; then `DatabaseBusy`.
    """
    if actor.board is not None and actor.board != board:
        raise Denied("the token belongs to another board", remedy="use a token of this board")
    entry = OPERATIONS.get(operation)
    if entry is None:
        raise UnknownName(f"there is no operation {operation!r}", remedy=f"one of: {', '.join(OPERATIONS)}")
    action = entry.load()
    _check_arguments(operation, action, arguments)

    async def once() -> Any:
        if entry.mode is HOT:
            async with hot(database, actor, board) as tx:
                return await action(tx, **arguments)
        if entry.mode is READ:
            async with reading(database, actor, board) as tx:
                return await action(tx, **arguments)
        return await _write(database, actor, board, entry, arguments, wake, correlation, under)

    answer = await repeated(operation, once)
    await noted.call_of(database, actor, board)
    return answer


async def repeated(what: str, once: Callable[[], Awaitable[Answer]]) -> Answer:
    """Do it, up to three times while it loses a deadlock or a serialization race; then `DatabaseBusy`."""
    from asyncpg import DeadlockDetectedError, SerializationError

    for attempt in range(1, REPEATS + 1):
        try:
            return await once()
        except (DeadlockDetectedError, SerializationError) as error:
            if attempt == REPEATS:
                raise DatabaseBusy(f"{what} lost a race {REPEATS} times", remedy="ask again") from error
    raise AssertionError


async def _write(
    database: Database,
    actor: Actor,
    board: BoardId,
    entry: Operation,
    arguments: Mapping[str, Any],
    wake: Wake | None,
    correlation: str | None,
    under: tuple[int, int] | None,
) -> Any:
    """Run a change, then wake whom it concerns."""
    looks_first = entry.mode is LOOK_FIRST
    async with writing(database, actor, board, correlation=correlation, looks_first=looks_first, wake=wake) as tx:
        if under:
            await leases.hold(tx, item=under[0], fence=under[1])
        return await entry.load()(tx, **arguments)


def _check_arguments(operation: str, action: Callable[..., Any], arguments: Mapping[str, Any]) -> None:
    """Name the argument that is unknown or missing, instead of a TypeError from deep below."""
    required = _parameters(action)
    for name in arguments:
        if name not in required:
            raise Invalid(f"{operation} takes no argument {name!r}", remedy=f"it takes: {', '.join(sorted(required))}")
    for name, needed in required.items():
        if needed and name not in arguments:
            raise Invalid(f"{operation} needs the argument {name!r}", remedy="give it")


@cache
def _parameters(action: Callable[..., Any]) -> dict[str, bool]:
    """The arguments of an action, each with whether it must be given."""
    return {one.name: one.default is Parameter.empty for one in list(signature(action).parameters.values())[1:]}


__all__ = ["OPERATIONS", "Mode", "Operation", "Statement", "Transaction", "perform"]
