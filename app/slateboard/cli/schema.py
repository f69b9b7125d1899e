"""`slate schema`: what the manifests of a kind may hold, as a JSON Schema for editors. It asks no server."""

from __future__ import annotations

import json
from typing import Any

import click

from slateboard.cli.output import Invocation, pass_invocation

INDENT = 2


@click.command()
@click.argument("kind", required=False)
@pass_invocation
def schema(invocation: Invocation, kind: str | None) -> None:
    """What a manifest of KIND may hold, as a JSON Schema; `all` for every kind. Without a KIND: which there are.

    Example: slate schema

    Example: slate schema all > manifests.schema.json
    """
    from slateboard.manifests.schema import ALL, answer

    found: dict[str, Any] = answer(kind or ALL)
    if kind is None:
        lines = [f"{one['kind']:16}{one['text']}" for one in found["kinds"]]
        invocation.answer(found["kinds"], "\n".join([*lines, f"{ALL:16}All kinds together."]))
    else:
        invocation.answer(found["schema"], json.dumps(found["schema"], indent=INDENT, ensure_ascii=False))
