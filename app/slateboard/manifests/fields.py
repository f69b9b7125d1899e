"""Taking values out of a mapping of a manifest: each as what it must be, or an error that says what was expected.

A key without a value (`owner:`) is a key that was not given.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from slateboard.manifests.places import Node, unknown, wrong
from slateboard.protocol import durations
from slateboard.protocol.errors import Invalid
from slateboard.protocol.names import check_name, slug

if TYPE_CHECKING:
    from collections.abc import Iterable

    from slateboard.manifests.documents import Document

MAX_AHEAD = timedelta(days=3650)
"""How far ahead of its posting something can be due."""
MOST_SECONDS = 30 * 86_400.0
"""Of a length of time that is no `due`."""
MAX_TEXT = 65_536
"""Characters of a title, brief or path."""

A_NAME = "a name: lower-case letters, digits, '-' and '_', 63 at most"
A_LENGTH = "a length of time above 0 and at most 30 days, like 300s or 5m"
A_MOMENT = "a length of time (30m, 4h, 2d) or a time with its zone (2026-12-24T18:00:00Z)"


@dataclass(frozen=True, slots=True)
class Moment:
    """A time, or how long after its posting; the second stays the same when the manifest is applied again."""

    after: timedelta | None = None
    time: datetime | None = None

    def since(self, posted: datetime) -> datetime:
        """The time itself, for something posted then."""
        return posted + self.after if self.after is not None else self.time or posted


class Fields:
    """The keys of one mapping; those that are not known were refused."""

    __slots__ = ("document", "node", "values")

    def __init__(self, document: Document, node: Node, known: Iterable[str], expected: str) -> None:
        self.document = document
        self.node = node
        if node.kind == "nothing":
            node.value = {}
        elif node.kind != "a mapping":
            raise wrong(document.at(node), f"found {node.shown()}", expected)
        for key in node.value:
            if key not in known:
                raise unknown(document.at(node, key), "key", key, known)
        self.values: dict[str, Node] = {key: one for key, one in node.value.items() if one.kind != "nothing"}

    def node_of(self, key: str) -> Node:
        """The value under a key, else the mapping that lacks it."""
        return self.values.get(key, self.node)

    def require(self, key: str, expected: str) -> Node:
        """The value under a key that must be there."""
        if key not in self.values:
            raise wrong(self.document.at(self.node), f"there is no {key!r}", f"{key}: {expected}")
        return self.values[key]

    def text(self, key: str) -> str | None:
        """A text that may be left out."""
        node = self.values.get(key)
        return None if node is None else text(self.document, node)

    def name(self, key: str) -> str | None:
        """A name that may be left out."""
        node = self.values.get(key)
        return None if node is None else name(self.document, node)

    def word(self, key: str, words: Iterable[str]) -> str | None:
        """One of a closed set of words."""
        node = self.values.get(key)
        if node is None:
            return None
        found = text(self.document, node)
        if found not in words:
            raise unknown(self.document.at(node), key, found, words)
        return found

    def number(self, key: str, lowest: int, highest: int) -> int | None:
        """A whole number of a range."""
        node = self.values.get(key)
        if node is None:
            return None
        decimal = node.kind == "a whole number" and node.value.lstrip("+-").isdecimal() and len(node.value) < 20
        if not decimal or not lowest <= int(node.value) <= highest:
            raise wrong(self.document.at(node), f"found {node.shown()}", f"a whole number, {lowest} to {highest}")
        return int(node.value)

    def truth(self, key: str) -> bool | None:
        """`true` or `false`, which may be left out."""
        node = self.values.get(key)
        if node is None:
            return None
        if node.kind != "true or false":
            raise wrong(self.document.at(node), f"found {node.shown()}", "true or false")
        return str(node.value).lower() == "true"

    def moment(self, key: str) -> Moment | None:
        """A time, or a length of time."""
        node = self.values.get(key)
        return None if node is None else _moment(self.document, node)

    def length(self, key: str) -> float | None:
        """A length of time in seconds, above 0 and at most 30 days."""
        node = self.values.get(key)
        if node is None:
            return None
        try:
            seconds = durations.parse(node.value) if node.kind in {"a text", "a whole number", "a number"} else 0.0
        except Invalid:
            seconds = 0.0
        if not 0 < seconds <= MOST_SECONDS:
            raise wrong(self.document.at(node), f"found {node.shown()}", A_LENGTH)
        return seconds

    def texts(self, key: str) -> list[Node]:
        """The nodes of one text, or of a list of texts; all of them were checked."""
        node = self.values.get(key)
        if node is None:
            return []
        nodes: list[Node] = node.value if node.kind == "a list" else [node]
        for one in nodes:
            if one.kind != "a text":
                raise wrong(self.document.at(one), f"found {one.shown()}", "a text, or a list of texts")
        return nodes

    def items(self, key: str, expected: str) -> list[Node]:
        """The nodes of a list that may be left out."""
        node = self.values.get(key)
        if node is None:
            return []
        if node.kind != "a list":
            raise wrong(self.document.at(node), f"found {node.shown()}", expected)
        return node.value


def text(document: Document, node: Node, expected: str = "a text") -> str:
    """A text; a number or truth value is refused, since it may not have been meant as one."""
    if node.kind != "a text":
        hint = "put it in quotes" if isinstance(node.value, str) else ""
        raise wrong(document.at(node), f"found {node.shown()}", expected, remedy=hint)
    if len(node.value) > MAX_TEXT:
        raise wrong(document.at(node), f"found {len(node.value):,} characters", f"at most {MAX_TEXT:,}")
    return node.value


def name(document: Document, node: Node) -> str:
    """A name."""
    return check(document, node, text(document, node, A_NAME))


def check(document: Document, node: Node, found: str, key: str | None = None) -> str:
    """A text that must be a name, at its place."""
    try:
        return check_name(found)
    except Invalid:
        remedy = f"write it like {slug(found)!r}"
        raise wrong(document.at(node, key), f"{found[:80]!r} is not a name", A_NAME, remedy=remedy) from None


def _moment(document: Document, node: Node) -> Moment:
    if node.kind in {"a text", "a whole number"}:
        try:
            return Moment(after=_ahead(node.value))
        except (Invalid, OverflowError):
            pass
        try:
            time = datetime.fromisoformat(node.value)
        except ValueError:
            pass
        else:
            if time.tzinfo is not None:
                return Moment(time=time)
    raise wrong(document.at(node), f"found {node.shown()}", A_MOMENT)


def _ahead(value: str) -> timedelta:
    after = timedelta(seconds=durations.parse(value))
    if not timedelta() < after <= MAX_AHEAD:
        raise Invalid("out of range")
    return after
