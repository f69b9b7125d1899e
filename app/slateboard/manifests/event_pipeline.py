"""The kind EventPipeline: who hears of which events, and what they do then; also the guide's bare form with `events`.

Each consumer of each entry is a subscription, named after the pipeline, the subject, the agent and the action unless it
gives a name itself. So it stays the same subscription, with its place in the log, whatever else the pipeline gains or
loses. A pipeline says all of itself: what it said earlier and says no more is taken away.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from slateboard.manifests.artifacts import PRIORITIES
from slateboard.manifests.declarations import Declarations, DeclaredSubscription
from slateboard.manifests.fields import A_NAME, Fields, check, name, text
from slateboard.manifests.places import located, wrong
from slateboard.manifests.task_tree import shortened
from slateboard.protocol.errors import BadSubject
from slateboard.protocol.states import Priority
from slateboard.protocol.subjects import check_pattern

if TYPE_CHECKING:
    from slateboard.manifests.documents import Document
    from slateboard.manifests.places import Node

SPEC_KEYS = frozenset(("events",))
ENTRY_KEYS = frozenset(("subject", "all_of", "consumers"))
CONSUMER_KEYS = frozenset(("name", "agent", "action", "filter", "ordered_by", "priority", "start"))
AN_ENTRY = "an entry: {subject, consumers}, or {all_of, consumers}"
A_CONSUMER = "a consumer: {agent, action}"
BARE_NAME = "events"
"""The name of the pipeline that the bare form is."""
ACTION = "handle"
STARTS = frozenset(("now", "beginning"))
MAX_SUBJECTS = 16
"""Of one `all_of`."""

_UNFIT = re.compile(r"[^a-z0-9_-]+")


def declare(found: Declarations, document: Document, spec: Node, pipeline: str) -> None:
    """All subscriptions of the pipeline."""
    fields = Fields(document, spec, SPEC_KEYS, "the spec of an EventPipeline: events")
    fields.require("events", "a list of entries")
    found.pipelines.add(_source(pipeline))
    for node in fields.items("events", "a list of entries"):
        entry = Fields(document, node, ENTRY_KEYS, AN_ENTRY)
        patterns = _patterns(entry)
        entry.require("consumers", "a list of consumers")
        for consumer in entry.items("consumers", "a list of consumers"):
            one = Fields(document, consumer, CONSUMER_KEYS, A_CONSUMER)
            found.add_subscription(_subscription(found, one, patterns, pipeline, all_of="all_of" in entry.values))


def _patterns(entry: Fields) -> list[str]:
    """The entry's subject, or all of those that it waits for."""
    document = entry.document
    if "all_of" in entry.values and "subject" in entry.values:
        raise wrong(document.at(entry.node, "all_of"), "found both 'subject' and 'all_of'", "one of them")
    if "all_of" not in entry.values:
        node = entry.require("subject", "a subject, or a pattern: genbrain.events.pr.*")
        return [pattern_of(document, node)]
    nodes = entry.items("all_of", "a list of subjects")
    patterns = [pattern_of(document, node) for node in nodes]
    if not 2 <= len(set(patterns)) == len(patterns) <= MAX_SUBJECTS:
        place = document.at(entry.values["all_of"])
        raise wrong(place, f"found {len(patterns)} subjects", f"2 to {MAX_SUBJECTS}, each of them once")
    return patterns


def pattern_of(document: Document, node: Node) -> str:
    """A subject, or a pattern of subjects, at its place."""
    pattern = text(document, node, "a subject")
    try:
        return check_pattern(pattern)
    except BadSubject as error:
        raise located(error, document.at(node)) from None


def _subscription(
    found: Declarations, fields: Fields, patterns: list[str], pipeline: str, *, all_of: bool
) -> DeclaredSubscription:
    document, priority = fields.document, fields.word("priority", PRIORITIES)
    agent = name(document, fields.require("agent", A_NAME))
    found.add_agent(agent, document, fields.values["agent"])
    action = fields.text("action") or ACTION
    check(document, fields.node_of("action"), action)
    return DeclaredSubscription(
        document=document,
        node=fields.node,
        name=fields.name("name") or named_after(pipeline, patterns, agent, action),
        source=_source(pipeline),
        patterns=patterns,
        all_of=all_of,
        agent=agent,
        action=action,
        filter=fields.text("filter"),
        ordered_by=fields.text("ordered_by"),
        priority=PRIORITIES[priority] if priority else Priority.MEDIUM,
        start=fields.word("start", STARTS) or "now",
    )


def _source(pipeline: str) -> str:
    return f"EventPipeline/{pipeline}"


def named_after(first: str, patterns: list[str], *rest: str) -> str:
    """A name for a subscription: `<first>-<subject>-<rest>`; of the subject what stands after its `.events.`."""
    tokens = [token for pattern in patterns for token in pattern.rpartition(".events.")[2].split(".")]
    words = [{"*": "any", ">": "all"}.get(token) or _UNFIT.sub("-", token.lower()) for token in tokens]
    return shortened("-".join([first, *words, *rest]))
