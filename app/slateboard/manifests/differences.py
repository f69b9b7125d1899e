"""What an apply does, thing by thing, as a reader wants it: where it is declared, and what of it is new or otherwise.

The same as the lists of the answer, told in the order of the files: the fields of what is new, what came into a list
and what left it, and the changed lines of a text. At most 1,000 things are told so; the lists have all.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import unified_diff
from itertools import groupby, islice
from typing import TYPE_CHECKING, Any, cast

from slateboard.manifests.circuit_breaker import BARE_NAME
from slateboard.manifests.export_page import length
from slateboard.protocol.states import DecisionStatus, Priority

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from slateboard.manifests.declarations import Declarations, DeclaredArtifact, DeclaredTask
    from slateboard.manifests.places import Place
    from slateboard.manifests.values import Moment

MAX_TOLD = 1_000
"""Things that are told one by one."""
MAX_TEXT = 1_000
"""Characters of a text of something new."""
MAX_LINES = 2_000
"""Lines of a text that is compared line by line."""
MAX_CHANGED_LINES = 200
"""Of one text."""
CONTEXT = 2
"""Lines around a change that are the same."""


@dataclass(frozen=True, slots=True)
class Done:
    """The lists of an answer."""

    created: Sequence[Mapping[str, Any]]
    changed: Sequence[Mapping[str, Any]]
    removed: Sequence[Mapping[str, Any]]


def told(declared: Declarations, done: Done, files: Sequence[str]) -> list[dict[str, Any]]:
    """`[{action, kind, reference, file, line, fields: [{field, from, to, added, removed, lines}]}]`.

    `action` is create, change or remove; what is removed stands in no file. `added` and `removed` are of a list, and
    `lines` of a text with several lines, as a unified diff; null where they do not apply.
    """
    known = _Known(declared)
    order = {name: number for number, name in enumerate(files)}
    found: list[tuple[tuple[int, int], dict[str, Any]]] = []
    for one in islice(done.created, MAX_TOLD):
        fields = [_field(name, None, value) for name, value in known.fields(one["kind"], one["reference"])]
        found.append(_entry("create", one, known, order, fields))
    things = groupby(done.changed, key=lambda one: (one["kind"], one["reference"]))
    for (kind, reference), changes in islice(things, MAX_TOLD):
        fields = [_field(one["field"], one["from"], one["to"]) for one in changes]
        found.append(_entry("change", {"kind": kind, "reference": reference}, known, order, fields))
    found += [_entry("remove", one, known, order, []) for one in islice(done.removed, MAX_TOLD)]
    return [entry for _, entry in sorted(found, key=lambda one: one[0])][:MAX_TOLD]


def _entry(
    action: str, one: Mapping[str, Any], known: _Known, order: Mapping[str, int], fields: list[dict[str, Any]]
) -> tuple[tuple[int, int], dict[str, Any]]:
    place = None if action == "remove" else known.place(one["kind"], one["reference"])
    file, line = (place.source.name, place.position[0]) if place else (None, None)
    entry = {"action": action, "kind": one["kind"], "reference": one["reference"], "file": file, "line": line}
    return (order.get(file or "", len(order)), line or 0), {**entry, "fields": fields}


def _field(name: str, old: Any, new: Any) -> dict[str, Any]:
    added = removed = lines = None
    if isinstance(old, list) and isinstance(new, list):
        before, after = cast("list[Any]", old), cast("list[Any]", new)
        added, removed = [one for one in after if one not in before], [one for one in before if one not in after]
    elif isinstance(old, str) and isinstance(new, str) and "\n" in old + new:
        lines = _changed_lines(old, new)
    return {"field": name, "from": old, "to": new, "added": added, "removed": removed, "lines": lines}


def _changed_lines(old: str, new: str) -> list[str] | None:
    """A unified diff without its head; None for texts that are too long for it."""
    if old.endswith("\n") and new.endswith("\n"):
        old, new = old[:-1], new[:-1]
    before, after = old.split("\n"), new.split("\n")
    if max(len(before), len(after)) > MAX_LINES:
        return None
    lines = list(islice(unified_diff(before, after, n=CONTEXT, lineterm=""), 2, MAX_CHANGED_LINES + 3))
    return lines if len(lines) <= MAX_CHANGED_LINES else [*lines[:MAX_CHANGED_LINES], "…"]


def _when(moment: Moment | None) -> str | None:
    """A time as it was declared: itself, or how long after the posting."""
    if moment is None or moment.after is None:
        return moment.time.isoformat() if moment is not None and moment.time is not None else None
    return length(moment.after.total_seconds())


class _Known:
    """What was declared, by the kinds and references of an answer."""

    def __init__(self, declared: Declarations) -> None:
        self._of: dict[str, Mapping[str, Any]] = {
            "agent": declared.profiles,
            "task": declared.tasks,
            "artifact": declared.artifacts,
            "decision": declared.decisions,
            "subscription": declared.subscriptions,
            "compensation": declared.compensations,
            "circuit breaker": {
                name or BARE_NAME: one for name, one in sorted(declared.breakers.items(), reverse=True)
            },
            "route": {one.reference: one for one in declared.routes.values()},
            "meeting": declared.meetings,
        }

    def place(self, kind: str, reference: str) -> Place | None:
        """Where it is declared."""
        one = self._of.get(kind, {}).get(reference)
        return one.place if one is not None else None

    def fields(self, kind: str, reference: str) -> Iterator[tuple[str, Any]]:
        """What is said of something new, but for what is so anyway."""
        one = self._of.get(kind, {}).get(reference)
        for name, value in self._said(kind, one).items() if one is not None else ():
            if isinstance(value, str) and len(value) > MAX_TEXT:
                yield name, f"{value[:MAX_TEXT]}…"
            elif value not in (None, "", False) and (value or name == "accepts_from"):
                yield name, value

    def _said(self, kind: str, one: Any) -> dict[str, Any]:
        if kind == "task":
            return self._task(one)
        if kind == "artifact":
            return self._artifact(one)
        if kind == "decision":
            accepted = one.given["status"] == DecisionStatus.ACCEPTED
            return {**one.given, "status": None if accepted else one.given["status"]}
        if kind == "subscription":
            names = ("patterns", "all_of", "agent", "action", "filter", "ordered_by", "priority")
            said = {name: getattr(one, name) for name in names}
            return said if one.priority != Priority.MEDIUM else {**said, "priority": None}
        if kind == "compensation":
            return {name: getattr(one, name) for name in ("compensate", "agent", "irreversible")}
        if kind == "circuit breaker":
            return one.rules
        if kind == "agent":
            return {**one.given, **(one.limit or {}), **(one.budget or {})}
        if kind == "meeting":
            return {**one.given, "starts_at": _when(one.starts_at)}
        return {"on": one.route.subject}

    def _task(self, one: DeclaredTask) -> dict[str, Any]:
        names = ("title", "parent", "agent", "delegator", "priority", "brief")
        return {**{name: getattr(one, name) for name in names}, "due": _when(one.due)}

    def _artifact(self, one: DeclaredArtifact) -> dict[str, Any]:
        names = ("title", "owner", "capability", "path", "priority", "max_attempts", "brief")
        return {
            **{name: getattr(one, name) for name in names},
            "blocked_by": list(one.blocked_by),
            "due": _when(one.due),
            "run_at": _when(one.run_at),
            **one.rules,
            "status": "complete" if one.imported is not None else None,
        }
