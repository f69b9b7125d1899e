"""`slate meeting`: schedule meetings, take part in them from a shell, and read their minutes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from slateboard.cli import completion, parameters, tables
from slateboard.cli.output import Invocation, pass_invocation
from slateboard.cli.parameters import DURATION
from slateboard.protocol.errors import Invalid
from slateboard.protocol.meetings import Choice, DecisionModel, MeetingState

COLUMNS = (
    tables.field("MEETING", "meeting"), tables.field("STATE", "state"), tables.field("STARTS", "starts_at"),
    tables.field("CHAIR", "chair"), tables.Column("AGENDA", lambda row: f"{row['closed']}/{row['items']}"),
    tables.field("TITLE", "title", flexible=True),
)  # fmt: skip
LIMIT = 1_000
MEETING = click.argument("meeting", metavar="ID", type=int)


@click.group()
def meeting() -> None:
    """Meetings: an agenda, turns, concerns, motions, votes and minutes.

    Example: slate meeting list
    """


@meeting.command()
@click.argument("title")
@click.option("--with", "participants", multiple=True, metavar="AGENT", shell_complete=completion.agents,
              help="Who must come, and has a seat; repeatable.")  # fmt: skip
@click.option("--optional", multiple=True, metavar="AGENT", help="Who has a seat if there at the opening; repeatable.")
@click.option("--item", "agenda", multiple=True, metavar="TEXT", help="An item of the agenda; repeatable.")
@click.option("--decision-required", is_flag=True, help="Somebody is asked about what it leaves undecided.")
@click.option("--minutes", "max_duration_minutes", type=float, metavar="N", help="How long it may take [60].")
@click.option("--quorum", type=int, metavar="N", help="How many must come [more than half].")
@click.option("--model", "decision_model", type=parameters.one_of(DecisionModel), help="What carries [majority].")
@click.option("--veto", "veto_roles", multiple=True, metavar="ROLE", help="A role with a veto; repeatable.")
@click.option("--chair", metavar="AGENT", help="Who chairs it; else who schedules it, or the first who is there.")
@click.option("--starts-at", type=click.DateTime(["%Y-%m-%dT%H:%M:%S%z"]), metavar="TIME", help="When [now].")
@click.option("--turn", "turn_seconds", type=DURATION, metavar="TIME", help="How long a turn may take [90s].")
@click.option("--vote", "vote_seconds", type=DURATION, metavar="TIME", help="How long a vote may take [90s].")
@pass_invocation
def schedule(invocation: Invocation, title: str, starts_at: datetime | None, **given: Any) -> None:
    """Schedule a meeting; without a time it begins at once.

    Example: slate meeting schedule "API review" --with cto --with backend --item "REST or GraphQL?"
    """
    known: dict[str, Any] = {
        name: list[str](value) if isinstance(value, tuple) else value  # pyright: ignore[reportUnknownArgumentType]
        for name, value in given.items()
    }
    known = parameters.given({**known, "starts_at": starts_at})
    made = parameters.call(invocation, "schedule_meeting", title=title, **known)
    when = tables.moment(made["starts_at"])
    invocation.answer(made, f"meeting {made['meeting']} is {made['state']}, from {when} on; quorum {made['quorum']}")


@meeting.command("list")
@click.option("--state", type=parameters.one_of(MeetingState), help="Only those of this state.")
@pass_invocation
def list_(invocation: Invocation, state: str | None) -> None:
    """List the meetings, the newest first.

    Example: slate meeting list --state open
    """
    rows = parameters.call(invocation, "list_meetings", limit=LIMIT, **parameters.given({"state": state}))
    invocation.answer(rows, tables.table(COLUMNS, rows) if rows else "there is no meeting")


@meeting.command()
@MEETING
@pass_invocation
def show(invocation: Invocation, meeting: int) -> None:
    """Show the minutes of a meeting, also while it goes on: as Markdown, with --json as data.

    Example: slate meeting show 4711
    """
    found = parameters.call(invocation, "minutes", meeting=meeting)
    invocation.answer(found, found["markdown"].rstrip())


@meeting.command()
@MEETING
@pass_invocation
def join(invocation: Invocation, meeting: int) -> None:
    """Come to a meeting, or back to it.

    Example: slate meeting join 4711 --as cto
    """
    said = parameters.call(invocation, "join_meeting", meeting=meeting)
    invocation.answer(said, f"meeting {meeting} is {said['state']}; present: {', '.join(said['present'])}")


@meeting.command()
@MEETING
@click.argument("text")
@pass_invocation
def say(invocation: Invocation, meeting: int, text: str) -> None:
    """Say something in one's turn; `slate meeting pass` ends the turn.

    Example: slate meeting say 4711 "REST is enough" --as cto
    """
    invocation.answer(parameters.call(invocation, "say", meeting=meeting, text=text), "said")


@meeting.command()
@MEETING
@click.argument("text")
@pass_invocation
def concern(invocation: Invocation, meeting: int, text: str) -> None:
    """Raise a concern in one's turn or vote: nothing is approved until it is settled.

    Example: slate meeting concern 4711 "who may read it?" --as cso
    """
    said = parameters.call(invocation, "concern", meeting=meeting, text=text)
    invocation.answer(said, f"raised concern {said['concern']}")


@meeting.command()
@click.argument("concern", metavar="CONCERN", type=int)
@click.option("--overrule", is_flag=True, help="As the chair; without it, resolve what one raised oneself.")
@click.option("--reason", required=True, metavar="TEXT", help="Why; it stands in the minutes.")
@pass_invocation
def settle(invocation: Invocation, concern: int, overrule: bool, reason: str) -> None:
    """Resolve a concern that one raised, or overrule one as the chair.

    Example: slate meeting settle 4712 --reason "only admins" --as cso
    """
    how = "overruled" if overrule else "resolved"
    said = parameters.call(invocation, "settle_concern", concern=concern, how=how, reason=reason)
    invocation.answer(said, f"concern {concern} is {how}")


@meeting.command()
@MEETING
@click.argument("motion")
@click.option("--rationale", metavar="TEXT", help="Why.")
@click.option("--subject", metavar="NAME", help="Of the decision; else made of the motion.")
@click.option("--action", "actions", multiple=True, metavar="OWNER:TITLE",
              help="What its owner has to do then; repeatable.")  # fmt: skip
@click.option("--actions", "file", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
              help="Action items as JSON: a list of {title, owner, brief, due}.")  # fmt: skip
@pass_invocation
def propose(
    invocation: Invocation, meeting: int, motion: str, rationale: str | None, subject: str | None,
    actions: tuple[str, ...], file: Path | None,
) -> None:  # fmt: skip
    """Propose a motion in one's turn; it takes the place of one that was proposed before.

    Example: slate meeting propose 4711 "Use REST" --action "backend:Write the spec" --as cto
    """
    items = [*map(_action, actions), *(_actions_of(file) if file else [])]
    given = parameters.given({"rationale": rationale, "subject": subject})
    said = parameters.call(invocation, "propose", meeting=meeting, motion=motion, actions=items, **given)
    invocation.answer(said, f"proposed motion {said['motion']}")


@meeting.command()
@MEETING
@click.argument("choice", type=parameters.one_of(Choice))
@click.option("--rationale", default="", metavar="TEXT", help="Why.")
@pass_invocation
def vote(invocation: Invocation, meeting: int, choice: str, rationale: str) -> None:
    """Vote on the motion; again, it changes the vote until the item is closed.

    Example: slate meeting vote 4711 approve --rationale "it is the simplest" --as cto
    """
    said = parameters.call(invocation, "vote", meeting=meeting, choice=choice, rationale=rationale)
    invocation.answer(said, f"item {said['number']}: voted {said['choice']}")


@meeting.command("pass")
@MEETING
@pass_invocation
def pass_(invocation: Invocation, meeting: int) -> None:
    """End one's turn: who has said nothing passes.

    Example: slate meeting pass 4711 --as cto
    """
    said = parameters.call(invocation, "pass_turn", meeting=meeting)
    invocation.answer(said, f"passed; meeting {meeting} is {said['state']}")


@meeting.command()
@MEETING
@click.option("--reason", required=True, metavar="TEXT", help="Why; it stands in the minutes.")
@pass_invocation
def adjourn(invocation: Invocation, meeting: int, reason: str) -> None:
    """End a meeting: what is undecided is deferred.

    Example: slate meeting adjourn 4711 --reason "out of coffee"
    """
    said = parameters.call(invocation, "adjourn_meeting", meeting=meeting, reason=reason)
    invocation.answer(said, f"meeting {meeting} is {said['state']}")


def _action(text: str) -> Mapping[str, str]:
    owner, separator, title = text.partition(":")
    if not separator:
        raise Invalid(f"{text[:80]!r} names no owner", remedy='write it like "backend:Write the spec"')
    return {"owner": owner.strip(), "title": title.strip()}


def _actions_of(file: Path) -> list[Any]:
    try:
        found: Any = json.loads(file.read_text())
    except ValueError as error:
        raise Invalid(f"{file} is no JSON: {error}", remedy="write a list of {title, owner, brief, due}") from error
    if not isinstance(found, list):
        raise Invalid(f"{file} is no list", remedy="write a list of {title, owner, brief, due}")
    return list[Any](found)  # pyright: ignore[reportUnknownArgumentType]
