"""frontend: draws the charts, one after the other, and puts them into one page.

The charts are the slow work of the example. After each one a checkpoint says what is done, with its hash: if this
process is killed, the next one takes over from there and draws only what is missing.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from release_analytics import dashboard, resources, svg
from release_analytics.charts import CHARTS
from release_analytics.files import read_json, sha256, write_json, write_text

from agents import architecture, workspace
from slateboard import Result, Work, Worker

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from release_analytics.chart import Chart
    from release_analytics.resources import Tables

worker = Worker(agent="frontend", lease_seconds=workspace.LEASE_SECONDS)
worker.meeting(architecture.take_part)


@worker.artifact("charts")
async def draw_charts(work: Work) -> Result:
    """Every chart at two widths; continues from the checkpoint of an attempt that did not come to its end."""
    given = await workspace.inputs(work)
    description = read_json(given["api_description"])
    tables = resources.exposed(workspace.tables(), description)
    briefing = await work.briefing()
    done: dict[str, str] = _still_there((briefing.checkpoint or {}).get("done", {}))
    taken_over = len(done) // 2
    for position, chart in enumerate(CHARTS):
        if chart.name in done:
            continue
        if missing := chart.missing(description):
            raise ValueError(f"the chart {chart.name} needs {', '.join(missing)}, which the API does not offer")
        done |= _draw(chart, tables)
        await work.checkpoint({"done": done})
        await work.progress(
            100 * (position + 1) // len(CHARTS), f"drew {position + 1} of {len(CHARTS)} charts: {chart.title}"
        )
        await asyncio.sleep(workspace.pause_seconds())
    path = write_json(workspace.out("charts", "index.json"), dict(sorted(done.items())))
    before = f", {taken_over} of them by an earlier attempt" if taken_over else ""
    return Result(path=str(path), summary=f"{len(CHARTS)} charts at two widths{before}")


@worker.artifact("dashboard")
async def build_dashboard(work: Work) -> Result:
    """The page, from the approved description and the charts."""
    given = await workspace.inputs(work)
    approved = read_json(given["security_review"])["approved"]
    description = read_json(workspace.out(approved["path"]))
    pictures = {name: _file(name).read_text(encoding="utf-8") for name in _still_there(read_json(given["charts"]))}
    if lost := [chart.name for chart in CHARTS if chart.name not in pictures or f"{chart.name}-narrow" not in pictures]:
        raise ValueError(f"no longer the charts that were drawn: {', '.join(lost)}")
    if missing := [field for chart in CHARTS for field in chart.missing(description)]:
        raise ValueError(f"the approved description no longer offers {', '.join(missing)}")
    html = dashboard.page(
        description=description,
        description_sha256=approved["sha256"],
        tables=resources.exposed(workspace.tables(), description),
        pictures=pictures,
    )
    path = write_text(workspace.out("dashboard", "index.html"), html)
    return Result(
        path=str(path), summary=f"Dashboard: one static page with {len(CHARTS)} charts, light and dark, no scripts"
    )


@worker.action("handle")
async def heed(work: Work) -> Result:
    """What a peer says on the inbox. A changed contract is held against what the charts need, and answered."""
    said = (await work.event()).payload
    if said["kind"] != "notice":
        return Result(summary=f"{said['from']} says: {said['text']}")
    change = said["data"]
    description = read_json(workspace.out("specs", f"openapi-{change['new_schema']}.json"))
    missing = [field for chart in CHARTS for field in chart.missing(description)]
    answer = f"lacks {', '.join(missing)}" if missing else f"has all that the {len(CHARTS)} charts need"
    await work.acknowledge(said["thread"])
    await work.reply(said["thread"], f"{change['new_schema']} {answer}")
    return Result(summary=f"{change['new_schema']} {answer}")


def _draw(chart: Chart, tables: Tables) -> dict[str, str]:
    """Write both widths of a chart; their names and hashes."""
    pictures = {chart.name: chart.render(tables), f"{chart.name}-narrow": chart.render(tables, narrow=True)}
    return {name: sha256(write_text(_file(name), svg.standalone(picture))) for name, picture in pictures.items()}


def _still_there(done: Mapping[str, str]) -> dict[str, str]:
    """Of the charts that a checkpoint or a list tells of, those whose files are still what they were."""
    return {name: digest for name, digest in done.items() if _file(name).is_file() and sha256(_file(name)) == digest}


def _file(name: str) -> Path:
    return workspace.out("charts", f"{name}.svg")
