"""`slate work ask`, `slate inbox` and `slate answer`: questions that work waits for, and the answers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import click

from slateboard.cli import endings, parameters, tables
from slateboard.cli.output import Invocation, pass_invocation
from slateboard.cli.parameters import DURATION
from slateboard.protocol import durations
from slateboard.protocol.states import Priority

FIRST = 20
"""Questions that are shown at once; the rest is only said to be there."""
MAX_FIRST = 1_000
SHOWN_CHARACTERS = 400
"""Of a question; `slate show ID` has all of it."""


@click.command()
@endings.under_claim
@click.argument("question")
@click.option("--of", metavar="AGENT", help="Whom; else the manager, the delegator of the task, or a person.")
@click.option("--option", "options", multiple=True, metavar="TEXT", help="A possible answer; repeatable.")
@click.option("--default", metavar="TEXT", help="The answer if nobody gives one; without it the work is given up.")
@click.option("--deadline", type=DURATION, metavar="TIME", help="How long until it goes one level up [4h].")
@click.option("--severity", type=parameters.one_of(Priority), help="How much it matters [medium].")
@click.option("--note", metavar="TEXT", help="A sentence for the attempt that follows.")
@pass_invocation
def ask(
    invocation: Invocation, item: str, fence: int, question: str, of: str | None, options: tuple[str, ...],
    default: str | None, deadline: float | None, severity: str | None, note: str | None,
) -> None:  # fmt: skip
    """Give the claim back until somebody has answered; the next briefing has the answer.

    Example: slate work ask 4711 --fence 99 "Which region?" --of cto --option eu --option us --default eu
    """
    said = {"of": of, "default": default, "deadline_seconds": deadline, "severity": severity, "note": note}

    async def act() -> Mapping[str, Any]:
        async with invocation.client() as client:
            number = await parameters.item_of(client, item)
            given = parameters.given(said)
            return await client.call("ask", item=number, fence=fence, question=question, options=list(options), **given)

    answer = invocation.run(act())
    until = tables.moment(answer["deadline"])
    invocation.answer(answer, f"item {answer['item']} waits for the answer to {answer['escalation']} until {until}")


@click.command()
@click.option("--agent", "by", metavar="AGENT", help="Only what this agent is to answer; else what anybody is.")
@click.option("--first", type=click.IntRange(1, MAX_FIRST), default=FIRST, metavar="N", help=f"How many [{FIRST}].")
@click.option("--after", metavar="CURSOR", help="Go on after the page that ended with this cursor.")
@pass_invocation
def inbox(invocation: Invocation, by: str | None, first: int, after: str | None) -> None:
    """What waits for an answer, the nearest deadline first. `slate answer` answers by the number.

    Example: slate inbox --agent olivia
    """

    async def act() -> Mapping[str, Any]:
        async with invocation.client() as client:
            return await client.call("list_escalations", first=first, **parameters.given({"agent": by, "after": after}))

    page = invocation.run(act())
    invocation.answer(page, lambda: _show(page))


@click.command()
@click.argument("escalation", metavar="ID", type=int)
@click.argument("text", metavar="TEXT")
@pass_invocation
def answer(invocation: Invocation, escalation: int, text: str) -> None:
    """Answer what `slate inbox` shows: what waited for it goes on, with the answer in its briefing.

    Example: slate answer 4711 eu
    """
    said = parameters.call(invocation, "answer", escalation=escalation, answer=text)
    invocation.answer(said, f"{said['reference']}: answered {said['answer'][:80]!r}")


def _show(page: Mapping[str, Any]) -> None:
    """Two lines for each question: what it is about, and what is asked."""
    now = datetime.now(UTC)
    for row in page["rows"]:
        left = (row["deadline"] - now).total_seconds()
        until = f"{durations.shown(round(left, -1))} left" if left > 60 else "due now"
        about = f"{row['severity']}, {row['owner']}, {until}, asked by {row['asked_by']}"
        click.echo(f"{click.style(str(row['item']), bold=True)}  {row['reference']} ({about})")
        choices = f"  [{' | '.join(row['options'])}]" if row["options"] else ""
        default = "" if row["default"] is None else f"  default: {row['default']}"
        click.echo(f"    {tables.text_of(row['question'])[:SHOWN_CHARACTERS]}{choices}{default}")
    if not page["rows"]:
        click.echo("nothing waits for an answer")
    if page["next"]:
        click.echo(f"… and more: --after {page['next']}")
