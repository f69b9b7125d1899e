"""`scripts/demo [--serve]`: the guide's patterns on real work, with a real worker process for each agent.

Starts an embedded Postgres and the server in a home of its own, applies `examples/analytics-dashboard`, and plays:
seven agents build a dashboard on one board, while one of them is killed; what they delegated, asked and decided is
shown; a merge runs through the pipeline; then comes a bad day (`examples/bad-day`); at the end stand the audit report
and the proof of the log. Each act checks what it shows: what is not as it is told ends the demo with an error.
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

from rich.console import Console

from scripts.implementation import bad_day, building, organisation, pipeline, proof
from scripts.implementation import place as places
from scripts.implementation.fleet import SLATE, Fleet, run
from scripts.implementation.telling import Teller, check
from slateboard import connect
from slateboard.store.run_file import read_run_file

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "analytics-dashboard"
BAD_DAY = ROOT / "examples" / "bad-day"
MANIFESTS = ("agents.yaml", "routing.yaml", "board.yaml", "pipeline.yaml")
FOLDER = ROOT / ".slate" / "demo"
HOME = FOLDER / "home"
OUT = FOLDER / "out"
PAGE = OUT / "deployment" / "current" / "site" / "index.html"
QUERY = "{ artifacts(first: 20) { edges { node { reference status owner version } } } }"

console = Console() if sys.stdout.isatty() else Console(width=130)


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


def point(address: str) -> None:
    """Where to look: the page that was made, the files, and GraphQL with a query to paste."""
    check(PAGE.is_file(), f"the page is missing: {PAGE}")
    body = json.dumps({"query": QUERY})
    ask(address, body)
    print(f"the page: {PAGE}\nall files: {OUT}\nGraphQL, while the server is up (`scripts/demo --serve`):")
    print(f'  curl -s {address}/graphql -H "Authorization: Bearer $(cat {HOME}/admin-token)" \\')
    print(f"    -H 'Content-Type: application/json' -d '{body}'")


async def play(environment: dict[str, str], address: str, *, serve: bool) -> None:
    """The demo between `slate up` and `slate down`."""
    found = read_run_file(HOME)
    assert found is not None
    fleet = Fleet(EXAMPLE, FOLDER, environment)
    async with await connect(found.app_url, board="default") as client:
        tell = Teller(client, console, environment)
        try:
            await building.play(tell, fleet)
            await organisation.play(tell)
            await pipeline.play(tell)
        finally:
            await asyncio.to_thread(fleet.end)
        await bad_day.play(client, console, environment, example=BAD_DAY, folder=FOLDER / "bad-day")
        await proof.play(tell, OUT / "report.html")
    await asyncio.to_thread(point, address)
    if serve:
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
    start = time.monotonic()
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
        run("apply", *(f"-f{EXAMPLE / name}" for name in MANIFESTS), environment=environment)
        asyncio.run(play(environment, f"http://127.0.0.1:{port}", serve=options.serve))
        console.print(f"\nAll of it took {time.monotonic() - start:.0f} s.")
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
