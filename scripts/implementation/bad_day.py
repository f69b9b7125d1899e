"""The demo's fourth part: a bad day. A release is rolled back, a circuit breaker opens and closes, a person saves work.

Everything is done by worker processes and the server; here is only what a person would do: look, answer, and bring the
supplier back. What is shown is also checked: the demo ends with an error where the board did not do what it says.
"""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.implementation.fleet import Fleet, run
from scripts.implementation.telling import Teller, check

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from rich.console import Console

    from slateboard import Client

PERSON = "olivia"
PAGE = 500
COMPLETED = "board.artifact.completed"
STEPS = ("deploy_to_production", "update_database_schema")
ROLLBACK = ["rollback_deployment", "run_down_migration"]
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
FAILURES = 3
WIDTH = 30
"""Of the column that says what a line is about."""


class Story(Teller):
    """The bad day as it is told: the log is followed, and each event of it that matters is a line."""

    def __init__(self, client: Client, console: Console, environment: dict[str, str], files: Path) -> None:
        super().__init__(client, console, environment)
        self.files = files
        self.start = time.monotonic()
        self.position = 0
        self.told: list[tuple[str, dict[str, Any]]] = []

    async def begin(self) -> None:
        """Tell of nothing that was before."""
        while page := await self.client.read_log(after=self.position, limit=PAGE):
            self.position = page[-1]["position"]

    async def follow(self) -> None:
        """Print what happened since the last look."""
        while page := await self.client.read_log(after=self.position, limit=PAGE):
            for event in page:
                self.position, subject, payload = event["position"], event["subject"], event["payload"]
                self.told.append((subject, payload))
                if said := _said(subject, payload):
                    about, what = said
                    seconds = time.monotonic() - self.start
                    self.line(f"  {seconds:5.1f} s  {about:<{WIDTH}} {what}")

    async def until(self, what: str, condition: Callable[[], Awaitable[Any]]) -> Any:
        """Follow the log until something is so; what it is, is returned."""

        async def look() -> Any:
            found = await condition()
            await self.follow()
            return found

        return await super().until(what, look)

    async def logged(self, what: str, subject: str, *references: str) -> None:
        """Follow the log until it tells this of all these: a state may be there before the log says so."""

        async def told() -> bool:
            return set(references) <= {payload.get("reference") for of, payload in self.told if of == subject}

        await self.until(what, told)

    async def places(self, task: str) -> dict[str, str]:
        """Where the work of a task is, by the artifact's name."""
        rows = [one for one in await self.rows("list_items") if one["kind"] == "produce"]
        named = [(one["reference"].partition("/"), one["place"]) for one in rows]
        return {name: place for (of, _, name), place in named if of == task}

    async def question(self, reference: str) -> dict[str, Any] | None:
        """What the person is asked about a task, if it is."""
        asked = await self.rows("list_escalations", agent=PERSON)
        return next((one for one in asked if one["reference"] == reference), None)


async def play(client: Client, console: Console, environment: dict[str, str], *, example: Path, folder: Path) -> None:
    """All three troubles, one after the other; `folder` is for what the workers print."""
    story = Story(client, console, environment, Path(environment["SLATE_EXAMPLE_OUT"]) / "bad-day")
    role = "Answers when agents cannot go on"
    await story.command("agent", "add", PERSON, "--kind", "human", "--role", role)
    await asyncio.to_thread(run, "apply", f"-f{example / 'board.yaml'}", environment=environment)
    fleet = Fleet(example, folder, environment)
    await story.begin()
    try:
        await _rolled_back(story, fleet)
        await _broken(story, fleet)
        await _answered(story, fleet)
    finally:
        await asyncio.to_thread(fleet.end)
    seconds = time.monotonic() - story.start
    stuck = (await client.call("stuck"))["items"]
    check(not stuck, f"something is stuck: {[one['reference'] for one in stuck]}")
    console.print(
        f"The bad day is over, after {seconds:.1f} s. Nothing is stuck; what is left is {PERSON}'s own word on it.\n"
    )


async def _rolled_back(story: Story, fleet: Fleet) -> None:
    """A release whose smoke test fails for good is undone, the last step first."""
    story.heading("When agents fail, 1", "the smoke test of a release fails for good: what was done is undone")
    fleet.start("releaser")

    await story.logged(
        "the release was rolled back", "board.compensation.undone", *(f"release/{step}" for step in STEPS)
    )
    done = [payload["action"] for subject, payload in story.told if subject == "board.compensation.undone"]
    check(done == ROLLBACK, f"the release was not rolled back in reverse order: {done}")
    production = story.files / "production"
    versions = {
        name: json.loads((production / f"{name}.json").read_text())["version"] for name in ("schema", "running")
    }
    check(versions == {"schema": 7, "running": 41}, f"production is not what it was: {versions}")
    shown = await story.command("show", "release")
    check(shown.count("undone") == len(ROLLBACK), "`slate show` does not say what was undone")
    asked = await story.until(f"{PERSON} is asked about the release", lambda: story.question("release"))
    await story.command("inbox", "--agent", PERSON)
    await story.command("--as", PERSON, "answer", str(asked["item"]), "leave")
    await story.logged("the answer is in the log", "board.escalation.answered", "release")


async def _broken(story: Story, fleet: Fleet) -> None:
    """An agent that fails too often gets no more work, until one probe goes through."""
    story.heading("When agents fail, 2", "an agent fails three items, and its circuit breaker opens")
    fleet.start("importer")

    async def shut() -> dict[str, Any] | None:
        found = await story.client.call("show_breaker", agent="importer")
        return found if found["state"] == "open" else None

    found = await story.until("the breaker of importer opened", shut)
    check(found["failed"] >= FAILURES, f"the breaker opened after {found['failed']} failures")

    async def told() -> bool:
        subjects = [subject for subject, _ in story.told]
        return subjects.count("board.item.failed") >= FAILURES and "board.breaker.opened" in subjects

    await story.until("the log tells why the breaker opened", told)  # the board knows it before the log has it
    places = await story.places("catalogue")
    waiting = [day for day in DAYS if places[day] == "ready"]
    check(bool(waiting), f"nothing waits behind the breaker: {places}")
    shown = await story.command("why", f"catalogue/{waiting[-1]}")
    check("circuit breaker of importer" in shown, "`slate why` does not name the breaker")
    (story.files / "supplier-is-back").touch()
    story.console.print("The supplier answers again.")

    await story.logged("the catalogue was imported", COMPLETED, *(f"catalogue/{day}" for day in DAYS))
    changes = [subject.rpartition(".")[2] for subject, _ in story.told if subject.startswith("board.breaker.")]
    check(changes[0] == "opened" and changes[-2:] == ["probed", "closed"], f"the breaker went {changes}")
    probes = changes.count("probed") - changes.count("reopened") - changes.count("returned")
    check(probes == 1, f"not one probe closed the breaker, but {probes}: {changes}")


async def _answered(story: Story, fleet: Fleet) -> None:
    """Work that only a person can save becomes a dead letter, and her answer brings it back."""
    story.heading("When agents fail, 3", "a dead letter that only a person can save")
    fleet.start("notary")
    asked = await story.until(f"{PERSON} is asked about the signature", lambda: story.question("signing"))
    await story.command("inbox", "--agent", PERSON)
    (story.files / "key").write_text("2027\n", encoding="utf-8")
    story.console.print(f"{PERSON} renews the key, and answers.")
    await story.command("--as", PERSON, "answer", str(asked["item"]), "redrive")

    await story.logged("the signature was made", COMPLETED, "signing/signature")
    redriven = [payload["reference"] for subject, payload in story.told if subject == "board.item.redriven"]
    check(redriven == ["signing/signature"], f"redriven was {redriven}")
    dead = await story.rows("list_dead_letters")
    left = [one["reference"] for one in dead]
    check(left == ["release/smoke_test"], f"the dead letters are {left}")
    number = str(dead[0]["id"])
    why = "rolled back; the next release has the column"
    await story.command("dead-letters", "discard", number, "--waive", "--reason", why)
    await story.logged("the dead letter was given up", "board.item.discarded", "release/smoke_test")


def _said(subject: str, payload: dict[str, Any]) -> tuple[str, str] | None:
    """What an event is about, and what happened; None for those that only tell of moves."""
    reference, noun = payload.get("reference", ""), subject.removeprefix("board.")
    if noun == "artifact.completed":
        return reference, f"done: {payload.get('summary')}"
    if noun in {"item.failed", "item.died"}:
        return reference, f"{'failed for good' if noun == 'item.died' else 'failed'}: {payload.get('error')}"
    if noun == "item.redriven":
        return reference, "brought back"
    if noun == "item.discarded":
        return reference, f"given up: {payload.get('reason')}"
    if noun.startswith("compensation."):
        return _undone(reference, noun, payload)
    if noun.startswith("breaker.") and "breaker" in payload:
        return f"breaker of {payload.get('name')}", _breaker(noun, payload["breaker"])
    if noun == "escalation.raised":
        return reference, f"{PERSON} is asked: {' or '.join(payload['escalation']['options'])}?"
    if noun == "escalation.answered":
        return reference, f"{payload['by']} answered: {payload['answer']}"
    return None


def _undone(reference: str, noun: str, payload: dict[str, Any]) -> tuple[str, str] | None:
    if noun == "compensation.posted":
        return reference, f"is to be undone by {payload['compensation']['action']}"
    if noun == "compensation.undone":
        return reference, f"undone by {payload['action']}: {payload.get('summary')}"
    return None


def _breaker(noun: str, row: dict[str, Any]) -> str:
    said = {
        "breaker.opened": f"open until {row['until'][11:19]} UTC: {row['reason']}",
        "breaker.probed": "half-open: one probe goes through",
        "breaker.reopened": f"the probe failed: open until {row['until'][11:19]} UTC",
        "breaker.returned": "the probe came to no outcome: the next claim is the probe",
        "breaker.closed": "closed",
    }
    return said.get(noun, noun)
