"""What an export writes is read back as the very same values: whatever the texts hold, and whatever they look like."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slateboard.manifests.documents import read
from slateboard.manifests.export_text import Plain, values_in, written
from slateboard.manifests.places import Node

LOOKS = [
    "no", "Yes", "on", "null", "~", "true", "12", "1e3", "0o17", "0x1F", ".5", "-1", "1.5", ".inf", ".nan", "", " ",
    "a: b", "a #b", "#a", "- a", "-", "?", "*a", "&a", "!a", "'a'", '"a"', "a\\b", "{a}", "[a]", "a, b", "|", ">",
    "%a", "@a", "`a`", "a:", "2026-11-22", "2026-12-24T18:00:00Z", "12:30", "---", "...", "a\tb", "a\x07b", "\ufeffa",
    "a\x85b", "a\u2028b", "zürich", "名前", "🚀", "a ", " a", "a\r\nb", "a\nb", "a\nb\n", "a\n\n", "\na", "a\n b",
    "  a\nb", "a \nb", "a\n\tb", "a\n\nb", "# a\nb", "a\n# b\n--- c", "a\n---\nb", "a\n...\nb", "a: |\n  b",
    "\t", "\n", "a\n ", "null\nno", "\ud7ff\ue000", "a\u200bb", "e\u0301", "a\u00a0b", "sha256:abc",
    "genbrain.events.>", "a/*", "~a", "=",
]  # fmt: skip

texts = st.one_of(
    st.sampled_from(LOOKS),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40),
    st.lists(st.sampled_from([*LOOKS, "word", ""]), max_size=5).map("\n".join),
)
scalars = st.one_of(
    texts, st.booleans(), st.integers(-(10**15), 10**15), st.floats(allow_nan=False, allow_infinity=False)
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4), max_leaves=20
)


def plain(node: Node) -> Any:
    """What a reader understands."""
    if node.kind == "a mapping":
        return {key: plain(one) for key, one in node.entries.items()}
    if node.kind == "a list":
        return [plain(one) for one in node.items]
    if node.kind == "true or false":
        return node.value == "true"
    number = {"a whole number": int, "a number": float}.get(node.kind)
    return node.value if number is None else number(node.value)


def again(value: dict[str, Any]) -> Any:
    (document,) = read([{"source": "a.yaml", "text": written(value)}])
    return plain(document.root)


@pytest.mark.parametrize("text", LOOKS)
def test_a_text_stays_a_text_whatever_it_looks_like(text: str) -> None:
    for value in ({"a": text}, {"a": [text, text]}, {"a": {"b": text}}, {"a": [{"b": text, "c": text}]}, {text: text}):
        assert again(value) == value, written(value)


@settings(max_examples=400)
@given(st.dictionaries(texts, values, min_size=1, max_size=5))
def test_any_value_is_read_back_as_it_was(value: dict[str, Any]) -> None:
    assert again(value) == value, written(value)


@settings(max_examples=100)
@given(st.dictionaries(texts, values, min_size=1, max_size=3), st.dictionaries(texts, values, min_size=1, max_size=3))
def test_one_document_ends_before_the_next(first: dict[str, Any], second: dict[str, Any]) -> None:
    text = f"{written(first)}---\n{written(second)}"
    assert [plain(one.root) for one in read([{"source": "a.yaml", "text": text}])] == [first, second]


def test_what_is_short_stands_in_a_line_and_what_has_lines_has_its_own() -> None:
    manifest = {
        "metadata": {"name": "feature"},
        "spec": {
            "due": Plain("2026-12-24T18:00:00Z"),
            "brief": "One.\nTwo.\n",
            "nothing": None,
            "artifacts": {"api": {"owner": "backend", "blocked_by": ["a", "b"]}, "ui": {"title": "No: not this"}},
            "events": [{"subject": "genbrain.events.a", "consumers": [{"agent": "b", "action": "c"}]}],
            "names": [f"agent-{number:02}" for number in range(12)],
        },
    }
    assert written(manifest).splitlines() == [
        "metadata: {name: feature}",
        "spec:",
        "  due: 2026-12-24T18:00:00Z",
        "  brief: |",
        "    One.",
        "    Two.",
        "  artifacts:",
        "    api: {owner: backend, blocked_by: [a, b]}",
        '    ui: {title: "No: not this"}',
        "  events:",
        "    - subject: genbrain.events.a",
        "      consumers:",
        "        - {agent: b, action: c}",
        "  names:",
        *(f"    - agent-{number:02}" for number in range(12)),
    ]


def test_values_are_counted_as_a_reader_counts_them() -> None:
    assert values_in({"a": 1, "b": [1, {"c": None, "d": 2}]}) == 9
