"""Where something stands in a manifest: file, line, column and path; and the one error that says so.

A node knows its line and column; its path is worked out only when an error needs it, so that reading stays fast.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, TypeVar

from slateboard.protocol.errors import BadManifest, SlateError

if TYPE_CHECKING:
    from collections.abc import Iterable

SHOWN = 60
"""Characters of a found text that an error repeats."""

Problem = TypeVar("Problem", bound=SlateError)


@dataclass(slots=True)
class Node:
    """A value with its position, counted from 1.

    `kind` is what errors call it: a text, a whole number, a number, true or false, nothing, a list, a mapping. `value`
    is the scalar's text, a list of nodes, or a dict of them; `keys` has the positions of a mapping's keys.
    """

    kind: str
    value: Any
    line: int
    column: int
    keys: dict[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def items(self) -> list[Node]:
        """The nodes of a list."""
        return self.value

    @property
    def entries(self) -> dict[str, Node]:
        """The nodes of a mapping."""
        return self.value

    def shown(self) -> str:
        """What was found, for an error."""
        if isinstance(self.value, str) and self.kind != "nothing":
            return f"{self.kind} ({self.value[:SHOWN]!r})"
        return self.kind


@dataclass(frozen=True, slots=True)
class Source:
    """A text's name, as its reader knows it: mostly a file's path."""

    name: str


@dataclass(frozen=True, slots=True)
class Place:
    """One spot of a document: a node, or (with `key`) a key of it; `way` is the path where it is known already."""

    source: Source
    root: Node
    node: Node
    key: str | None = None
    way: tuple[str | int, ...] | None = None

    @property
    def position(self) -> tuple[int, int]:
        """Line and column, from 1."""
        if self.key is not None and self.key in self.node.keys:
            return self.node.keys[self.key]
        return self.node.line, self.node.column

    @property
    def path(self) -> str:
        """The way from the document's root: `spec.artifacts.api_spec.blocked_by[0]`."""
        steps = list(_way(self.root, self.node) if self.way is None else self.way)
        if self.key is not None:
            steps.append(self.key)
        return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).lstrip(".")

    def __str__(self) -> str:
        line, column = self.position
        return f"{self.source.name}:{line}:{column}"

    def details(self) -> dict[str, Any]:
        """File, line, column and path, for an error's details."""
        line, column = self.position
        return {"file": self.source.name, "line": line, "column": column, "path": self.path}


def wrong(place: Place, found: str, expected: str, *, remedy: str = "", **details: Any) -> BadManifest:
    """The error for what stands at a place: what was found, and what was expected."""
    path = place.path
    where = f"{place}: {path}: " if path else f"{place}: "
    return BadManifest(
        f"{where}{found}; expected {expected}",
        remedy=remedy or "correct it there, and apply again",
        **place.details(),
        found=found,
        expected=expected,
        **details,
    )


def unknown(place: Place, what: str, name: str, known: Iterable[str]) -> BadManifest:
    """The error for a word that is none of the known ones; it names the nearest."""
    words = [str(one) for one in known]
    near = nearest(name, words)
    expected = f"one of: {', '.join(sorted(words)[:30])}" if len(words) <= 30 else f"the name of {what} that is there"
    remedy = f"did you mean {near!r}?" if near else ""
    return wrong(place, f"there is no {what} {name[:SHOWN]!r}", expected, remedy=remedy, nearest=near)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known word that looks most like this one, if any does."""
    return next(iter(get_close_matches(name, list(known), 1)), None)


def located(error: Problem, place: Place) -> Problem:
    """The same error, with the place in its message and details; a circle's own path is `circle` then."""
    details = {"circle" if name == "path" else name: value for name, value in error.details.items()}
    path = place.path
    where = f"{place}: {path}: " if path else f"{place}: "
    return type(error)(f"{where}{error.message}", remedy=error.remedy, **{**details, **place.details()})


def _way(root: Node, wanted: Node) -> list[str | int]:
    """The steps from the root to a node, the first way where aliases give several."""
    stack: list[tuple[Node, tuple[Any, ...]]] = [(root, ())]
    seen: set[int] = set()
    while stack:
        node, way = stack.pop()
        if node is wanted:
            steps: list[str | int] = []
            while way:
                way, step = way
                steps.append(step)
            return steps[::-1]
        if id(node) in seen or node.kind not in {"a list", "a mapping"}:
            continue
        seen.add(id(node))
        children: Iterable[tuple[str | int, Node]] = (
            node.entries.items() if node.kind == "a mapping" else enumerate(node.items)
        )
        stack += [(child, (way, step)) for step, child in children]
    return []
