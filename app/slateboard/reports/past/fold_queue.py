"""How the events of artifacts and work items change a board's folded state: the life of an item, event by event.

The rules for where an item goes next are those of `work/place.sql`: behind its gate while a counted blocker is
unfinished, else `scheduled` while its `run_at` is to come, else `ready`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slateboard.protocol.events import Subject
from slateboard.protocol.states import ItemKind
from slateboard.protocol.usage import MOST_TOKENS, TOKENS
from slateboard.reports.past.fold import moment

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from slateboard.reports.past.fold import Entry, Row, State

    Handler = Callable[[State, dict[str, Any], Entry], None]

AMENDED = ("title", "brief", "path", "owner", "capability")
CLASS_OF_END = {"interrupted": "poison", "released": "no_progress"}
"""Of a dead letter whose last attempt did not fail; older events do not name it."""
MOVING = frozenset(("owner", "capability", "priority", "due", "run_at"))


def move(state: State, item: int, place: str) -> None:
    """The item stands there now."""
    state.tables["places"][item] = {"item": item, "place": place}


def stand(state: State, item: int, at: datetime) -> None:
    """Place an item that nothing but time can hold."""
    run_at = state.tables["work_items"][item]["run_at"]
    move(state, item, "scheduled" if run_at is not None and run_at > at else "ready")


def _place_of(state: State, item: int) -> str | None:
    row = state.tables["places"].get(item)
    return None if row is None else row["place"]


def new_item(state: State, row: Row, entry: Entry) -> None:
    """An item with these columns, the others as they are at first; it has no place yet."""
    state.put("work_items", {
        "kind": "produce", "revision": 0, "attempts": 0, "failures": 0, "interruptions": 0, "max_attempts": 4,
        "correlation": entry.correlation, "depth": entry.depth, "created_at": entry.happened_at, **row,
    })  # fmt: skip


def _posted(state: State, payload: dict[str, Any], entry: Entry) -> None:
    """What most of a long log is about: so its rows are written out, in the order of `COLUMNS`."""
    item: int = payload["artifact"]
    get, at, imported, reference = payload.get, entry.happened_at, payload["imported"], payload["reference"]
    task, _, name = reference.partition("/")
    state.tables["artifacts"][item] = {
        "id": item, "task": state.task_ids[task], "name": name, "title": get("title"), "brief": get("brief", ""),
        "owner": payload["owner"], "capability": get("capability"), "path": get("path"), "newest_item": item,
        "rules": get("rules"),
        "stale_at": None, "stale_because": None, "created_by": entry.actor, "created_at": at,
    }  # fmt: skip
    state.tables["work_items"][item] = {
        "id": item, "kind": "produce", "artifact": item, "revision": 0, "reference": reference,
        "inbox": get("inbox", payload["owner"]), "base_rating": payload["rating"], "pinned_rating": None,
        "due": moment(get("due")), "run_at": moment(get("run_at")), "attempts": 0, "failures": 0, "interruptions": 0,
        "max_attempts": get("max_attempts", 4), "outcome": "done" if imported else None,
        "finished_at": at if imported else None, "correlation": entry.correlation, "depth": entry.depth,
        "last_error": None, "created_at": at,
    }  # fmt: skip
    for blocker in payload["blocked_by"]:
        state.add_edge(blocker, item, by=entry.actor, at=entry.happened_at)
    if imported:
        move(state, item, "done")
        _discount(state, item, entry.happened_at)
    elif state.remaining(item):
        move(state, item, "gated")
    else:
        stand(state, item, entry.happened_at)


def _discount(state: State, item: int, at: datetime) -> None:
    """What was posted together with an imported result, and told of before it, never waited for it."""
    for dependent in state.dependents.get(item, ()):
        state.tables["dependencies"][item, dependent]["counted"] = False
        if _place_of(state, dependent) == "gated" and not state.remaining(dependent):
            stand(state, dependent, at)


def _changed(state: State, payload: dict[str, Any], entry: Entry) -> None:
    given = payload["artifact"]
    artifact, item = state.tables["artifacts"][given["artifact"]], given["item"]
    for name in AMENDED:
        artifact[name] = given[name]
    row = state.tables["work_items"][item]
    if row["outcome"] is not None:
        return
    row["inbox"] = given["inbox"]
    row["base_rating"], row["max_attempts"] = given["rating"], given["max_attempts"]
    row["due"], row["run_at"] = moment(given["due"]), moment(given["run_at"])
    if MOVING & set(payload["changed"]) and _place_of(state, item) in {"ready", "scheduled"}:
        stand(state, item, entry.happened_at)


def _imported(state: State, payload: dict[str, Any], entry: Entry) -> None:
    artifact = payload["artifact"]
    version = {**payload, "size": payload["size_bytes"], "author": entry.actor, "created_at": entry.happened_at}
    state.put("artifact_versions", {**version, "item": None, "fence": None})
    item = state.tables["artifacts"][artifact]["newest_item"]
    if state.tables["work_items"][item]["outcome"] is None:
        end(state, item, "done", entry.happened_at)


def _revised(state: State, payload: dict[str, Any], entry: Entry) -> None:
    artifact, item = state.tables["artifacts"][payload["artifact"]], payload["item"]
    before = state.tables["work_items"][artifact["newest_item"]]
    kept = {name: before[name] for name in ("kind", "artifact", "reference", "inbox", "base_rating", "max_attempts")}
    new_item(state, {**kept, "id": item, "revision": payload["revision"]}, entry)
    artifact["newest_item"] = item
    move(state, item, "ready")


def _depended(state: State, payload: dict[str, Any], entry: Entry) -> None:
    item = payload["item"]
    counted = [state.add_edge(one, item, by=entry.actor, at=entry.happened_at) for one in payload["blockers"]]
    if any(counted):
        move(state, item, "gated")


def _claimed(state: State, payload: dict[str, Any], entry: Entry) -> None:
    worker, agent, leases = payload["worker"], payload["agent"], state.tables["leases"]
    for item, fence, attempt in payload["items"]:
        if item not in state.tables["work_items"]:
            continue
        leases[item] = {
            "item": item, "fence": fence, "agent": agent, "worker": worker, "attempt": attempt,
            "claimed_at": entry.happened_at, "cause": entry.id, "stalled_at": None,
        }  # fmt: skip
        move(state, item, "claimed")


def end_attempt(state: State, item: int, outcome: str, given: Row, at: datetime) -> Row:
    """Keep the attempt of a lease that ends, made from the claim's event and this one; returns the lease."""
    lease = state.tables["leases"].pop(item)
    key, failure = (item, lease["fence"]), given.get("class")
    state.tables["attempts"][key] = {
        "item": item, "fence": lease["fence"], "attempt": lease["attempt"], "agent": lease["agent"],
        "worker": lease["worker"], "outcome": outcome,
        "class": None if failure == CLASS_OF_END.get(outcome) else failure, "error": given.get("error"),
        "note": given.get("note"), "usage": given.get("usage"), "started_at": lease["claimed_at"], "ended_at": at,
    }  # fmt: skip
    if given.get("usage") is not None:
        book(state, lease, given["usage"], at)
    return lease


def book(state: State, lease: Row, usage: Row, at: datetime) -> None:
    """What the end of an attempt says that it used: number 0 of its fence."""
    work = state.tables["work_items"][lease["item"]]
    artifact = state.tables["artifacts"].get(work.get("artifact"))
    state.put("usage_ledger", {
        "fence": lease["fence"], "number": 0, "item": lease["item"], "agent": lease["agent"],
        "task": None if artifact is None else artifact["task"], "reported_at": at,
        "model": usage["model"] if isinstance(usage.get("model"), str) else None,
        **{name: round(usage_number(usage, name)) for name in TOKENS}, "cost": usage_number(usage, "cost"),
    })  # fmt: skip


def usage_number(usage: Row, name: str) -> float:
    """What counts of what was said, as `work/usage.sql` has it: before the ledger, anything might be said."""
    value: Any = usage.get(name)
    return float(min(max(value, 0), MOST_TOKENS)) if type(value) in {int, float} else 0.0


def end(state: State, item: int, outcome: str, at: datetime) -> Row:
    """The item is done, dead or cancelled; returns its row."""
    row = state.tables["work_items"][item]
    row["outcome"], row["finished_at"] = outcome, at
    move(state, item, outcome)
    return row


def _completed(state: State, payload: dict[str, Any], entry: Entry) -> None:
    item, at = payload["item"], entry.happened_at
    row = end(state, item, "done", at)
    artifact = payload.get("artifact")
    if "verification" in payload:  # its attempt ended, and its version was told of, when the verdict was asked for
        _refreshed(state, row)
        return
    lease = end_attempt(state, item, "completed", payload, at)
    row["attempts"] = lease["attempt"]
    if "evidence" in payload or "undo" in payload:  # by the hook of its kind, which gives the claim up
        row["run_at"] = None
    if artifact is None:
        return
    state.tables["artifact_versions"][artifact, payload["version"]] = {
        "artifact": artifact, "version": payload["version"], "item": item, "fence": lease["fence"],
        "author": entry.actor, "path": payload.get("path"), "uri": payload.get("uri"), "hash": payload.get("hash"),
        "size": payload.get("size"), "summary": payload.get("summary"), "evidence": payload.get("evidence"),
        "undo": payload.get("undo"), "created_at": at,
    }  # fmt: skip
    _refreshed(state, row)


def _refreshed(state: State, row: Row) -> None:
    """What a revision made is not stale."""
    if row["revision"]:
        made = state.tables["artifacts"][row["artifact"]]
        made["stale_at"] = made["stale_because"] = None


def _given_back(state: State, payload: dict[str, Any], entry: Entry) -> None:
    """Failed, released, interrupted, returned or died: the event says which, and how the item stands after it."""
    item, outcome, at = payload["item"], payload["outcome"], entry.happened_at
    row = state.tables["work_items"][item]
    if outcome == "returned":
        state.tables["leases"].pop(item)
    else:
        row["attempts"] = end_attempt(state, item, outcome, payload, at)["attempt"]
    row["failures"], row["interruptions"] = payload["failures"], payload["interruptions"]
    row["last_error"] = payload["error"] if payload["error"] is not None else row["last_error"]
    row["run_at"] = moment(payload["run_at"])
    if not entry.subject.endswith(".died"):
        stand(state, item, at)
        return
    end(state, item, "dead", at)
    state.put("dead_letters", {
        **payload, "class": CLASS_OF_END.get(outcome, payload["class"]), "died_at": at,
    })  # fmt: skip


def _blocked(state: State, payload: dict[str, Any], entry: Entry) -> None:
    item = payload["item"]
    for blocker in payload["on"]:
        state.add_edge(blocker, item, by=entry.actor, at=entry.happened_at)
    row = state.tables["work_items"][item]
    row["attempts"] = end_attempt(state, item, "blocked", payload, entry.happened_at)["attempt"]
    row["run_at"] = None
    move(state, item, payload["place"])


def _waits(state: State, payload: dict[str, Any], entry: Entry) -> None:
    """A claim that is given back until an event comes, or its time is over: `opened` tells of that."""
    item = payload["item"]
    row = state.tables["work_items"][item]
    row["attempts"] = end_attempt(state, item, "blocked", payload, entry.happened_at)["attempt"]
    row["run_at"] = None
    state.waiting.add(item)
    move(state, item, "gated")


def _delivered(state: State, payload: dict[str, Any], entry: Entry) -> None:
    numbers = [item for item, _ in payload["items"]]
    correlations = payload.get("correlations") or [entry.correlation] * len(numbers)
    for item, depth, correlation in zip(numbers, payload["depths"], correlations, strict=True):
        new_item(state, {
            "id": item, "kind": "handle", "reference": payload["reference"], "inbox": payload["agent"],
            "base_rating": payload["base_rating"], "depth": depth, "correlation": correlation,
        }, entry)  # fmt: skip
        move(state, item, "ready")
    for item, blocker, _ in payload.get("edges", ()):
        before = state.tables["work_items"][blocker]["outcome"]
        if before in {None, "dead"} and state.add_edge(blocker, item, by="system", at=entry.happened_at):
            move(state, item, "gated")


def _died(state: State, payload: dict[str, Any], entry: Entry) -> None:
    """After an attempt, or (without an outcome) since it ran away, or nobody answered; a question is overdue then."""
    question = state.tables["escalations"].get(payload["item"])
    if question is not None and question["answered_at"] is None:
        question["deadline"] = min(question["deadline"], entry.happened_at)
    if "outcome" in payload:
        _given_back(state, payload, entry)
        return
    item = payload["item"]
    row = end(state, item, "dead", entry.happened_at)
    row["last_error"], row["correlation"], row["depth"] = payload["error"], entry.correlation, entry.depth
    state.put("dead_letters", {**payload, "died_at": entry.happened_at})


def _cancelled(state: State, payload: dict[str, Any], entry: Entry) -> None:
    item = payload["item"]
    if item in state.tables["leases"]:
        end_attempt(state, item, "cancelled", {}, entry.happened_at)
    state.tables["dead_letters"].pop(item, None)
    state.tables["waiting"].pop(item, None)
    state.tables["holds"].pop(item, None)
    state.waiting.discard(item)
    end(state, item, "cancelled", entry.happened_at)
    asked = state.tables["escalations"].get(item)
    if asked is not None and asked["answered_at"] is None:
        asked.update(answered_by="withdrawn", answered_at=entry.happened_at)


def _redriven(state: State, payload: dict[str, Any], _entry: Entry) -> None:
    item = payload["item"]
    state.tables["dead_letters"].pop(item, None)
    state.tables["work_items"][item].update(outcome=None, finished_at=None, failures=0, interruptions=0, run_at=None)
    move(state, item, "ready")


def _pinned(state: State, payload: dict[str, Any], entry: Entry) -> None:
    item = payload["item"]
    state.tables["work_items"][item]["pinned_rating"] = payload["rating"]
    state.overrule(item, payload, entry)
    if _place_of(state, item) == "ready":
        stand(state, item, entry.happened_at)


def _opened(state: State, payload: dict[str, Any], entry: Entry) -> None:
    for item in payload["items"]:
        state.waiting.discard(item)
        stand(state, item, entry.happened_at)


def _stalled(state: State, payload: dict[str, Any], entry: Entry) -> None:
    state.tables["leases"][payload["item"]]["stalled_at"] = entry.happened_at


def _waived(state: State, payload: dict[str, Any], _entry: Entry) -> None:
    state.waived.update(payload["items"])
    waiting = state.tables["waiting"]
    for item in payload["items"]:
        for one in state.dependents.get(item, ()):
            if one in waiting and waiting[one]["on_item"] == item:
                del waiting[one]


# Of an item under `board.item.…`, of a delivery under `board.delivery.…`.
LIFE: dict[Subject, Handler] = {
    Subject.ITEM_FAILED: _given_back,
    Subject.ITEM_RELEASED: _given_back,
    Subject.ITEM_RETURNED: _given_back,
    Subject.ITEM_INTERRUPTED: _given_back,
    Subject.ITEM_DIED: _died,
    Subject.ITEM_BLOCKED: _blocked,
    Subject.ITEM_WAITING: _waits,
    Subject.ITEM_CANCELLED: _cancelled,
    Subject.ITEM_DISCARDED: _cancelled,
    Subject.ITEM_REDRIVEN: _redriven,
    Subject.ITEM_PINNED: _pinned,
    Subject.ITEM_STALLED: _stalled,
}

QUEUE_HANDLERS: dict[str, Handler] = {
    **{subject.of(kind).value: handler for subject, handler in LIFE.items() for kind in ItemKind},
    Subject.ARTIFACT_POSTED.value: _posted,
    Subject.ARTIFACT_CHANGED.value: _changed,
    Subject.ARTIFACT_COMPLETED.value: _completed,
    Subject.ARTIFACT_IMPORTED.value: _imported,
    Subject.ARTIFACT_REVISED.value: _revised,
    Subject.DEPENDENCY_ADDED.value: _depended,
    Subject.ITEM_CLAIMED.value: _claimed,
    Subject.ITEM_OPENED.value: _opened,
    Subject.ITEM_PROMOTED.value: _opened,
    Subject.ITEM_WAIVED.value: _waived,
    Subject.DELIVERY_MADE.value: _delivered,
    Subject.DELIVERY_COMPLETED.value: _completed,
}
