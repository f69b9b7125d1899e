"""`slate depend`: blocks an artifact by others."""

from __future__ import annotations

import click

from slateboard.cli import completion, parameters
from slateboard.cli.output import Invocation, pass_invocation


@click.command()
@click.argument("reference", metavar="TASK/ARTIFACT", shell_complete=completion.references)
@click.option(
    "--on",
    "blockers",
    multiple=True,
    required=True,
    metavar="REF",
    shell_complete=completion.references,
    help="What it waits for; may be repeated.",
)
@pass_invocation
def depend(invocation: Invocation, reference: str, blockers: tuple[str, ...]) -> None:
    """Block an artifact that has not started by others; it can be claimed when all of them are complete.

    Example: slate depend dashboard/dashboard --on security/security_review
    """
    answer = parameters.call(invocation, "depend", reference=reference, on=list(blockers))
    invocation.answer(answer, f"{answer['reference']} (item {answer['item']}) waits for {', '.join(blockers)}")
