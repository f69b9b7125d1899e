"""What may stand under a key of a manifest: each kind reads itself from a node, and says itself as JSON Schema.

Reading gives the value, or an error at its place that says what was expected. The schema refuses nothing that reading
takes; what depends on other keys, or on the board, only reading refuses. Lists give their nodes, so that what is said
of one of their values later is said at its place.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol, cast

from slateboard.manifests.places import Node, located, unknown, wrong
from slateboard.protocol import durations
from slateboard.protocol.errors import BadSubject, Invalid, TooLarge
from slateboard.protocol.names import NAME_PATTERN, check_name, slug
from slateboard.protocol.subjects import MAX_CHARACTERS, check_pattern
from slateboard.protocol.work import MAX_CONTENT_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from slateboard.manifests.documents import Document

Schema = dict[str, Any]

MAX_AHEAD = timedelta(days=3650)
"""How far ahead of its posting something can be due."""
MOST_SECONDS = 30 * 86_400.0
"""Of a length of time that is no `due`."""
MAX_TEXT = 65_536
"""Characters of a title, brief or path."""

A_NAME = "a name: lower-case letters, digits, '-' and '_', 63 at most"
A_LENGTH = "a length of time above 0 and at most 30 days, like 300s or 1m"
A_MOMENT = "a length of time (30m, 4h, 2d) or a time with its zone (2026-12-24T18:00:00Z)"

_LENGTH = r"^\s*(\d+(\.\d+)?|(\d+(\.\d+)?(ms|[smhdw]))+)\s*$"
_TIME = r"^\d{4}(-?\d\d-?\d\d|-?W\d\d(-?\d)?)[\s\S]\d\d[\s\S]*(Z|[+-]\d\d[\d:.,]*)$"


class Value(Protocol):
    """A kind of value."""

    @property
    def expected(self) -> str:
        """What errors say was expected."""
        ...

    def read(self, document: Document, node: Node, key: str) -> Any:
        """The value of a node that stands under a key; `BadManifest` at its place."""
        ...

    def schema(self, parts: dict[str, Schema]) -> Schema:
        """The value as JSON Schema; what has a name of its own is put into `parts`, and referred to."""
        ...


@dataclass(frozen=True, slots=True)
class Moment:
    """A time, or how long after its posting; the second stays the same when the manifest is applied again."""

    after: timedelta | None = None
    time: datetime | None = None

    def since(self, posted: datetime) -> datetime:
        """The time itself, for something posted then."""
        return posted + self.after if self.after is not None else self.time or posted


@dataclass(frozen=True, slots=True)
class Text:
    """A text; a number or truth value is refused, since it may not have been meant as one."""

    expected: str = "a text"
    most: int = MAX_TEXT
    blank: bool = True
    pattern: str | None = None

    def read(self, document: Document, node: Node, key: str) -> str:
        """The text."""
        found = text(document, node, self.expected)
        if not self.blank and not found.strip():
            raise wrong(document.at(node), f"found an empty text of {len(found)} characters", self.expected)
        if len(found) > self.most:
            raise wrong(document.at(node), f"found {len(found):,} characters", f"at most {self.most:,}")
        if self.pattern is not None and not re.fullmatch(self.pattern, found):
            raise wrong(document.at(node), f"found {found[:80]!r}", self.expected)
        return found

    def schema(self, parts: dict[str, Schema]) -> Schema:
        """A string."""
        pattern = f"^{self.pattern}$" if self.pattern else None if self.blank else r"\S"
        return {"type": "string", "maxLength": self.most} | ({"pattern": pattern} if pattern else {})


@dataclass(frozen=True, slots=True)
class Checked:
    """A text that a function takes; `pattern` is as much of it as a pattern can say."""

    expected: str
    check: Callable[[str], bool]
    pattern: str
    most: int

    def read(self, document: Document, node: Node, key: str) -> str:
        """The text."""
        found = text(document, node, self.expected)
        if not self.check(found):
            raise wrong(document.at(node), f"found {found[:80]!r}", self.expected)
        return found

    def schema(self, parts: dict[str, Schema]) -> Schema:
        """A string of the pattern."""
        return {"type": "string", "pattern": self.pattern, "maxLength": self.most}


@dataclass(frozen=True, slots=True)
class Content:
    """A text that is a result: bounded by its bytes."""

    expected: str = "a text"

    def read(self, document: Document, node: Node, key: str) -> str:
        """The text; `TooLarge` at its place."""
        found = text(document, node)
        size = len(found.encode())
        if size > MAX_CONTENT_BYTES:
            place = document.at(node)
            raise TooLarge(
                f"{place}: {place.path}: the content has {size:,} bytes; at most {MAX_CONTENT_BYTES:,} fit",
                remedy="write a file and give its path",
                **place.details(),
            )
        return found

    def schema(self, parts: dict[str, Schema]) -> Schema:
        """A string."""
        return {"type": "string", "maxLength": MAX_CONTENT_BYTES}


@dataclass(frozen=True, slots=True)
class Name:
    """A name."""

    expected: str = A_NAME

    def read(self, document: Document, node: Node, key: str) -> str:
        """The name."""
        return check(document, node, text(document, node, self.expected))

    def schema(self, parts: dict[str, Schema]) -> Schema:
        """A string of the names' pattern."""
        return {"type": "string", "pattern": f"^{NAME_PATTERN}$"}


@dataclass(frozen=True, slots=True)
class Reference:
    """`artifact` of the same task, or `task/artifact`."""

    expected: str = "an artifact of the same task, or task/artifact"

    def read(self, document: Document, node: Node, key: str) -> str:
        """The reference as it stands there."""
        found = text(document, node, self.expected)
        task, separator, artifact = found.rpartition("/")
        if separator:
            check(document, node, task)
        check(document, node, artifact)
        return found

    def schema(self, parts: dict[str, Schema]) -> Schema:
        """A string of one name, or two."""
        return {"type": "string", "pattern": f"^({NAME_PATTERN}/)?{NAME_PATTERN}$"}


@dataclass(frozen=True, slots=True)
class Pattern:
    """A subject, or a pattern of subjects."""

    expected: str = "a subject, or a pattern: genbrain.events.pr.*"

    def read(self, document: Document, node: Node, key: str) -> str:
        """The pattern; `BadSubject` at its place."""
        try:
            return check_pattern(text(document, node, self.expected))
        except BadSubject as error:
            raise located(error, document.at(node)) from None

    def schema(self, parts: dict[str, Schema]) -> Schema:
        """A string of tokens between dots."""
        return {"type": "string", "pattern": r"^[^.\s]+(\.[^.\s]+)*$", "maxLength": MAX_CHARACTERS}


@dataclass(frozen=True, slots=True)
class Word:
    """One of a closed set of words; what each stands for, where they are a mapping."""

    words: Collection[str]

    @property
    def expected(self) -> str:
        """The words."""
        return f"one of: {', '.join(sorted(self.words))}"

    def read(self, document: Document, node: Node, key: str) -> str:
        """What the word stands for."""
        found = text(document, node, self.expected)
        if found not in self.words:
            raise unknown(document.at(node), key, found, self.words)
        return cast("Mapping[str, str]", self.words)[found] if isinstance(self.words, Mapping) else found

    def schema(self, parts: dict[str, Schema]) -> Schema:
        """The words."""
        return {"type": "string", "enum": [str(one) for one in self.words]}


@dataclass(frozen=True, slots=True)
class Number:
    """A whole number of a range."""

    lowest: int
    highest: int

    @property
    def expected(self) -> str:
        """The range."""
        return f"a whole number, {self.lowest} to {self.highest}"

    def read(self, document: Document, node: Node, key: str) -> int:
        """The number."""
        decimal = node.kind == "a whole number" and node.value.lstrip("+-").isdecimal() and len(node.value) < 20
        if not decimal or not self.lowest <= int(node.value) <= self.highest:
            raise wrong(document.at(node), f"found {node.shown()}", self.expected)
        return int(node.value)

    def schema(self, parts: dict[str, Schema]) -> Schema:
        """An integer."""
        return {"type": "integer", "minimum": self.lowest, "maximum": self.highest}


@dataclass(frozen=True, slots=True)
class Amount:
    """A number above 0 and at most `highest`, with a fraction or without."""

    highest: float

    @property
    def expected(self) -> str:
        """The range."""
        return f"a number above 0, at most {self.highest:,.0f}"

    def read(self, document: Document, node: Node, key: str) -> float:
        """The number."""
        try:
            found = float(node.value) if node.kind in {"a whole number", "a number"} else math.nan
        except ValueError:  # not a decimal one: .inf, 0x1f
            found = math.nan
        if not 0 < found <= self.highest:
            raise wrong(document.at(node), f"found {node.shown()}", self.expected)
        return found

    def schema(self, parts: dict[str, Schema]) -> Schema:
        """A number."""
        return {"type": "number", "exclusiveMinimum": 0, "maximum": self.highest}


@dataclass(frozen=True, slots=True)
class Truth:
    """`true` or `false`."""

    expected: str = "true or false"

    def read(self, document: Document, node: Node, key: str) -> bool:
        """The truth."""
        if node.kind != "true or false":
            raise wrong(document.at(node), f"found {node.shown()}", self.expected)
        return str(node.value).lower() == "true"

    def schema(self, parts: dict[str, Schema]) -> Schema:
        """A boolean."""
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True)
class TruthOr:
    """`true` or `false`, or another value."""

    other: Value

    @property
    def expected(self) -> str:
        """Both."""
        return f"true or false, or {self.other.expected}"

    def read(self, document: Document, node: Node, key: str) -> Any:
        """The truth, or the other value."""
        value = Truth() if node.kind == "true or false" else self.other
        return value.read(document, node, key)

    def schema(self, parts: dict[str, Schema]) -> Schema:
        """Either."""
        return {"anyOf": [Truth().schema(parts), self.other.schema(parts)]}


@dataclass(frozen=True, slots=True)
class Time:
    """A time, or a length of time from the posting on."""

    expected: str = A_MOMENT

    def read(self, document: Document, node: Node, key: str) -> Moment:
        """The moment."""
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
        raise wrong(document.at(node), f"found {node.shown()}", self.expected)

    def schema(self, parts: dict[str, Schema]) -> Schema:
        """Seconds, a length, or a time with its zone."""
        seconds = {"type": "integer", "minimum": 1, "maximum": int(MAX_AHEAD.total_seconds())}
        return {"anyOf": [{"type": "string", "pattern": f"{_LENGTH}|{_TIME}"}, seconds]}


@dataclass(frozen=True, slots=True)
class Length:
    """A length of time in seconds, above 0 and at most 30 days."""

    expected: str = A_LENGTH

    def read(self, document: Document, node: Node, key: str) -> float:
        """The seconds."""
        try:
            seconds = durations.parse(node.value) if node.kind in {"a text", "a whole number", "a number"} else 0.0
        except Invalid:
            seconds = 0.0
        if not 0 < seconds <= MOST_SECONDS:
            raise wrong(document.at(node), f"found {node.shown()}", self.expected)
        return seconds

    def schema(self, parts: dict[str, Schema]) -> Schema:
        """Seconds, or a length."""
        seconds = {"type": "number", "exclusiveMinimum": 0, "maximum": MOST_SECONDS}
        return {"anyOf": [{"type": "string", "pattern": _LENGTH}, seconds]}


def text(document: Document, node: Node, expected: str = "a text") -> str:
    """The text of a node; its error says how a number or truth value becomes one."""
    if node.kind != "a text":
        hint = "put it in quotes" if isinstance(node.value, str) else ""
        raise wrong(document.at(node), f"found {node.shown()}", expected, remedy=hint)
    return node.value


def check(document: Document, node: Node, found: str, key: str | None = None) -> str:
    """A text that must be a name, at its place."""
    try:
        return check_name(found)
    except Invalid:
        remedy = f"write it like {slug(found)!r}"
        raise wrong(document.at(node, key), f"{found[:80]!r} is not a name", A_NAME, remedy=remedy) from None


def _ahead(value: str) -> timedelta:
    after = timedelta(seconds=durations.parse(value))
    if not timedelta() < after <= MAX_AHEAD:
        raise Invalid("out of range")
    return after
