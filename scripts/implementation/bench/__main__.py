"""`scripts/bench [--quick] [--only KEY,…] [--json FILE] [--against COMMIT]`: run the workloads, print the table."""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import sys
from pathlib import Path

import asyncpg

from scripts.implementation import place as places
from scripts.implementation.bench import against, as_of, failing, feeds, peers, proof, reports, routing, workloads
from scripts.implementation.bench.workloads import Figure, Run

SINGLE = {
    "post": workloads.post,
    "chain": workloads.chain,
    "fan": workloads.fan,
    "apply_5000": workloads.apply_5000,
    "graphql_board": workloads.graphql_board,
    "feed": workloads.feed,
    "backlog_500k": workloads.backlog_500k,
    "history_500k": workloads.history_500k,
    "as_of_100k": as_of.as_of_100k,
    "verify_1m": proof.verify_1m,
    "append_8": feeds.append_8,
    "audit_100k": reports.audit_100k,
    "routing": routing.routing,
    "redrive_10k": failing.redrive_10k,
    "why_10k": failing.why_10k,
    "reap_10k": failing.reap_10k,
}
SEVERAL = {
    "drain": workloads.drains,
    "latency_idle": workloads.latency,
    "consult": peers.consult,
    "memory": workloads.memory,
    "start": workloads.start,
    "live": feeds.live,
    "readers_200": feeds.readers_200,
}
"""Workloads that measure several keys, which begin with the workload's name."""


async def measure(keys: list[str], place: places.Place, *, quick: bool) -> dict[str, Figure]:
    """Run the workloads one after the other; each line is printed when it is known."""
    owner = await asyncpg.connect(place.owner_url)
    # What waits for a workload's end only looks: it must not read whole tables while they are measured.
    await owner.execute("SET enable_seqscan = off; SET enable_bitmapscan = off")
    run = Run(place=place, owner=owner, quick=quick, floors={})
    found: dict[str, Figure] = {}
    for key in keys:
        if key in SINGLE:
            figures = [(key, await SINGLE[key](run))]
        else:
            figures = await SEVERAL[key](run)
        for name, figure in figures:
            found[name] = figure
            print(line(name, figure), flush=True)
    await owner.close()
    return found


def line(name: str, figure: Figure) -> str:
    """One row of the Markdown table."""
    floor = "" if figure.raw is None else f"{figure.raw:,.1f}"
    ratio = "" if figure.ratio is None else f"{figure.ratio:.2f}"
    return f"| {name} | {figure.value:,.2f} | {figure.unit} | {floor} | {ratio} | {figure.note} |"


def main() -> None:
    """Parse the arguments, start a server of its own, measure, and write the file if one is asked for."""
    known = [*SEVERAL, *SINGLE]
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="a tenth of the items: to see that it runs, not to compare"
    )
    parser.add_argument("--only", help=f"some of: {', '.join(known)}")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--against", metavar="COMMIT", help="only the drain, in turn with that of an earlier commit")
    options = parser.parse_args()
    asked = options.only.split(",") if options.only else known
    keys = list(dict.fromkeys(next((one for one in SEVERAL if key.startswith(one)), key) for key in asked))
    unknown = sorted(set(keys) - set(known))
    if unknown:
        sys.exit(f"unknown workloads: {', '.join(unknown)}; known are: {', '.join(known)}")
    print(f"{platform.platform()}, Python {platform.python_version()}{', quick' if options.quick else ''}\n")
    print("| workload | value | unit | raw | ratio | |\n|---|---|---|---|---|---|", flush=True)
    if options.against:
        found = {"drain_against": against.against(options.against, quick=options.quick)}
        print(line("drain_against", found["drain_against"]))
    else:
        with places.running() as place:
            found = asyncio.run(measure(keys, place, quick=options.quick))
    if options.json:
        figures = {
            name: {"value": figure.value, "unit": figure.unit, "raw": figure.raw, "ratio": figure.ratio}
            for name, figure in found.items()
        }
        options.json.write_text(json.dumps({"workloads": figures}, indent=2) + "\n")


if __name__ == "__main__":
    main()
