"""`scripts/demo [--serve]`: the guide's patterns on real work, with a real worker process for each agent.

Starts an embedded Postgres and the server in a home of its own, applies `examples/analytics-dashboard`, and plays:
seven agents build a dashboard on one board, while one of them is killed; what they delegated, asked and decided is
shown; a merge runs through the pipeline; then comes a bad day (`examples/bad-day`); at the end stand the audit report
and the proof of the log. Each act checks what it shows: what is not as it is told ends the demo with an error. However
it ends, by itself or by a signal, nothing that it started runs on.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import shlex
import signal
import sys
import time
import urllib.request
from pathlib import Path

from rich.console import Console

from scripts.implementation import bad_day, building, organisation, pipeline, proof
from scripts.implementation import place as places
from scripts.implementation.fleet import ROOT, Fleet, run
from scripts.implementation.stage import Stage, Stopped, until_stopped
from scripts.implementation.telling import Teller, check
from slateboard import connect
from slateboard.store.run_file import read_run_file

EXAMPLE = ROOT / "examples" / "analytics-dashboard"
BAD_DAY = ROOT / "examples" / "bad-day"
MANIFESTS = ("agents.yaml", "routing.yaml", "board.yaml", "pipeline.yaml")
FOLDER = ROOT / ".slate" / "demo"
PAGE = Path("deployment", "current", "site", "index.html")
QUERY = "{ artifacts(first: 20) { edges { node { reference status owner version } } } }"

console = Console() if sys.stdout.isatty() else Console(width=130)


def ask(stage: Stage, body: str) -> None:
    """See that the query which the reader is shown has an answer."""
    headers = {
        "Authorization": f"Bearer {(stage.home / 'admin-token').read_text().strip()}",
        "Content-Type": "application/json",
    }
    request = urllib.request.Request(f"{stage.address}/graphql", body.encode(), headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        data = json.load(answer)
    if "errors" in data or not data["data"]["artifacts"]["edges"]:
        sys.exit(f"GraphQL did not answer as it should: {data}")


def point(tell: Teller, stage: Stage, *, serve: bool) -> None:
    """Where to look: the page that was made, the report, the files, and how to ask the board what one likes."""
    page = stage.out / PAGE
    check(page.is_file(), f"the page is missing: {page}")
    body = json.dumps({"query": QUERY})
    ask(stage, body)
    tell.whole(f"the page:   {page}\nthe report: {stage.out / 'report.html'}\nall files:  {stage.out}\n")
    if serve:
        tell.whole("Server and GraphQL stay up. In another shell, in this folder, every command above can be typed:")
        tell.whole(f"  {stage.exports()}")
    else:
        tell.whole("To look further, in this folder: what is left can be served again, and every command above typed:")
        tell.whole(f"  {stage.exports()}\n  slate up --detach")
    tell.whole(f'  curl -s {stage.address}/graphql -H "Authorization: Bearer $(cat "$SLATE_HOME/admin-token")" \\')
    tell.whole(f"    -H 'Content-Type: application/json' -d {shlex.quote(body)}")
    if not serve:
        tell.whole("  slate down")
    tell.whole("What was added, answered, given up or published once is not done twice: such a command says so.")


async def play(stage: Stage, *, serve: bool) -> None:
    """The demo between `slate up` and `slate down`."""
    found = read_run_file(stage.home)
    assert found is not None
    environment = stage.environment
    fleet = Fleet(EXAMPLE, stage.folder, environment)
    async with await connect(found.app_url, board="default") as client:
        tell = Teller(client, console, environment)
        try:
            await building.play(tell, fleet)
            await organisation.play(tell)
            await pipeline.play(tell)
        finally:
            await asyncio.to_thread(fleet.end)
        await bad_day.play(client, console, environment, example=BAD_DAY, folder=stage.folder / "bad-day")
        await proof.play(tell, stage.shown(stage.out / "report.html"))
        await asyncio.to_thread(point, tell, stage, serve=serve)


def main() -> None:
    """Set up, play, and take down again."""
    parser = argparse.ArgumentParser(prog="scripts/demo", description=__doc__)
    parser.add_argument("--serve", action="store_true", help="keep server and GraphQL up at the end")
    parser.add_argument(
        "--folder", type=Path, default=FOLDER, help="for its home and files (.slate/demo); it is emptied"
    )
    options = parser.parse_args()
    start = time.monotonic()
    stage = Stage(folder=options.folder.absolute(), port=places.free_port())
    try:
        with stage.taken():
            console.print("starting an embedded PostgreSQL and the server …")
            run("up", "--detach", environment=stage.environment)
            print(f"To type along what `$` shows, in another shell in this folder:\n  {stage.exports()}\n", flush=True)
            run("apply", *(f"-f{EXAMPLE / name}" for name in MANIFESTS), environment=stage.environment)
            asyncio.run(until_stopped(play(stage, serve=options.serve)))
            console.print(f"\nAll of it took {time.monotonic() - start:.0f} s.")
            if options.serve:
                wait()
    except Stopped as stopped:
        with contextlib.suppress(OSError):  # the terminal may be gone
            console.print(f"stopped by {stopped.name}; nothing of it runs any more")
        raise


def wait() -> None:
    """Until a signal asks to stop, which is no failure here."""
    console.print("The server stays up until you press Ctrl-C.")
    try:
        while True:
            signal.pause()
    except Stopped as stopped:
        with contextlib.suppress(OSError):
            console.print(f"stopping ({stopped.name})")


if __name__ == "__main__":
    main()
