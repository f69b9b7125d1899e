"""The kind EventPipeline: who hears of which events, and what they do then; also the guide's bare form with `events`.

Each consumer of each entry is a subscription, named after the pipeline, the subject, the agent and the action unless it
gives a name itself. So it stays the same subscription, with its place in the log, whatever else the pipeline gains or
loses. A pipeline says all of itself: what it said earlier and says no more is taken away.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from slateboard.manifests.artifacts import PRIORITY
from slateboard.manifests.declarations import Declarations, DeclaredSubscription
from slateboard.manifests.fields import Key, Rows, Table, Texts
from slateboard.manifests.places import wrong
from slateboard.manifests.task_tree import shortened
from slateboard.manifests.values import Name, Pattern, Text, Word
from slateboard.protocol.states import Priority

if TYPE_CHECKING:
    from slateboard.manifests.fields import Fields

BARE_NAME = "events"
"""The name of the pipeline that the bare form is."""
ACTION = "handle"
MAX_SUBJECTS = 16
"""Of one `all_of`."""
SUBJECTS = f"2 to {MAX_SUBJECTS} subjects, each of them once"

CONSUMER = Table(
    "consumer",
    "a consumer: {agent, action}",
    {
        "agent": Key(Name(), "Who gets the deliveries.", required=True),
        "action": Key(Name(), f"What is to be done; `{ACTION}` where it is not given."),
        "filter": Key(Text(), 'A JSON path over {subject, actor, correlation, payload}: `$.payload.branch == "main"`.'),
        "ordered_by": Key(Text(), "A JSON path to a key: deliveries of one key are claimed one after the other."),
        "priority": PRIORITY,
        "start": Key(Word(("now", "beginning")), "Where in the log a new subscription begins; else `now`."),
        "name": Key(Name(), "Of the subscription; else it is named after all else."),
    },
)
ENTRY = Table(
    "entry",
    "an entry: {subject, consumers}, or {all_of, consumers}",
    {
        "subject": Key(Pattern(), "A subject, or a pattern: `*` is one token, a final `>` the rest."),
        "all_of": Key(
            Texts(Pattern(), SUBJECTS, least=2, most=MAX_SUBJECTS, alone=False, items="subjects"),
            "Instead of a subject: all of these must come, with one correlation.",
        ),
        "consumers": Key(Rows(CONSUMER, "a list of consumers"), "Who hears of it, and what they do.", required=True),
    },
)
SPEC = Table(
    "spec",
    "the spec of an EventPipeline: events",
    {"events": Key(Rows(ENTRY, "a list of entries"), "Which events, and who hears of them.", required=True)},
)

_UNFIT = re.compile(r"[^a-z0-9_-]+")


def declare(found: Declarations, spec: Fields, own: str | None) -> None:
    """All subscriptions of the pipeline."""
    pipeline = own or BARE_NAME
    found.pipelines.add(_source(pipeline))
    for entry in spec.get("events"):
        patterns = _patterns(entry)
        for consumer in entry.get("consumers"):
            found.add_subscription(_subscription(found, consumer, patterns, pipeline, all_of="all_of" in entry))


def _patterns(entry: Fields) -> list[str]:
    """The entry's subject, or all of those that it waits for."""
    if "all_of" in entry and "subject" in entry:
        raise wrong(entry.document.at(entry.node, "all_of"), "found both 'subject' and 'all_of'", "one of them")
    if "subject" in entry:
        return [entry.get("subject")]
    patterns = [node.value for node in entry.nodes("all_of")]
    if not patterns:
        raise wrong(entry.document.at(entry.node), "there is no 'subject'", f"subject: {Pattern().expected}")
    if len(set(patterns)) != len(patterns):
        raise entry.wrong("all_of", f"found {len(patterns)} subjects, some of them twice", SUBJECTS)
    return patterns


def _subscription(
    found: Declarations, fields: Fields, patterns: list[str], pipeline: str, *, all_of: bool
) -> DeclaredSubscription:
    agent, action = fields.get("agent"), fields.get("action") or ACTION
    found.add_agent(agent, fields.document, fields.node_of("agent"))
    return DeclaredSubscription(
        document=fields.document,
        node=fields.node,
        name=fields.get("name") or named_after(pipeline, patterns, agent, action),
        source=_source(pipeline),
        patterns=patterns,
        all_of=all_of,
        agent=agent,
        action=action,
        filter=fields.get("filter"),
        ordered_by=fields.get("ordered_by"),
        priority=fields.get("priority") or Priority.MEDIUM.value,
        start=fields.get("start") or "now",
    )


def _source(pipeline: str) -> str:
    return f"EventPipeline/{pipeline}"


def named_after(first: str, patterns: list[str], *rest: str) -> str:
    """A name for a subscription: `<first>-<subject>-<rest>`; of the subject what stands after its `.events.`."""
    tokens = [token for pattern in patterns for token in pattern.rpartition(".events.")[2].split(".")]
    words = [{"*": "any", ">": "all"}.get(token) or _UNFIT.sub("-", token.lower()) for token in tokens]
    return shortened("-".join([first, *words, *rest]))
