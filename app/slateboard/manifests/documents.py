"""Reading manifests: YAML (1.2 core schema) and JSON, by one reader that keeps the position of everything it reads.

A text becomes documents, a document a tree of nodes. `on`, `no` and `2026-11-22` are texts; a duplicate key, a tag, a
circle of aliases and whatever is over a limit is an error with file, line and column. Nothing is ever executed or
constructed: a node is a text, a number, a truth value, nothing, a list or a mapping.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from slateboard.manifests.places import Node, Place, Source, wrong
from slateboard.protocol.errors import BadManifest, Invalid, TooLarge

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

MAX_BYTES = 10_000_000
"""All texts of one apply together are smaller than this."""
MAX_DEPTH = 100
MAX_NODES = 500_000
"""Nodes of one apply, an aliased one counted each time that it is used."""
MAX_ANCHORS = 1_000

# The fast reader is in every wheel of PyYAML; the other one gives the same events.
_Events: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_CORE = (
    ("nothing", re.compile(r"null|Null|NULL|~|")),
    ("true or false", re.compile(r"true|True|TRUE|false|False|FALSE")),
    ("a whole number", re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")),
    (
        "a number",
        re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"),
    ),
)
_MAYBE_NO_TEXT = frozenset("0123456789+-.~nNtTfF")
_SURROGATES = re.compile(r"(?<!\\)((?:\\\\)*)\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})")
_UNFIT = re.compile(r"[\x00\ud800-\udfff]")
# YAML 1.1 broke lines at these, and so does the parser; JSON, and YAML since 1.2, do not.
_OLD_BREAKS = {"\x85": "\\N", "\u2028": "\\L", "\u2029": "\\P"}
_OLD_BREAK = re.compile("[\x85\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a text; its root is a mapping or a list."""

    source: Source
    root: Node

    def at(self, node: Node, key: str | None = None) -> Place:
        """The place of a node of this document, or of one of its keys."""
        return Place(self.source, self.root, node, key)


def read(texts: Sequence[Mapping[str, str]]) -> list[Document]:
    """All documents of `[{"source": "board.yaml", "text": "…"}]`, in order. Raises `BadManifest`, `TooLarge`."""
    _check_sizes(texts)
    budget = _Budget()
    documents: list[Document] = []
    for one in texts:
        source = Source(one["source"])
        before = len(documents)
        documents += _documents(source, one["text"], budget)
        if len(documents) == before:
            raise BadManifest(
                f"{source.name} is empty", remedy="write a manifest into it, or leave it out", file=source.name
            )
    return documents


def _check_sizes(texts: Sequence[Mapping[str, str]]) -> None:
    total = 0
    for one in texts:
        if not isinstance(one.get("source"), str) or not isinstance(one.get("text"), str):
            raise Invalid(
                "each document is {source, text}", remedy="send the file's name as source, and what is in it as text"
            )
        total += len(one["text"].encode("utf-8", "replace"))
        if total >= MAX_BYTES:
            raise TooLarge(
                f"{one['source']}: the manifests of one apply are smaller than {MAX_BYTES // 1_000_000} MB together",
                remedy="apply them in several calls, and keep large content in files of its own",
                file=one["source"],
            )


@dataclass(slots=True)
class _Budget:
    """What is left of the bounds of one apply."""

    nodes: int = MAX_NODES


@dataclass(slots=True)
class _Open:
    """A list or mapping whose end is not read yet."""

    node: Node
    anchor: str | None
    nodes_before: int
    height: int = 1
    key: Node | None = None


@dataclass(slots=True)
class _Anchored:
    """What an alias stands for; `nodes` and `height` are None until its end is read."""

    node: Node
    nodes: int | None = None
    height: int | None = None


@dataclass(slots=True)
class _Composer:
    """Builds the nodes of one document out of the parser's events; no recursion, so depth cannot break it."""

    source: Source
    budget: _Budget
    root: Node | None = None
    open: list[_Open] = field(default_factory=list)
    anchors: dict[str, _Anchored] = field(default_factory=dict)

    def scalar(self, event: Any) -> None:
        """A text, number, truth value or nothing."""
        node = self._node(event, "a text", event.value)
        if event.tag is not None and event.tag != "!":
            raise self._tagged(node, event.tag)
        if event.implicit[0] and event.tag is None and (not event.value or event.value[0] in _MAYBE_NO_TEXT):
            node.kind = _kind(event.value)
        elif "\x00" in event.value or _UNFIT.search(event.value):
            raise self._fail(node, "found a character that no text may hold", "a text without NUL")
        if event.anchor is not None:
            self._anchor(event.anchor, node, 1, 0)
        self._place(node, 0)

    def alias(self, event: Any) -> None:
        """Another use of an anchored node."""
        found = self.anchors.get(event.anchor)
        here = self._node(event, "an alias", None)
        if found is None:
            raise self._fail(here, f"found the alias *{event.anchor}", f"an anchor &{event.anchor} before it")
        if found.nodes is None or found.height is None:
            raise self._fail(here, f"found *{event.anchor} inside of &{event.anchor}", "an alias outside of it")
        self._spend(found.nodes, here)
        if len(self.open) + found.height > MAX_DEPTH:
            raise self._too_deep(here)
        self._place(found.node, found.height)

    def start(self, event: Any, kind: str, value: Any) -> None:
        """The start of a list or mapping."""
        node = self._node(event, kind, value)
        if event.tag is not None and event.tag != "!":
            raise self._tagged(node, event.tag)
        if len(self.open) >= MAX_DEPTH:
            raise self._too_deep(node)
        if event.anchor is not None:
            self._anchor(event.anchor, node, None, None)
        self.open.append(_Open(node, event.anchor, self.budget.nodes + 1))

    def end(self) -> None:
        """The end of the innermost list or mapping."""
        done = self.open.pop()
        if done.anchor is not None:
            anchored = self.anchors[done.anchor]
            if anchored.node is done.node:
                anchored.nodes, anchored.height = done.nodes_before - self.budget.nodes, done.height
        self._place(done.node, done.height)

    def _node(self, event: Any, kind: str, value: Any) -> Node:
        mark = event.start_mark
        node = Node(kind, value, mark.line + 1, mark.column + 1)
        self._spend(1, node)
        return node

    def _place(self, node: Node, height: int) -> None:
        """Put a finished node where it belongs."""
        if not self.open:
            self.root = node
            return
        outer = self.open[-1]
        outer.height = max(outer.height, height + 1)
        holder = outer.node
        if holder.kind == "a list":
            holder.items.append(node)
        elif outer.key is None:
            if node.kind != "a text":
                raise self._fail(node, f"found {node.shown()} as a key", "a text; put it in quotes")
            outer.key = node
            if node.value in holder.value:
                line = holder.keys[node.value][0]
                raise self._fail(node, f"found the key {node.value!r} twice", f"each key once; line {line} has it too")
            holder.keys[node.value] = (node.line, node.column)
        else:
            holder.value[outer.key.value] = node
            outer.key = None

    def _anchor(self, name: str, node: Node, nodes: int | None, height: int | None) -> None:
        if len(self.anchors) >= MAX_ANCHORS:
            raise self._fail(node, f"found more than {MAX_ANCHORS:,} anchors", "fewer of them")
        self.anchors[name] = _Anchored(node, nodes, height)

    def _spend(self, nodes: int, here: Node) -> None:
        self.budget.nodes -= nodes
        if self.budget.nodes < 0:
            raise TooLarge(
                f"{self.source.name}:{here.line}:{here.column}: more than {MAX_NODES:,} values in one apply",
                remedy="apply it in several calls; mind that an alias counts as all that it stands for",
                file=self.source.name,
                line=here.line,
                column=here.column,
            )

    def _too_deep(self, node: Node) -> BadManifest:
        return self._fail(node, f"found more than {MAX_DEPTH} levels", f"at most {MAX_DEPTH} levels inside each other")

    def _tagged(self, node: Node, tag: str) -> BadManifest:
        short = tag.replace("tag:yaml.org,2002:", "!!")[:60]
        return self._fail(node, f"found the tag {short}", "no tags; quotes make a text of anything")

    def _fail(self, node: Node, found: str, expected: str) -> BadManifest:
        way: list[str | int] = []
        for one in self.open:
            if one.key is not None:
                way.append(one.key.value)
            elif one.node.kind == "a list":
                way.append(len(one.node.items))
        return wrong(Place(self.source, node, node, way=tuple(way)), found, expected)


def _documents(source: Source, text: str, budget: _Budget) -> Iterator[Document]:
    """The documents of one text; empty ones are left out."""
    composer = _Composer(source, budget)
    for event in _events(source, text):
        name = type(event).__name__
        if name == "ScalarEvent":
            composer.scalar(event)
        elif name in {"SequenceEndEvent", "MappingEndEvent"}:
            composer.end()
        elif name == "MappingStartEvent":
            composer.start(event, "a mapping", {})
        elif name == "SequenceStartEvent":
            composer.start(event, "a list", [])
        elif name == "AliasEvent":
            composer.alias(event)
        elif name == "DocumentStartEvent":
            composer = _Composer(source, budget)
        elif name == "DocumentEndEvent" and composer.root is not None and composer.root.kind != "nothing":
            yield Document(source, composer.root)


def _events(source: Source, text: str) -> Iterator[Any]:
    """The parser's events; what it cannot read is a `BadManifest` at its position."""
    if text.lstrip("\ufeff \t\r\n")[:1] in {"{", "["}:
        text = _OLD_BREAK.sub(lambda found: _OLD_BREAKS[found[0]], _SURROGATES.sub(_joined, text))
    for pattern, why in ((_UNFIT, "a character that no text may hold"), (_OLD_BREAK, "a line break of old versions")):
        unfit = pattern.search(text)
        if unfit:
            raise _unreadable(source, text, unfit.start(), why)
    try:
        parser = _Events(text)
        while parser.check_event():
            yield parser.get_event()
    except yaml.MarkedYAMLError as error:
        mark: Any = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        problem = " ".join(part for part in (error.context, error.problem) if part)
        raise BadManifest(
            f"{source.name}:{line}:{column}: this is neither YAML nor JSON: {problem}",
            remedy="correct the file there, or just above",
            file=source.name, line=line, column=column, path="", found=problem, expected="YAML or JSON",
        ) from error  # fmt: skip
    except yaml.reader.ReaderError as error:
        offset = text.find(chr(error.character)) if isinstance(error.character, int) else -1
        raise _unreadable(source, text, max(offset, 0), str(error.reason)) from error


def _unreadable(source: Source, text: str, offset: int, why: str) -> BadManifest:
    line, column = text.count("\n", 0, offset) + 1, offset - (text.rfind("\n", 0, offset) + 1) + 1
    return BadManifest(
        f"{source.name}:{line}:{column}: found {text[offset]!r}: {why}",
        remedy="remove it, or write it as an escape inside of double quotes",
        file=source.name, line=line, column=column, path="", found=repr(text[offset]), expected="a printable character",
    )  # fmt: skip


def _joined(found: re.Match[str]) -> str:
    """JSON writes a character beyond 16 bits as two escapes; YAML has one of its own for it."""
    high, low = int(found[2], 16), int(found[3], 16)
    return f"{found[1]}\\U{0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00):08X}"


def _kind(value: str) -> str:
    """What a plain scalar is in the core schema."""
    return next((kind for kind, pattern in _CORE if pattern.fullmatch(value)), "a text")
