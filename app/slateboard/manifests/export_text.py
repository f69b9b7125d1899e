"""Writing a manifest: YAML that is read back as the very same values, by this version's reader and by any other.

A text that looks like something else is quoted, and so is what an older YAML takes for a truth value. Texts of several
lines are blocks; what fits into a line is written in one. The order of keys is the caller's, so it never changes by
itself.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

WIDTH = 100
"""Characters of a line into which a whole mapping or list is written."""

_PLAIN = re.compile(r"(?:[^\W\d_]|/)[\w ./+@()=*>-]*")
_OLD_WORDS = frozenset(("y", "n", "yes", "no", "on", "off", "true", "false", "null"))
_UNFIT_LINE = re.compile(r"\s$|^\t")


class Plain(str):
    """A text that is written as it is: a time, or a length of time, which nothing takes for something else."""

    __slots__ = ()


def written(manifest: Mapping[str, Any]) -> str:
    """The text of one document. Values are texts, numbers, truth values, lists and mappings; None is left out."""
    return "\n".join(_entries(manifest, 0)) + "\n"


def values_in(value: Any) -> int:
    """How many values a reader counts: each text, number, list and mapping, and each key."""
    if isinstance(value, dict):
        found = cast("dict[str, Any]", value)
        return 1 + sum(1 + values_in(one) for one in found.values() if one is not None)
    if isinstance(value, list):
        return 1 + sum(map(values_in, cast("list[Any]", value)))
    return 1


def _entries(mapping: Mapping[str, Any], indent: int) -> Iterator[str]:
    for key, value in mapping.items():
        if value is not None:
            yield from _after(f"{' ' * indent}{scalar(key)}:", value, indent, indent + 2)


def _items(values: Sequence[Any], indent: int) -> Iterator[str]:
    for value in values:
        flow = _flow(value)
        if isinstance(value, dict) and (flow is None or indent + 2 + len(flow) > WIDTH):
            lines = list(_entries(cast("dict[str, Any]", value), indent + 2))
            yield f"{' ' * indent}- {lines[0].lstrip(' ')}"
            yield from lines[1:]
        else:
            yield from _after(f"{' ' * indent}-", value, indent, indent + 2)


def _after(start: str, value: Any, indent: int, below: int) -> Iterator[str]:
    """A value after its key or dash: on the same line where it fits, else below."""
    flow = _flow(value)
    scalars = not isinstance(value, dict | list)
    if flow is not None and (scalars or not value or len(start) + 1 + len(flow) <= WIDTH):
        yield f"{start} {flow}"
    elif isinstance(value, dict):
        yield start
        yield from _entries(cast("dict[str, Any]", value), below)
    elif isinstance(value, list):
        yield start
        yield from _items(cast("list[Any]", value), below)
    else:
        text = str(value)
        yield f"{start} {'|' if text.endswith(chr(10)) else '|-'}"
        yield from (f"{' ' * (indent + 2)}{line}" if line else "" for line in text.removesuffix("\n").split("\n"))


def _flow(value: Any) -> str | None:
    """A value in one line; None where it has lines of its own, or holds what has."""
    if isinstance(value, dict):
        entries = {key: one for key, one in cast("dict[str, Any]", value).items() if one is not None}
        inner = [_flow(one) for one in entries.values()]
        if any(one is None or isinstance(of, dict) for one, of in zip(inner, entries.values(), strict=True)):
            return None
        return f"{{{', '.join(f'{scalar(key)}: {one}' for key, one in zip(entries, inner, strict=True))}}}"
    if isinstance(value, list):
        inner = [None if isinstance(one, dict | list) else _flow(one) for one in cast("list[Any]", value)]
        return None if None in inner else f"[{', '.join(one for one in inner if one)}]"
    return None if isinstance(value, str) and _is_block(value) else scalar(value)


def scalar(value: Any) -> str:
    """A text, number or truth value in one line."""
    if isinstance(value, Plain):
        return str(value)
    if isinstance(value, str):
        plain = _PLAIN.fullmatch(value) and value[-1] != " " and value.isprintable()
        return value if plain and value.lower() not in _OLD_WORDS else _quoted(value)
    return json.dumps(value)


def _quoted(text: str) -> str:
    """In double quotes; whatever a reader may refuse, or take for a break of lines, as an escape."""
    return "".join(
        sign if sign.isprintable() else f"\\U{ord(sign):08X}" if ord(sign) > 31 else sign
        for sign in json.dumps(text, ensure_ascii=False)
    )


def _is_block(text: str) -> bool:
    """Whether a text of several lines can be written line by line, with no sign of it lost."""
    if "\n" not in text or isinstance(text, Plain):
        return False
    lines = text.removesuffix("\n").split("\n")
    if not lines[0] or lines[0][0] in " \t" or not lines[-1]:
        return False
    return not any(_UNFIT_LINE.search(line) or not line.replace("\t", " ").isprintable() for line in lines)
