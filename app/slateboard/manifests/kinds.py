"""The kinds of manifests: which one a document is, and what it declares. The guide's bare forms are taken as kinds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slateboard.manifests import (
    agent_config,
    circuit_breaker,
    compensation,
    event_pipeline,
    meeting,
    routing_table,
    task_board,
    task_tree,
)
from slateboard.manifests.declarations import Declarations
from slateboard.manifests.documents import Document, read
from slateboard.manifests.fields import A_NAME, Fields, name, text
from slateboard.manifests.places import unknown, wrong

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

API_VERSION = "agent.ceo/v1"
KEYS = frozenset(("apiVersion", "kind", "metadata", "spec"))
METADATA_KEYS = frozenset(("name",))
BARE = {
    "task_id": "TaskBoard",
    "agents": "RoutingTable",
    "events": "EventPipeline",
    "circuit_breaker": "CircuitBreaker",
    "compensation": "Compensation",
}
"""A key at the top of a document without a kind, and the kind that it stands for."""
SUPPORTED = ("TaskBoard", "TaskTree", "EventPipeline", "Compensation", "CircuitBreaker", "AgentConfig", "RoutingTable",
             "Meeting")  # fmt: skip
KINDS = SUPPORTED


def declared(texts: Sequence[Mapping[str, str]]) -> Declarations:
    """What these texts declare, checked as far as it can be without a board. Raises `BadManifest`, `TooLarge`."""
    found = Declarations()
    for document in read(texts):
        _declare(found, document)
    found.add_results()
    return found


def _declare(found: Declarations, document: Document) -> None:
    root = document.root
    if root.kind != "a mapping":
        raise wrong(document.at(root), f"found {root.shown()}", "a manifest: a mapping with apiVersion and kind")
    if "kind" not in root.value:
        _declare_bare(found, document)
        return
    fields = Fields(document, root, KEYS, "a manifest")
    version = text(document, fields.require("apiVersion", API_VERSION))
    if version != API_VERSION:
        raise wrong(document.at(fields.values["apiVersion"]), f"found {version!r}", API_VERSION)
    kind = text(document, fields.require("kind", f"one of {', '.join(KINDS)}"))
    if kind not in KINDS:
        raise unknown(document.at(fields.values["kind"]), "kind", kind, KINDS)
    _check_supported(document, kind, "kind")
    own = None
    if kind != "TaskBoard" or "metadata" in fields.values:
        metadata = Fields(document, fields.require("metadata", "{name}"), METADATA_KEYS, "metadata: {name}")
        own = name(document, metadata.require("name", A_NAME))
    spec = fields.require("spec", f"what the {kind} holds")
    if kind == "TaskBoard":
        task_board.declare(found, document, spec, own)
    elif kind == "EventPipeline":
        event_pipeline.declare(found, document, spec, own or "")
    elif kind == "Compensation":
        compensation.declare(found, document, spec, own or "")
    elif kind == "CircuitBreaker":
        circuit_breaker.declare(found, document, spec, own)
    elif kind == "Meeting":
        meeting.declare(found, document, spec, own or "")
    elif kind == "AgentConfig":
        agent_config.declare(found, document, spec, own or "")
    elif kind == "RoutingTable":
        routing_table.declare(found, document, spec, own)
    else:
        task_tree.declare(found, document, spec, own or "")


def _declare_bare(found: Declarations, document: Document) -> None:
    root = document.root
    key = next((key for key in BARE if key in root.value), None)
    if key is None:
        raise wrong(
            document.at(root),
            "found no kind",
            f"apiVersion and kind, or one of the bare forms with {', '.join(BARE)}",
            remedy=f"begin with `apiVersion: {API_VERSION}` and `kind: TaskBoard`",
        )
    _check_supported(document, BARE[key], key)
    if BARE[key] == "EventPipeline":
        event_pipeline.declare(found, document, root, event_pipeline.BARE_NAME)
    elif BARE[key] == "Compensation":
        compensation.declare(found, document, root, compensation.BARE_NAME)
    elif BARE[key] == "CircuitBreaker":
        circuit_breaker.declare(found, document, root, None)
    elif BARE[key] == "RoutingTable":
        routing_table.declare(found, document, root, None)
    else:
        task_board.declare(found, document, root, None)


def _check_supported(document: Document, kind: str, key: str) -> None:
    if kind not in SUPPORTED:
        raise wrong(
            document.at(document.root, key),
            f"the kind {kind} is not supported yet by this version",
            f"one of: {', '.join(SUPPORTED)}",
            remedy="leave this document out, or apply it with a later version",
        )
