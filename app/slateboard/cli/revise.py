"""`slate revise`: asks for a new version of a complete artifact."""

from __future__ import annotations

import click

from slateboard.cli import completion, parameters
from slateboard.cli.output import Invocation, pass_invocation


@click.command()
@click.argument("reference", metavar="TASK/ARTIFACT", shell_complete=completion.references)
@click.option("--reason", metavar="TEXT", help="What must be better.")
@click.option("--expect-version", type=click.IntRange(1), metavar="N", help="Only if it is at this version.")
@pass_invocation
def revise(invocation: Invocation, reference: str, reason: str | None, expect_version: int | None) -> None:
    """Ask for a new version of a complete artifact. What was made from the old one is marked stale when it is there.

    Example: slate revise release-api/api_description --reason "one field too many" --expect-version 1
    """
    answer = parameters.call(invocation, "revise", reference=reference, reason=reason, expect_version=expect_version)
    invocation.answer(
        answer, f"{answer['reference']} is revised by item {answer['item']}; now at version {answer['version']}"
    )
