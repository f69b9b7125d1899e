"""Manifests as queries: what the board holds, as texts that `apply` takes, and what they may hold."""

from __future__ import annotations

import strawberry
from strawberry.scalars import JSON
from strawberry.types import Info

from slateboard.interfaces.graphql.choreography import given
from slateboard.interfaces.graphql.request import Request
from slateboard.manifests.schema import ALL

Ask = Info[Request, None]


@strawberry.type
class Manifest:
    """One manifest: its kind, the name in its metadata, and its text (YAML)."""

    kind: str
    name: str
    text: str


@strawberry.type
class Export:
    """A page of manifests, as much as one apply takes. `notes` say what none can hold; `next` is where to go on."""

    manifests: list[Manifest]
    notes: list[str]
    next: str | None


@strawberry.type
class ManifestKind:
    """A kind of manifest, and what it declares."""

    kind: str
    text: str


@strawberry.type
class ManifestSchema:
    """The kinds, and the JSON Schema (draft 2020-12) of the one that was asked for."""

    kinds: list[ManifestKind]
    schema: JSON


@strawberry.type
class ManifestQuery:
    """What stands on the board, as manifests, and what they may hold."""

    @strawberry.field
    async def export(
        self,
        info: Ask,
        kinds: list[str] | None = None,
        name: str | None = None,
        after: str | None = None,
        board: str | None = None,
    ) -> Export | None:
        """The board as manifests that apply back with no change; all of them, or those of some kinds, or of a name."""
        return await info.context.perform("export", board, given(kinds=kinds, name=name, after=after))

    @strawberry.field
    async def manifest_schema(self, info: Ask, kind: str = ALL, board: str | None = None) -> ManifestSchema | None:
        """What a manifest of a kind may hold, or of any (`all`)."""
        return await info.context.perform("manifest_schema", board, {"kind": kind})
