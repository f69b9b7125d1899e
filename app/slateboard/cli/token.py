"""`slate token`: issues, rotates and revokes the tokens by which agents prove who they are. Each is shown once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from slateboard.cli import completion, get, parameters, tables
from slateboard.cli.output import Invocation, pass_invocation
from slateboard.cli.parameters import DURATION


@click.group()
def token() -> None:
    """Issue, rotate, revoke and list tokens.

    Example: slate token issue backend --expires-in 30d
    """


token.add_command(get.tokens, "list")


@token.command()
@click.argument("name", metavar="AGENT", shell_complete=completion.agents)
@click.option("--expires-in", type=DURATION, metavar="TIME", help="How long it works: 30d, 12h; else for ever.")
@pass_invocation
def issue(invocation: Invocation, name: str, expires_in: float | None) -> None:
    """Make a token for an agent. It is shown this once; only its hash is kept.

    Example: slate token issue backend --expires-in 30d
    """
    _show(invocation, parameters.call(invocation, "issue_token", agent=name, expires_in_seconds=expires_in))


@token.command()
@click.argument("token_id", type=int, metavar="ID")
@click.option("--overlap", type=DURATION, metavar="TIME", help="How long the old one still works: 0s to 7d, else 1h.")
@pass_invocation
def rotate(invocation: Invocation, token_id: int, overlap: float | None) -> None:
    """Replace a token: the new one works at once, the old one until the overlap is over.

    Example: slate token rotate 12 --overlap 10m
    """
    _show(invocation, parameters.call(invocation, "rotate_token", token_id=token_id, overlap_seconds=overlap))


@token.command()
@click.argument("token_id", type=int, metavar="ID")
@pass_invocation
def revoke(invocation: Invocation, token_id: int) -> None:
    """End a token at once.

    Example: slate token revoke 12
    """
    parameters.call(invocation, "revoke_token", token_id=token_id)
    invocation.answer({"token_id": token_id, "revoked": True}, f"token {token_id} is revoked")


def _show(invocation: Invocation, made: Mapping[str, Any]) -> None:
    """The token alone on standard output, so that it can be piped into a file; the rest on standard error."""
    invocation.answer(made, made["token"])
    if not invocation.as_json:
        until = "does not expire" if made["expires_at"] is None else f"works until {tables.moment(made['expires_at'])}"
        invocation.say(f"token {made['token_id']} of {made['agent']} {until}; it is shown only now")
