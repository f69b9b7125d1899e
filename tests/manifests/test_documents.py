"""Reading: the core schema, positions, limits, and what is neither YAML nor JSON."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from slateboard.manifests import documents
from slateboard.manifests.documents import read
from slateboard.manifests.places import Node
from slateboard.protocol.errors import BadManifest, Invalid, SlateError, TooLarge


def one(text: str) -> Node:
    found = read([{"source": "board.yaml", "text": text}])
    assert len(found) == 1
    return found[0].root


def plain(node: Node) -> Any:
    if node.kind == "a mapping":
        return {key: plain(value) for key, value in node.entries.items()}
    if node.kind == "a list":
        return [plain(value) for value in node.items]
    return {"a text": str, "a whole number": int, "a number": float}.get(node.kind, lambda value: value)(node.value)


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ("on", "a text"), ("no", "a text"), ("yes", "a text"), ("off", "a text"), ("y", "a text"),
        ("2026-11-22", "a text"), ("12:30", "a text"), ("1_000", "a text"), ("'true'", "a text"), ('"1"', "a text"),
        ("0b11", "a text"), ("=", "a text"), ("<<", "a text"), ("! 1", "a text"), ("|\n  1", "a text"),
        ("1", "a whole number"), ("-7", "a whole number"), ("017", "a whole number"), ("0o17", "a whole number"),
        ("0x1F", "a whole number"), ("1.5", "a number"), (".5", "a number"), ("1e3", "a number"), ("-.inf", "a number"),
        (".NaN", "a number"), ("true", "true or false"), ("FALSE", "true or false"), ("tRue", "a text"),
        ("null", "nothing"), ("~", "nothing"), ("", "nothing"), ("Null", "nothing"),
    ],
)  # fmt: skip
def test_scalars_follow_the_core_schema_of_yaml_1_2(written: str, kind: str) -> None:
    assert one(f"key: {written}").entries["key"].kind == kind


def test_on_and_no_are_keys_like_any_other() -> None:
    assert list(one("on: 1\nno: 2\n").entries) == ["on", "no"]


def test_one_text_holds_many_documents_and_empty_ones_are_left_out() -> None:
    found = read([{"source": "a", "text": "---\n---\nx: 1\n...\n---\n# nothing\n---\ny: 2\n"}])
    assert [list(document.root.entries) for document in found] == [["x"], ["y"]]


def test_nodes_know_line_and_column_from_1() -> None:
    root = one("a:\n  - b: Ä\n    c: [x, y]\n")
    inner = root.entries["a"].items[0]
    assert inner.keys == {"b": (2, 5), "c": (3, 5)}
    assert (inner.entries["c"].items[1].line, inner.entries["c"].items[1].column) == (3, 12)


def test_anchors_stand_for_their_node() -> None:
    assert plain(one("a: &x [1, {b: 2}]\nc: *x\n")) == {"a": [1, {"b": 2}], "c": [1, {"b": 2}]}


OLD_BREAKS = "\x85\u2028\u2029"

NUMBER_SINCE_1_2 = re.compile(r"[-+]?[0-9]*\.?[0-9]*[eE][-+]?[0-9]+|0o[0-7]+")
"""A number in YAML 1.2 and a text before it: the writer that the tests use leaves it without quotes."""

json_values = st.recursive(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20).filter(
        lambda text: not NUMBER_SINCE_1_2.fullmatch(text)
    )
    | st.integers(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abcdefghij", min_size=1), inner, max_size=4),
    max_leaves=20,
)


@given(json_values, st.sampled_from([None, 2, "\t"]))
def test_json_is_read_as_json(value: Any, indent: Any) -> None:
    """Tabs, no spaces, and characters beyond 16 bits, which JSON writes as two escapes."""
    separators = (",", ":") if indent is None else None
    text = json.dumps({"key": value}, indent=indent, separators=separators)
    assert plain(one(text)) == {"key": value}


@given(json_values)
def test_yaml_is_read_as_its_writer_meant_it(value: Any) -> None:
    assert plain(one(yaml.safe_dump({"key": value}))) == {"key": value}


@pytest.mark.parametrize("sign", OLD_BREAKS)
def test_line_breaks_of_old_versions_are_text_in_json_and_refused_in_yaml(sign: str) -> None:
    assert plain(one(json.dumps({"key": f"a{sign}b"}, ensure_ascii=False))) == {"key": f"a{sign}b"}
    with pytest.raises(BadManifest, match=r"board.yaml:1:7: .*a line break of old versions"):
        one(f"key: a{sign}b")


@given(st.text(st.sampled_from("ab:-[]{}&*!|>'\"%@#,? \n\t0~\\"), max_size=60))
def test_no_text_breaks_the_reader(text: str) -> None:
    refused = None
    try:
        read([{"source": "board.yaml", "text": text}])
    except (BadManifest, TooLarge) as error:
        refused = error
    assert refused is None or refused.details["file"] == "board.yaml"


BAD = {
    "empty": ("", None, "", "is empty"),
    "only a comment": ("# nothing\n", None, "", "is empty"),
    "a list that never ends": ("a:\n  b: [1, 2\n", (3, 1), "", "neither YAML nor JSON"),
    "two colons": ("a: b: c", (1, 5), "", "mapping values are not allowed"),
    "a tab as indentation": ("a:\n\tb: 1", (2, 1), "", "cannot start any token"),
    "a quote that never ends": ("a: 'x\nb: 1", (2, 5), "", "unexpected end of stream"),
    "an unknown directive": ("%FOO\n---\na: 1", (1, 5), "", "directive"),
    "a control character": ("a: ok\nb: \x01", (2, 4), "", "control characters"),
    "a NUL": ("a: ok\nb: x\x00y", (2, 5), "", "no text may hold"),
    "a NUL as an escape": ('a: "x\\0"', (1, 4), "a", "no text may hold"),
    "half a character": ("a: \ud800", (1, 4), "", "no text may hold"),
    "a duplicate key": ("a: 1\nb:\n  c: 1\n  d: 2\n  c: 3\n", (5, 3), "b.c", "found the key 'c' twice"),
    "a duplicate key in JSON": ('{"a": [0, {"b": 1,\n "b": 2}]}', (2, 2), "a[1].b", "line 1 has it too"),
    "a number as a key": ("a:\n  1: x", (2, 3), "a", "as a key"),
    "a list as a key": ("? [a]\n: b", (1, 3), "", "as a key"),
    "a tag": ("a: !!python/object:os.system x", (1, 4), "a", "found the tag"),
    "a standard tag": ("a: !!str 1", (1, 4), "a", "found the tag !!str"),
    "a tag on a mapping": ("a: !thing {b: 1}", (1, 4), "a", "found the tag !thing"),
    "an alias to nothing": ("a: *b", (1, 4), "a", "*b"),
    "an alias inside of itself": ("a: &x\n  - *x\n", (2, 5), "a[0]", "found *x inside of &x"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_read_is_shown_where_it_stands(case: str) -> None:
    text, position, path, message = BAD[case]
    with pytest.raises(BadManifest) as refused:
        read([{"source": "board.yaml", "text": text}])
    error = refused.value
    assert message in error.message
    assert error.message.startswith("board.yaml")
    assert error.remedy
    assert error.details["file"] == "board.yaml"
    if position:
        assert (error.details["line"], error.details["column"]) == position
        assert error.details["path"] == path
        assert f"board.yaml:{position[0]}:{position[1]}: " in error.message


@pytest.mark.parametrize("text", ["[" * 200_000, '{"a":' * 101 + "1" + "}" * 101, "- " * 101 + "x"])
def test_depth_is_bounded(text: str) -> None:
    with pytest.raises(BadManifest, match="more than 100 levels"):
        one(text)


def test_depth_through_aliases_is_bounded() -> None:
    lines = ["a0: &a0 [1]"] + [f"a{n}: &a{n} {'[' * 20}*a{n - 1}{']' * 20}" for n in range(1, 10)]
    with pytest.raises(BadManifest, match="more than 100 levels"):
        one("\n".join(lines))


def test_a_bomb_of_aliases_is_refused_before_it_unfolds() -> None:
    lines = ["a0: &a0 [1, 2, 3, 4, 5, 6, 7, 8, 9]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    with pytest.raises(TooLarge, match=r"board.yaml:\d+:\d+: more than 500,000 values"):
        one("\n".join(lines))


def test_the_number_of_anchors_is_bounded() -> None:
    with pytest.raises(BadManifest, match="1,000 anchors"):
        one("\n".join(f"- &a{n} 1" for n in range(1001)))


def test_ten_megabytes_are_refused_before_they_are_parsed() -> None:
    texts = [{"source": "small.yaml", "text": "a: 1"}, {"source": "big.yaml", "text": "ä" * 5_000_000}]
    with pytest.raises(TooLarge, match=r"big.yaml.*smaller than 10 MB") as refused:
        read(texts)
    assert refused.value.details["file"] == "big.yaml"


@pytest.mark.parametrize(
    "document", [{}, {"source": "a"}, {"source": 1, "text": "a: 1"}, {"source": "a", "text": b"x"}]
)
def test_what_is_no_document_is_refused(document: Any) -> None:
    with pytest.raises(Invalid, match="source, text"):
        read([document])


def test_the_slower_reader_says_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where PyYAML came without libyaml; only the wording of its own problems may differ."""
    monkeypatch.setattr(documents, "_Events", yaml.SafeLoader)
    assert plain(one('{"a": [1, "😀", null]}')) == {"a": [1, "😀", "null"]}
    with pytest.raises(SlateError) as refused:
        one("a: b: c")
    assert (refused.value.details["line"], refused.value.details["column"]) == (1, 5)
    with pytest.raises(SlateError) as refused:
        one("a: \x01")
    assert (refused.value.details["line"], refused.value.details["column"]) == (1, 4)
