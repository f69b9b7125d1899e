"""The kinds of manifests: which one a document is, and what it declares. The guide's bare forms are taken as kinds."""

from __future__ import annotations

import re
from dataclasses import dataclass
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
from slateboard.manifests.fields import Fields, Key, Table
from slateboard.manifests.places import unknown, wrong
from slateboard.manifests.values import Name, Text, Word

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

API_VERSION = "agent.ceo/v1"
METADATA = Table("metadata", "metadata: {name}", {"name": Key(Name(), "The name of the manifest.", required=True)})


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """A kind of manifest: the keys of its spec, what it declares, and its bare form, where it has one.

    `bare` is the key at the top of a document without a kind that stands for this one, `bare_form` its keys.
    """

    name: str
    text: str
    spec: Table
    declare: Callable[[Declarations, Fields, str | None], None]
    bare: str | None = None
    bare_form: Table | None = None
    needs_name: bool = True

    @property
    def form(self) -> Table:
        """The keys of a document of this kind."""
        return Table(
            "manifest",
            "a manifest",
            {
                "apiVersion": Key(
                    Text(API_VERSION, pattern=re.escape(API_VERSION)), "The version of what stands here.", required=True
                ),
                "kind": Key(Word((self.name,)), self.text, required=True),
                "metadata": Key(METADATA, "What the manifest is called.", required=self.needs_name),
                "spec": Key(self.spec, f"What the {self.name} holds.", required=True),
            },
        )


_ALL = (
    Kind(
        "TaskBoard", "One task with its artifacts and decisions.", task_board.SPEC, task_board.declare,
        bare="task_id", bare_form=task_board.BARE, needs_name=False,
    ),
    Kind("TaskTree", "Tasks that are delegated downwards.", task_tree.SPEC, task_tree.declare),
    Kind(
        "EventPipeline", "Who hears of which events, and what they do then.", event_pipeline.SPEC,
        event_pipeline.declare, bare="events", bare_form=event_pipeline.SPEC,
    ),
    Kind(
        "Compensation", "What undoes the completed steps of a task that fails.", compensation.SPEC,
        compensation.declare, bare="compensation", bare_form=compensation.SPEC,
    ),
    Kind(
        "CircuitBreaker", "When circuit breakers of agents open, and what becomes of their work then.",
        circuit_breaker.SPEC, circuit_breaker.declare, bare="circuit_breaker", bare_form=circuit_breaker.BARE,
    ),
    Kind(
        "AgentConfig", "An agent: from whom it takes work, what it hears of, to whom it may write.",
        agent_config.SPEC, agent_config.declare,
    ),
    Kind(
        "RoutingTable", "Who consults whom for what, and who tells whom when.", routing_table.SPEC,
        routing_table.declare, bare="agents", bare_form=routing_table.SPEC,
    ),
    Kind("Meeting", "A meeting that is held once.", meeting.SPEC, meeting.declare),
)  # fmt: skip
KINDS = {kind.name: kind for kind in _ALL}
FORMS = {kind.name: kind.form for kind in _ALL}
BARE = {kind.bare: kind for kind in (_ALL[0], _ALL[6], *_ALL[2:5]) if kind.bare}
"""By the key at the top of a document without a kind, the kind that it stands for; the first that is there counts."""


def declared(texts: Sequence[Mapping[str, str]]) -> Declarations:
    """What these texts declare, checked as far as it can be without a board. Raises `BadManifest`, `TooLarge`.

    The first mistake ends it, in the order of the texts.
    """
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
    node = root.entries["kind"]
    if node.kind == "a text" and node.value not in KINDS:
        raise unknown(document.at(node), "kind", node.value, KINDS)
    kind = KINDS.get(node.value if node.kind == "a text" else "", _ALL[0])
    fields = Fields(document, root, FORMS[kind.name])
    for key in ("apiVersion", "kind"):
        fields.get(key)
    metadata: Fields | None = fields.get("metadata")
    kind.declare(found, fields.get("spec"), None if metadata is None else metadata.get("name"))


def _declare_bare(found: Declarations, document: Document) -> None:
    root = document.root
    kind = next((kind for key, kind in BARE.items() if key in root.value), None)
    if kind is None or kind.bare_form is None:
        raise wrong(
            document.at(root),
            "found no kind",
            f"apiVersion and kind, or one of the bare forms with {', '.join(BARE)}",
            remedy=f"begin with `apiVersion: {API_VERSION}` and `kind: TaskBoard`",
        )
    for key, other in BARE.items():
        if key in root.value and other is not kind and key not in kind.bare_form.keys:
            raise wrong(
                document.at(root, key),
                f"found {key!r} beside {kind.bare!r}",
                "one bare form in a document",
                remedy="put a line `---` between them",
            )
    kind.declare(found, Fields(document, root, kind.bare_form), None)
