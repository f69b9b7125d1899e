"""The JSON Schema (draft 2020-12) of manifests, made of the tables by which they are read.

It refuses nothing that the parser takes: what depends on other keys, other documents or the board, only the parser
knows. It needs neither a server nor a board.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from slateboard.manifests.kinds import KINDS, Kind
from slateboard.manifests.places import nearest
from slateboard.protocol.errors import UnknownName

if TYPE_CHECKING:
    from slateboard.manifests.values import Schema
    from slateboard.transaction import Statement

DRAFT = "https://json-schema.org/draft/2020-12/schema"
ALL = "all"
"""In the place of a kind: all of them together, for editors."""


async def manifest_schema(_tx: Statement, *, kind: str = ALL) -> dict[str, Any]:
    """The kinds, and the schema of one of them, or of all together. Raises `UnknownName`."""
    return answer(kind)


def answer(kind: str = ALL) -> dict[str, Any]:
    """What `manifest_schema` answers. Raises `UnknownName`."""
    return {
        "kinds": [{"kind": one.name, "text": one.text} for one in KINDS.values()],
        "schema": schema_of(kind),
    }


def schema_of(kind: str = ALL) -> Schema:
    """The schema of the manifests of a kind, its bare form included, or of all kinds. Raises `UnknownName`."""
    if kind == ALL:
        parts: dict[str, Schema] = {}
        forms = [form for one in KINDS.values() for form in _prefixed(one, parts)]
        return _root("A manifest of any kind.", "Slateboard manifest", forms, parts)
    if kind not in KINDS:
        near = nearest(kind, KINDS)
        remedy = f"did you mean {near!r}?" if near else f"one of: {', '.join(KINDS)}, {ALL}"
        raise UnknownName(f"there is no kind {kind[:80]!r}", remedy=remedy)
    parts = {}
    return _root(KINDS[kind].text, f"Slateboard {kind}", _forms(KINDS[kind], parts), parts)


def _root(text: str, title: str, forms: list[Schema], parts: dict[str, Schema]) -> Schema:
    which = forms[0] if len(forms) == 1 else {"anyOf": forms}
    return {"$schema": DRAFT, "title": title, "description": text, **which, "$defs": parts}


def _forms(kind: Kind, parts: dict[str, Schema]) -> list[Schema]:
    """The manifest as it stands in whole, and its bare form."""
    forms = [kind.form.schema(parts)]
    return forms if kind.bare_form is None else [*forms, kind.bare_form.schema(parts)]


def _prefixed(kind: Kind, parts: dict[str, Schema]) -> list[Schema]:
    """The forms of a kind, whose parts are put in under names that no other kind has."""
    own: dict[str, Schema] = {}
    forms = _forms(kind, own)
    forms, own = json.loads(json.dumps([forms, own]).replace('"#/$defs/', f'"#/$defs/{kind.name}.'))
    parts |= {f"{kind.name}.{name}": part for name, part in own.items()}
    return forms
