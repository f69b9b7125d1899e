"""`slate decide`: records a decision with the fields of MADR."""

from __future__ import annotations

import click

from slateboard.cli import parameters
from slateboard.cli.output import Invocation, pass_invocation


@click.command()
@click.argument("decision", metavar="TEXT")
@click.option("--subject", metavar="NAME", help="What it is about; else a name made of the text.")
@click.option("--rationale", metavar="TEXT", help="Why.")
@click.option("--context", metavar="TEXT", help="What made it necessary.")
@click.option("--driver", "drivers", multiple=True, metavar="TEXT", help="What weighed in; may be repeated.")
@click.option("--option", "options", multiple=True, metavar="TEXT", help="What was considered; may be repeated.")
@click.option("--consequences", metavar="TEXT", help="What follows from it, good and bad.")
@click.option("--confirmation", metavar="TEXT", help="How to see that it is kept.")
@click.option("--status", type=click.Choice(["accepted", "proposed", "rejected"]), default="accepted")
@click.option("--task", metavar="TASK", help="The task that it binds; else the whole board.")
@click.option("--supersedes", metavar="SUBJECT|ID", help="The accepted decision that it replaces.")
@pass_invocation
def decide(
    invocation: Invocation, decision: str, drivers: tuple[str, ...], options: tuple[str, ...],
    **more: str | None,
) -> None:  # fmt: skip
    """Record a decision: what, why, over which options. It is never edited, only superseded.

    Example: slate decide "Use ClickHouse" --subject storage --rationale "Columns" --option ClickHouse --option Postgres
    """
    made = parameters.call(
        invocation, "decide", decision=decision, drivers=list(drivers), options=list(options), **more
    )
    invocation.answer(made, f"decision {made['id']} on {made['subject']} is {made['status']}")
