"""`scripts/demo [--serve]`: the main job on real input, with a real worker process for each agent.

Starts an embedded Postgres and the server in a home of its own, applies `examples/analytics-dashboard`, starts the
workers, shows the board live, kills one worker in the middle of its work, lets a merge run through the pipeline, and
shows what came out: the tree, the attempts, the decisions, the page. Then comes a bad day (`examples/bad-day`), and at
the end an audit report and the proof of the log.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from scripts.implementation import bad_day, pipeline
from scripts.implementation import place as places
from scripts.implementation.fleet import SLATE, Fleet, run
from slateboard import connect
from slateboard.store.run_file import read_run_file

if TYPE_CHECKING:
    from slateboard import Client

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "analytics-dashboard"
BAD_DAY = ROOT / "examples" / "bad-day"
FOLDER = ROOT / ".slate" / "demo"
HOME = FOLDER / "home"
OUT = FOLDER / "out"
AGENTS = ("ceo", "cto", "backend", "frontend", "devops", "cso", "marketing")
VICTIM = "frontend"
SLOW = "dashboard/charts"
PATIENCE_SECONDS = 120.0
COLOURS = {
    "complete": "green",
    "in_progress": "yellow",
    "not_started": "cyan",
    "pending": "bright_black",
    "failed": "red",
    "cancelled": "magenta",
}
QUERY = "{ artifacts(first: 20) { edges { node { reference status owner version } } } }"

console = Console() if sys.stdout.isatty() else Console(width=130)


async def rows(client: Client, operation: str, **arguments: Any) -> list[dict[str, Any]]:
    """All rows of a listing of the demo's board, which is small."""
    page = await client.call(operation, first=200, **arguments)
    return list(page["rows"])


def board_table(artifacts: list[dict[str, Any]], said: list[str], seconds: float) -> Group:
    """The live picture: every artifact with its owner, status and progress, and what happened."""
    table = Table(title=f"board default, {seconds:4.1f} s", title_justify="left", expand=False)
    for column in ("artifact", "owner", "status", "progress", "waits for"):
        table.add_column(column, overflow="fold")
    for one in artifacts:
        status = Text(one["status"], style=COLOURS.get(one["status"], ""))
        progress = f"{one['percent']} % {one['progress'] or ''}" if one.get("percent") is not None else ""
        waiting = ", ".join(one["blocked_by"]) if one["status"] == "pending" else ""
        table.add_row(one["reference"], one["owner"] or "open", status, progress, waiting)
    return Group(table, *(Text(f"  {line}", style="bold") for line in said))


async def watch(client: Client, fleet: Fleet, killed_at: list[int]) -> float:
    """Show the board until all is complete; kill the victim once, after its first checkpoint."""
    start = time.monotonic()
    said: list[str] = []
    with Live(console=console, refresh_per_second=8, transient=False) as live:
        while True:
            artifacts = await rows(client, "list_artifacts")
            seconds = time.monotonic() - start
            live.update(board_table(artifacts, said, seconds))
            slow = next(one for one in artifacts if one["reference"] == SLOW)
            if not killed_at and (slow.get("percent") or 0) >= 30:
                killed_at.append(fleet.kill(VICTIM))
                said.append(f"{seconds:.1f} s: kill -9 of {VICTIM} (pid {killed_at[0]}) in the middle of {SLOW}")
                fleet.start(VICTIM)
                said.append("       another frontend worker is there; it gets the work when the lease has run out")
            if all(one["status"] == "complete" for one in artifacts):
                break
            failed = [one["reference"] for one in artifacts if one["status"] == "failed"]
            if failed or seconds > PATIENCE_SECONDS:
                sys.exit(f"the demo did not come to its end: {failed or 'time is up'}; see {FOLDER}/*.log")
            await asyncio.sleep(0.15)
    if not console.is_terminal:
        console.print()  # the last picture of the board ends without a line feed
    return seconds


async def report(client: Client, environment: dict[str, str], address: str) -> None:
    """What came out: the tree, who did what in which attempt, the decisions, the files, and where to ask."""
    console.print("[bold]the task tree, with its roll-up[/]  (slate tree)")
    print(await asyncio.to_thread(run, "tree", environment=environment))
    attempts = Table(title="who did what, in which attempt", title_justify="left")
    for column in ("artifact", "attempt", "worker", "outcome", "result or error"):
        attempts.add_column(column, overflow="fold")
    made: list[tuple[Any, dict[str, Any], dict[str, Any]]] = []
    for one in await rows(client, "list_artifacts"):
        shown = await client.call("show", name=one["reference"])
        made += [(attempt["started_at"], one, attempt) for attempt in shown["attempts_made"]]
    for _, one, attempt in sorted(made, key=lambda entry: entry[0]):
        said = attempt["error"] or (one["summary"] if attempt["outcome"] == "completed" else attempt["note"]) or ""
        attempts.add_row(one["reference"], str(attempt["attempt"]), attempt["worker"], attempt["outcome"], said)
    console.print(attempts)

    decisions = Table(title="decisions", title_justify="left")
    for column in ("who", "what", "why"):
        decisions.add_column(column, overflow="fold")
    for one in await rows(client, "list_decisions"):
        decisions.add_row(one["agent"], one["decision"], one["rationale"])
    console.print(decisions)

    page = OUT / "deployment" / "current" / "site" / "index.html"
    if not page.is_file():
        sys.exit(f"the page is missing: {page}")
    console.print(f"[bold]the page:[/] {page}\n[bold]all files:[/] {OUT}", soft_wrap=True)
    console.print(f"[bold]GraphQL:[/] {address}/graphql, with the token in {HOME}/admin-token; a query to paste:")
    body = json.dumps({"query": QUERY})
    await asyncio.to_thread(ask, address, body)
    print(f'  curl -s {address}/graphql -H "Authorization: Bearer $(cat {HOME}/admin-token)" \\')
    print(f"    -H 'Content-Type: application/json' -d '{body}'")


def ask(address: str, body: str) -> None:
    """See that the query which the reader is shown has an answer."""
    headers = {
        "Authorization": f"Bearer {(HOME / 'admin-token').read_text().strip()}",
        "Content-Type": "application/json",
    }
    request = urllib.request.Request(f"{address}/graphql", body.encode(), headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        data = json.load(answer)
    if "errors" in data or not data["data"]["artifacts"]["edges"]:
        sys.exit(f"GraphQL did not answer as it should: {data}")


async def play(environment: dict[str, str], address: str, *, serve: bool) -> None:
    """The demo between `slate up` and `slate down`."""
    found = read_run_file(HOME)
    assert found is not None
    fleet = Fleet(EXAMPLE, FOLDER, environment)
    killed: list[int] = []
    async with await connect(found.app_url, board="default") as client:
        try:
            for agent in AGENTS:
                fleet.start(agent)
            seconds = await watch(client, fleet, killed)
            correlation = await pipeline.play(client, console)
        finally:
            fleet.end()
        shown = await client.call("show", name=SLOW)
        outcomes = [one["outcome"] for one in sorted(shown["attempts_made"], key=lambda one: one["attempt"])]
        if not killed or outcomes != ["interrupted", "completed"]:
            sys.exit(f"the killed worker's attempt should have been taken over, but its attempts are {outcomes}")
        console.print(f"\nAll complete after {seconds:.1f} s, with one worker killed on the way.\n")
        await report(client, environment, address)
        await bad_day.play(client, console, environment, example=BAD_DAY, folder=FOLDER / "bad-day")
        await pipeline.prove(run, environment, correlation, OUT / "report.html")
    if not serve:
        console.print("The server is taken down now; `scripts/demo --serve` keeps it up.")
    else:
        console.print("\nThe server stays up until you press Ctrl-C.")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            console.print("stopping")


def main() -> None:
    """Set up, play, and take down again."""
    parser = argparse.ArgumentParser(prog="scripts/demo", description=__doc__)
    parser.add_argument("--serve", action="store_true", help="keep server and GraphQL up at the end")
    options = parser.parse_args()
    port = places.free_port()
    environment = {
        **os.environ,
        "SLATE_HOME": str(HOME),
        "SLATE_PORT": str(port),
        "SLATE_BOARD": "default",
        "SLATE_EXAMPLE_OUT": str(OUT),
        "SLATE_EXAMPLE_PAUSE_SECONDS": "1",
    }
    environment.pop("SLATE_DATABASE_URL", None)
    if HOME.exists():
        subprocess.run([SLATE, "down"], env=environment, check=False, capture_output=True)
        remove_home()
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    console.print("starting an embedded PostgreSQL and the server …")
    try:
        run("up", "--detach", environment=environment)
        run("apply", *(f"-f{EXAMPLE / name}" for name in ("agents.yaml", "routing.yaml", "board.yaml", "pipeline.yaml")), environment=environment)
        asyncio.run(play(environment, f"http://127.0.0.1:{port}", serve=options.serve))
    except KeyboardInterrupt:
        console.print("stopped")
    finally:
        subprocess.run([SLATE, "down"], env=environment, check=False, capture_output=True)


def remove_home() -> None:
    """The home of an earlier demo, with its data, which stands elsewhere where the demo ran as root."""
    data = (HOME / "postgres").resolve()
    if HOME not in data.parents:
        shutil.rmtree(data.parent, ignore_errors=True)
    shutil.rmtree(HOME, ignore_errors=True)


if __name__ == "__main__":
    main()
