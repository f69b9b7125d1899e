"""Briefings and explanations as people and models read them: what is wanted, what there is to go on, what went wrong.

What peers wrote is data: it stands indented below a line that names its author.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from slateboard.cli import tables
from slateboard.protocol.states import ItemKind

MAX_SHOWN = 2_000
"""Signs of one input's content that are shown; the whole is in the JSON."""


def text(claim: Mapping[str, Any], briefing: Mapping[str, Any]) -> str:
    """A claim with its briefing."""
    head = tables.facts(
        {
            "item": claim["item"],
            "fence": claim["fence"],
            "artifact": claim["reference"],
            "attempt": claim["attempt"],
            "kept until": claim["expires_at"],
            "title": briefing["title"] if briefing["title"] != briefing["artifact"] else None,
            "brief": briefing["brief"],
            "path": briefing["path"],
            "due": claim["due"],
            "criteria": briefing["criteria"],
            "evidence": ", ".join(briefing["evidence"] or ()) or None,
            "last error": briefing["last_error"],
            "note": briefing["note"],
            "checkpoint": briefing["checkpoint"],
        }
    )
    parts = [
        head,
        _duty(briefing),
        _part("Reviews", [_review(one) for one in briefing["reviews"]]),
        _part("Answers", [_answer(one) for one in briefing["answers"]]),
        _part("Wanted for", [_task(one) for one in briefing["chain"]]),
        _part("Inputs", [_input(one) for one in briefing["inputs"]]),
        _part("Decisions in force", [_decision(one) for one in briefing["decisions"]]),
        _part("Earlier attempts", [_attempt(one) for one in briefing["attempts"]]),
        _next_steps(claim["item"], claim["fence"], claim["kind"], briefing),
    ]
    return "\n\n".join(part for part in parts if part)


def explanation(found: Mapping[str, Any]) -> str:
    """Why an item stands where it stands."""
    parts: Mapping[str, int] = found["parts"]
    total = " + ".join(f"{number} {name.replace('_', ' ')}" for name, number in parts.items())
    facts = {
        "item": found["item"],
        "artifact": found["reference"],
        "place": found["place"],
        "rating": None if found["rating"] is None else f"{found['rating']} = {total}",
        "ahead of it": found["ahead"],
        "not before": found["run_at"],
        "paused": ", ".join(f"{one['what']} ({one['reason'] or 'no reason given'})" for one in found["paused"]),
    }
    blockers: Sequence[Mapping[str, Any]] = found["blocked_by"]
    return "\n\n".join(part for part in (tables.facts(facts), _part("Waits for", map(_blocker, blockers))) if part)


def _duty(briefing: Mapping[str, Any]) -> str:
    """What somebody must judge, answer or undo."""
    if one := briefing["verification"]:
        return _part("To judge", [_version(one, f"version {one['version']} by {one['author']}")])
    if one := briefing["question"]:
        options = f" (one of: {', '.join(one['options'])})" if one["options"] else ""
        default = f"; unanswered, it is {one['default']}" if one["default"] else ""
        return _part("To answer", [f"asked by {one['asked_by']}{options}{default}" + _indented(one["question"])])
    if one := briefing["compensation"]:
        head = f"{one['step']} version {one['version']} by {one['author']}, by {one['action']}"
        because = _indented(f"because {one['because']}\nidempotency key {one['idempotency_key']}")
        return _part("To undo", [_version(one, head) + because])
    return ""


def _version(one: Mapping[str, Any], head: str) -> str:
    where = tables.clean(one["path"] or one["uri"] or ("inline" if one["content"] else "nothing"))
    proof = one["hash"] or "without a hash: unproven"
    return f"{head}: {where} ({proof})" + _indented(one["summary"]) + _indented((one["content"] or "")[:MAX_SHOWN])


def _review(one: Mapping[str, Any]) -> str:
    return f"version {one['version']} was {one['verdict']} by {one['judged_by']}" + _indented(one["reason"])


def _answer(one: Mapping[str, Any]) -> str:
    return f"{one['answered_by']}: {tables.clean(one['answer'])}" + _indented(one["question"])


def _next_steps(item: int, fence: int, kind: str, briefing: Mapping[str, Any]) -> str:
    ending = f"slate work finish {item} --fence {fence} --path FILE --summary TEXT"
    if kind == ItemKind.VERIFY:
        ending = f"slate work approve {item}, or slate work reject {item} --reason TEXT"
    elif kind == ItemKind.ANSWER:
        ending = f"slate answer {item} TEXT"
    elif kind == ItemKind.COMPENSATE:
        ending = f"slate work finish {item} --fence {fence} --note TEXT"
    elif demanded := briefing["evidence"]:
        ending += "".join(f" --evidence {one}=TEXT" for one in demanded)
    return (
        f"Hand it in:   {ending}\n"
        f"Keep it:      slate work heartbeat {item} --fence {fence}\n"
        f"Give it back: slate work release {item} --fence {fence} --note TEXT"
    )


def _part(heading: str, entries: Sequence[str] | Iterator[str]) -> str:
    lines = [f"  {entry}" for entry in entries]
    return "\n".join([heading, *lines]) if lines else ""


def _task(one: Mapping[str, Any]) -> str:
    who = f" ({one['agent']})" if one["agent"] else ""
    return f"{one['task']}{who}: {tables.clean(one['title'])}" + _indented(one["brief"])


def _input(one: Mapping[str, Any]) -> str:
    where = tables.clean(one["path"] or one["uri"] or ("inline" if one["content"] else "nothing"))
    head = f"{one['reference']} version {one['version']} by {one['author']}: {where}"
    content = (one["content"] or "")[:MAX_SHOWN]
    if len(one["content"] or "") > MAX_SHOWN:
        content += "\n… cut; the whole is in --json"
    return head + _indented(one["summary"]) + _indented(content)


def _decision(one: Mapping[str, Any]) -> str:
    return f"{one['subject']} ({one['agent']}): {tables.clean(one['decision'])}" + _indented(one["rationale"])


def _attempt(one: Mapping[str, Any]) -> str:
    why = f", {one['class']}" if one["class"] else ""
    head = f"{one['attempt']}: {one['outcome']}{why} ({one['worker']})"
    return head + _indented(one["error"]) + _indented(one["note"])


def _blocker(one: Mapping[str, Any]) -> str:
    return f"{one['reference']} (item {one['item']}): {one['place']}"


def _indented(value: str | None) -> str:
    return "".join(f"\n      {line}" for line in tables.block(value or "").splitlines())
