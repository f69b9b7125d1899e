"""Ending claims: with a result (finish), or without one (give back).

A finish is accepted only under the fence of the claim that holds the item; result, status, unblocking of dependents and
event are one commit. Repeated with the same content within 7 days it answers as it did the first time; with other
content it is a conflict. Both take many items at once and answer for each.
"""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING, Any, TypeVar

from slateboard.protocol.errors import FinishConflict, Invalid, LeaseLost, SlateError, TooLarge
from slateboard.protocol.rights import Right
from slateboard.protocol.states import Outcome
from slateboard.protocol.usage import check_usage
from slateboard.protocol.work import (
    MAX_BATCH,
    MAX_CONTENT_BYTES,
    NOTHING,
    Finish,
    Finished,
    GiveBack,
    GivenBack,
    Result,
)
from slateboard.store.arrays import numbers, octets, texts
from slateboard.work import claims, hooks, queries

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from slateboard.transaction import Statement

Request = TypeVar("Request", Finish, GiveBack)

MAX_DELAY_SECONDS = 30 * 86_400.0
MAX_TEXT_CHARACTERS = 65_536
"""Of a summary, a note, an error, a path: they travel with every event."""
GIVEN_BACK = frozenset({Outcome.FAILED, Outcome.RELEASED, Outcome.INTERRUPTED, Outcome.RETURNED})


async def finish(
    tx: Statement, *, finishes: Sequence[Finish], now: datetime | None = None
) -> tuple[list[Finished], list[int]]:
    """Accept results; returns one answer for each, in their order, and the inboxes that now hold new work."""
    tx.require(Right.AGENT)
    if not any(one.kind in hooks.DUTIES for one in finishes):
        return await _finish(tx, finishes, now)
    duties = [(one, one.kind) for one in _ordered(finishes) if one.kind and one.kind in hooks.DUTIES]
    ended, woken = await hooks.finish(tx, duties, now)
    # Of a duty whose claim is gone the result may have been accepted before.
    answers = {key: answer for key, answer in ended.items() if not isinstance(answer.error, LeaseLost)}
    rest = [one for one in finishes if (one.item, one.fence) not in answers]
    if rest:
        others, more = await _finish(tx, rest, now)
        answers |= {(one.item, one.fence): answer for one, answer in zip(rest, others, strict=True)}
        woken += more
    return [answers[one.item, one.fence] for one in finishes], woken


async def _finish(tx: Statement, finishes: Sequence[Finish], now: datetime | None) -> tuple[list[Finished], list[int]]:
    """Ask for all at once, and then let the hooks have what was passed over."""
    ordered = _ordered(finishes)
    # A result with evidence, or with what undoes it, is for the hook of its kind.
    stale = {(one.item, one.fence): receipt(one.result)[1] for one in ordered if _says_more(one.result)}
    if stale:
        ordered = [one for one in ordered if (one.item, one.fence) not in stale]
    results = [one.result for one in ordered]
    usages = [_json(result.usage) for result in results]
    digests = [_digest(result, usage) for result, usage in zip(results, usages, strict=True)]
    rows = await tx.fetch(
        queries.FINISH,
        tx.board,
        tx.actor.limited_to,
        tx.actor.name,
        tx.actor.authenticated_by,
        numbers([one.item for one in ordered]),
        numbers([one.fence for one in ordered]),
        _texts([result.path for result in results]),
        _texts([result.uri for result in results]),
        _texts([result.content for result in results]),
        _texts([result.hash for result in results]),
        numbers([result.size_bytes for result in results]),
        _texts([result.summary for result in results]),
        _texts([result.note for result in results]),
        _texts(usages),
        octets(digests),
        now,
    )
    versions: dict[int, int] = {item: version for item, version, _ in rows}
    woken: list[int] = list(rows[0]["woken"]) if rows else []
    if len(rows) == len(finishes):
        return [Finished(one.item, versions[one.item]) for one in finishes], woken
    stale |= {
        (one.item, one.fence): digest for one, digest in zip(ordered, digests, strict=True) if one.item not in versions
    }
    losses = await claims.losses(tx, list(stale))
    held = [
        (one, losses[one.item, one.fence]["kind"])
        for one in _ordered(finishes)
        if (one.item, one.fence) in stale and _holds(tx, losses[one.item, one.fence])
    ]
    answers, more = await hooks.finish(tx, held, now) if held else ({}, [])
    answers |= {key: _repeated(tx, losses[key], digest) for key, digest in stale.items() if key not in answers}
    return [
        Finished(item=one.item, version=versions[one.item]) if one.item in versions else answers[one.item, one.fence]
        for one in finishes
    ], [*woken, *more]


async def give_back(
    tx: Statement, *, returns: Sequence[GiveBack], now: datetime | None = None
) -> tuple[list[GivenBack], list[int]]:
    """End claims without a result; returns one answer for each, in their order, and the inboxes to wake."""
    tx.require(Right.AGENT)
    for one in returns:
        if one.outcome not in GIVEN_BACK:
            raise Invalid(f"a claim is not given back as {one.outcome}", remedy=f"use one of {sorted(GIVEN_BACK)}")
        if one.outcome is Outcome.FAILED and one.failure_class is None:
            raise Invalid("a failure needs a class", remedy="transient, infrastructure, validation or logic")
        if one.delay_seconds is not None and not 0 <= one.delay_seconds <= MAX_DELAY_SECONDS:
            message = f"a delay lasts 0 s to 30 days, not {one.delay_seconds:g} s"
            raise Invalid(message, remedy="choose a length in that range", item=one.item)
        _check_texts(one.error, one.note)
    ordered = _ordered(returns)
    usages = [_json(one.usage) for one in ordered]
    rows = await tx.fetch(
        queries.GIVE_BACK,
        tx.board,
        tx.actor.limited_to,
        tx.actor.name,
        tx.actor.authenticated_by,
        [one.item for one in ordered],
        [one.fence for one in ordered],
        [one.outcome.value for one in ordered],
        [one.failure_class.value if one.failure_class else None for one in ordered],
        [one.error for one in ordered],
        [one.note for one in ordered],
        usages,
        [None for _ in ordered],
        [one.delay_seconds for one in ordered],
        now,
    )
    given = {row["item"]: row for row in rows}
    lost = [(one.item, one.fence) for one in returns if one.item not in given]
    losses = await claims.explain_losses(tx, lost) if lost else {}
    return [
        GivenBack(item=one.item, place=given[one.item]["place"], run_at=given[one.item]["run_at"])
        if one.item in given
        else GivenBack(item=one.item, error=losses[one.item, one.fence])
        for one in returns
    ], list(rows[0]["woken"]) if rows else []


def _ordered(requests: Sequence[Request]) -> list[Request]:
    """Sorted by item, as the statements lock them; each item once."""
    if len(requests) > MAX_BATCH:
        raise Invalid(f"at most {MAX_BATCH} items at once, not {len(requests)}", remedy="send several calls")
    if len({one.item for one in requests}) < len(requests):
        raise Invalid("an item stands twice in one call", remedy="send each item once")
    return sorted(requests, key=lambda one: one.item)


def _texts(values: list[str | None]) -> str:
    """A column for `unnest`, which fills a short one up with NULL: one without any value costs nothing."""
    return "{}" if values.count(None) == len(values) else texts(values)


def receipt(result: Result) -> tuple[str | None, bytes]:
    """The usage as JSON, and the digest by which a repetition is recognised. Raises `Invalid`, `TooLarge`."""
    usage = _json(result.usage)
    return usage, _digest(result, usage)


def _digest(result: Result, usage: str | None) -> bytes:
    """The content of a finish in 32 bytes, by which a repetition is recognised; refuses what is over its limit."""
    if result is NOTHING:
        return NOTHING_DIGEST
    text = _text(result, usage)
    if len(text) > MAX_TEXT_CHARACTERS:  # no part of a shorter one can be over its limit
        _check_size(result)
    return sha256(text.encode()).digest()


def _text(result: Result, usage: str | None) -> str:
    """All of it in one text, which no other content has."""
    said = (result.path, result.uri, result.content, result.hash, result.summary, result.note, usage)
    if not _says_more(result):
        return repr(said)
    return repr((*said, json.dumps(result.evidence, sort_keys=True, default=str), result.undo))


def _says_more(result: Result) -> bool:
    return result.evidence is not None or result.undo is not None


NOTHING_DIGEST = sha256(_text(NOTHING, None).encode()).digest()


def _check_size(result: Result) -> None:
    _check_texts(result.summary, result.note, result.path, result.uri, result.hash)
    if result.content is not None and len(result.content) * 4 > MAX_CONTENT_BYTES:
        size = len(result.content.encode())
        if size > MAX_CONTENT_BYTES:
            message = f"inline content is limited to 1 MiB; this is {size:,} bytes"
            raise TooLarge(message, remedy="write a file and give its path", size_bytes=size)


def _json(usage: dict[str, Any] | None) -> str | None:
    if usage is None:
        return None
    check_usage(usage)
    try:
        return json.dumps(usage, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise Invalid(f"the usage is not JSON: {error}", remedy="give numbers, texts, lists and objects") from error


def _check_texts(*texts: str | None) -> None:
    for text in texts:
        if text is not None and len(text) > MAX_TEXT_CHARACTERS:
            message = f"a summary, note, error, path or URI is limited to {MAX_TEXT_CHARACTERS:,} characters"
            raise TooLarge(message, remedy="put it into the content, or shorten it", characters=len(text))


def _holds(tx: Statement, loss: Any) -> bool:
    """Whether the claim that `finish_items` passed over is there, and is the actor's to end."""
    own = tx.actor.limited_to is None or loss["holder_agent"] == tx.actor.limited_to
    return own and loss["holder_fence"] == loss["fence"]


def _repeated(tx: Statement, row: Any, digest: bytes) -> Finished:
    """Answer a finish whose claim is gone: as the first time, or with the reason."""
    item: int = row["item"]
    if row["ended"] != Outcome.COMPLETED:
        return Finished(item=item, error=claims.loss(tx, row))
    if row["digest"] == digest:
        return Finished(item=item, version=row["version"])
    error: SlateError = FinishConflict(
        f"item {item} was already finished under fence {row['fence']}, with other content",
        remedy="nothing to do: the first result stands; `revise` asks for a new version",
        item=item,
        version=row["version"],
    )
    return Finished(item=item, error=error)
