"""`POST /boards/{board}/events`: CloudEvents 1.0, as one JSON document (structured) or with ce-* headers (binary).

`type` is the subject under which the event is published, `source` and `id` together are its id (the same published
again within the time that ids are remembered publish nothing again), and `data` is its payload. The extensions
`traceparent` and `correlation` are kept. `subject`, `time` and what else it says are not: the log has its own.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote

from fastapi import APIRouter, Request

from slateboard.interfaces.operations import perform
from slateboard.protocol.errors import Denied, Invalid
from slateboard.protocol.names import BoardId, check_name
from slateboard.transaction import board_named

if TYPE_CHECKING:
    from slateboard.protocol.rights import Actor
    from slateboard.store.database import Database

    Wake = Callable[[BoardId, Iterable[int]], None]

STRUCTURED = "application/cloudevents+json"
BATCHED = "application/cloudevents-batch+json"
VERSION = "1.0"
REQUIRED = ("specversion", "id", "source", "type")
REMEDY = "send a CloudEvent 1.0: see docs/events.md"
ACCEPTED = 202
ID_CHARACTERS = 255
"""Of an id that is kept as it is; a longer one is kept as its hash."""


def build(database: Database, *, wake: Wake | None = None) -> APIRouter:
    """The route. `wake` tells the notifier whom a commit concerns."""
    router = APIRouter()

    @router.post("/boards/{board}/events", status_code=ACCEPTED)
    async def publish(request: Request, board: str) -> dict[str, Any]:
        """Publish a CloudEvent; gives the number of the event, its subject, and the chain that it belongs to."""
        actor: Actor = request.state.actor
        event = _event(request.headers.get("content-type", ""), request.headers, await request.body())
        where = await _board(database, actor, board)
        return await perform(database, actor, where, "publish", _arguments(event), wake=wake)

    return router


async def _board(database: Database, actor: Actor, name: str) -> BoardId:
    """The board of that name; `Denied` for another than the token's."""
    check_name(name, "board")
    async with database.acquire() as connection:
        if actor.board is not None:
            own: str = await connection.fetchval("SELECT name FROM boards WHERE id = $1", actor.board)
            if own != name:
                message = f"{actor.name} belongs to the board {own}, and cannot publish on {name}"
                raise Denied(message, remedy="use a token of that board", board=name)
        return await board_named(connection, name)


def _event(content_type: str, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """The attributes of the event, with its payload as `data`; `Invalid` for what is no CloudEvent 1.0."""
    media = content_type.partition(";")[0].strip().lower()
    if media == BATCHED:
        raise Invalid("a batch of events is not taken", remedy="send each event by itself")
    if media == STRUCTURED:
        event = _structured(body)
    elif "ce-specversion" in headers:
        event = {name[3:]: _header(name, value) for name, value in headers.items() if name.startswith("ce-")}
        event["data"] = _data(media, body)
    else:
        raise Invalid(f"the request is no CloudEvent: neither {STRUCTURED} nor ce-* headers", remedy=REMEDY)
    for name in REQUIRED:
        if not isinstance(event.get(name), str) or not event[name]:
            raise Invalid(f"the event has no {name!r}, which is a text that every CloudEvent has", remedy=REMEDY)
    if event["specversion"] != VERSION:
        raise Invalid(f"the event is a CloudEvent {event['specversion'][:20]}, not {VERSION}", remedy=REMEDY)
    return event


def _header(name: str, value: str) -> str:
    """An attribute from its header: quotes are taken off, then percent signs are decoded, as the HTTP binding says."""
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = re.sub(r"\\(.)", r"\1", value[1:-1])
    try:
        return unquote(value, errors="strict")
    except UnicodeDecodeError as error:
        raise Invalid(f"the header {name} is not UTF-8: {error}", remedy="percent-encode it as UTF-8") from error


def _structured(body: bytes) -> dict[str, Any]:
    event = _json(body)
    if not isinstance(event, dict):
        raise Invalid("the event is no JSON object", remedy=REMEDY)
    event = cast("dict[str, Any]", event)
    if "data_base64" not in event:
        return event
    if "data" in event:
        raise Invalid("the event has both data and data_base64", remedy="give one of them")
    try:
        raw = base64.b64decode(event.pop("data_base64"), validate=True)
    except (TypeError, ValueError, binascii.Error) as error:
        raise Invalid(f"data_base64 cannot be read: {error}", remedy="encode it as base64, or give data") from error
    said = event.get("datacontenttype")
    return {**event, "data": _data(said.partition(";")[0].strip().lower() if isinstance(said, str) else "", raw)}


def _data(media: str, body: bytes) -> Any:
    """The payload: JSON as it is, text as a text, anything else refused."""
    if not body:
        return None
    if not media or media == "application/json" or media.endswith("+json"):
        return _json(body)
    if media.startswith("text/"):
        try:
            return body.decode()
        except UnicodeDecodeError as error:
            raise Invalid(f"the data is not UTF-8: {error}", remedy="send it as UTF-8") from error
    message = f"data of the type {media[:80]} is not taken"
    raise Invalid(message, remedy="send JSON or a text; write anything else to a file and publish where it is")


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Invalid(f"this is not JSON: {error}", remedy=REMEDY) from error


def _arguments(event: Mapping[str, Any]) -> dict[str, Any]:
    """The event as `publish` takes it. Two sources may give the same id, so both are the event's id."""
    named = {"correlation": event.get("correlation"), "traceparent": event.get("traceparent")}
    for name, value in named.items():
        if value is not None and not isinstance(value, str):
            raise Invalid(f"the extension {name!r} is no text", remedy=REMEDY)
    identity = f"{event['source']} {event['id']}"
    if len(identity) > ID_CHARACTERS:
        identity = "sha256:" + sha256(identity.encode()).hexdigest()
    return {"subject": event["type"], "id": identity, "data": event.get("data"), **named}
