"""`slate publish`: puts an event into the board's log, for whoever subscribes to it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from slateboard.cli import parameters
from slateboard.cli.output import Invocation, pass_invocation
from slateboard.protocol.errors import Invalid, TooLarge
from slateboard.protocol.work import MAX_CONTENT_BYTES


@click.command()
@click.argument("subject", metavar="SUBJECT")
@click.option("--data", metavar="JSON|@FILE|-", help="What is said of it, at most 1 MiB; `-` reads standard input.")
@click.option("--id", "key", metavar="ID", help="An id of yours: given again, nothing is published again.")
@click.option("--correlation", metavar="ID", help="The chain of events that it belongs to; else a new one.")
@click.option("--traceparent", metavar="TEXT", help="The caller's trace (W3C Trace Context).")
@click.option(
    "--item", type=int, envvar="SLATE_ITEM", metavar="ITEM", help="The work that publishes it (with --fence)."
)
@click.option("--fence", type=int, envvar="SLATE_FENCE", metavar="F", help="The fence of its claim.")
@pass_invocation
def publish(
    invocation: Invocation,
    subject: str,
    data: str | None,
    key: str | None,
    correlation: str | None,
    traceparent: str | None,
    item: int | None,
    fence: int | None,
) -> None:
    """Publish an event. Under a claim (in a worker's command by itself) it belongs to that work's chain.

    Example: slate publish genbrain.events.pr.merged --data '{"branch": "main"}' --id pr-17
    """
    arguments = parameters.given({
        "subject": subject, "data": data_of(data), "id": key, "correlation": correlation, "traceparent": traceparent,
    })  # fmt: skip
    under = (item, fence) if item is not None and fence is not None else None

    async def act() -> Any:
        async with invocation.client() as client:
            return await client.transport.call("publish", arguments, under=under)

    answer = invocation.run(act())
    said = "was published already" if answer["repeated"] else "is published"
    invocation.answer(answer, f"{subject} {said}; what follows: `slate log chain {answer['correlation']}`")


def data_of(given: str | None) -> Any:
    """The JSON that an option says: the text itself, `@FILE`, or `-` for standard input."""
    if given is None:
        return None
    text = _text(given)
    if len(text) > MAX_CONTENT_BYTES:
        raise TooLarge("the data is over the limit of 1 MiB", remedy="write a file and publish its path")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        message = f"the data is not JSON: {error}"
        raise Invalid(message, remedy="""write it like '{"branch": "main"}', a text like '"done"'""") from error


def _text(given: str) -> str:
    if given != "-" and not given.startswith("@"):
        return given
    try:
        if given == "-":
            return sys.stdin.buffer.read(MAX_CONTENT_BYTES + 1).decode()
        with Path(given[1:]).open("rb") as file:
            return file.read(MAX_CONTENT_BYTES + 1).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"{given} cannot be read: {error}", remedy="name a UTF-8 file that is there") from error
