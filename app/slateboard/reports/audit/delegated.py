"""Delegations as the log tells of them: who gave which task to whom, when it was acknowledged, and what became of it.

Pure, a part of the fold. Each time that a task is given to somebody is a row of its own; the newest row of a task is
what the live table has of it. Tasks and agents stand in the rows by number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    Event = Mapping[str, Any]
    Payload = Mapping[str, Any]
    Row = dict[str, Any]


class Delegations:
    """What was read so far; `names` are the references of the tasks that the log named."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.names: dict[int, str] = {}
        self._newest: dict[int, Row] = {}
        self._known: dict[int, tuple[int | None, int | None]] = {}

    def add(self, verb: str, event: Event, payload: Payload) -> None:
        """Take the next event of a task."""
        if verb == "posted":
            task = payload["task"]
            if "on_no_ack" in task:
                self.names[task["id"]] = payload["reference"]
                self._give(task["id"], task["agent"], task["delegator"], event)
            elif task["delegator"] is not None:
                self._known[task["id"]] = (task["agent"], task["delegator"])
        elif verb == "changed" and payload.get("delegated"):
            number = payload["task"]["id"]
            self.names.setdefault(number, payload["reference"])
            self._give(number, payload["task"]["agent"], self._delegator(number), event, "reassigned")
        elif verb == "acknowledged":
            for number in payload["tasks"]:
                self._settle(number, "acknowledged", event, payload)
        elif verb in {"declined", "unanswered"}:
            self.names.setdefault(payload["task"], payload["reference"])
            row = self._settle(payload["task"], verb, event, payload)
            if verb == "declined":
                row.update(then="returned", to=payload["to"], ended_by=event["actor"], ended_at=event["happened_at"])
                self._known[payload["task"]] = (payload["to"], self._delegator(payload["task"]))
        elif verb == "reassigned":
            number = payload["task"]
            self.names.setdefault(number, payload["reference"])
            self._give(number, payload["agent"], self._delegator(number), event, "reassigned", payload["reason"])

    def removed(self, event: Event, payload: Payload) -> None:
        """An agent went: what it did, and what it delegated, goes on with somebody else."""
        to, does, gave = payload["to"], set(payload["tasks"]), set(payload["delegated"])
        reason = payload["reason"] or f"{payload['name']} was removed"
        for number in sorted(does | gave):
            agent, delegator = self._known.get(number, (None, None))
            agent, delegator = to if number in does else agent, to if number in gave else delegator
            self._give(number, agent, delegator, event, "handed on", reason)

    def _delegator(self, number: int) -> int | None:
        """Who delegated a task; None for one that was posted before the range, or by nobody on the board."""
        return self._known.get(number, (None, None))[1]

    def _give(
        self,
        number: int,
        agent: int | None,
        delegator: int | None,
        event: Event,
        then: str | None = None,
        reason: str | None = None,
    ) -> None:
        """A task is somebody's from now on; what was said of it before ends with `then`."""
        before = self._newest.pop(number, None)
        if before is not None and before["then"] is None:
            before.update(then=then, to=agent, ended_by=event["actor"], ended_at=event["happened_at"], because=reason)
        earlier = number not in self._known
        self._known[number] = (agent, delegator)
        if agent is None or agent == delegator or (delegator is None and not earlier):
            return
        row = self._row(number, event)
        row.update(delegator=delegator, agent=agent, by=event["actor"], delegated_at=event["happened_at"])

    def _settle(self, number: int, state: str, event: Event, payload: Payload) -> Row:
        """An agent was heard of, gave it back, or was silent for too long."""
        row = self._newest.get(number)
        if row is None:  # given before the range
            row = self._row(number, event)
            row.update(delegator=payload.get("delegator"), agent=payload["agent"])
        row.update(state=state, settled_at=event["happened_at"], reason=payload.get("reason"))
        return row

    def _row(self, number: int, event: Event) -> Row:
        row = self._newest[number] = {
            "position": event["position"], "correlation": event["correlation"], "task": number, "delegator": None,
            "agent": None, "by": None, "delegated_at": None, "state": "pending", "settled_at": None, "reason": None,
            "then": None, "to": None, "ended_by": None, "ended_at": None, "because": None,
        }  # fmt: skip
        self.rows.append(row)
        return row

    def tasks(self) -> Iterable[int]:
        """The tasks that somebody was given."""
        return {row["task"] for row in self.rows}
