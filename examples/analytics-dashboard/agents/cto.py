"""cto: has checked what a plan rests on, calls the architecture review, plans; at the end it makes one of the parts."""

from __future__ import annotations

import asyncio

from release_analytics import charts, reports
from release_analytics.files import read_json, sha256, write_text

from agents import architecture, workspace
from slateboard import NewArtifact, NewTask, Result, Work, Worker

worker = Worker(agent="cto", lease_seconds=workspace.LEASE_SECONDS)
worker.meeting(architecture.take_part)


@worker.artifact("technical_plan")
async def plan(work: Work) -> Result:
    """What there is, what the charts need of it, and what was decided.

    It gives its claim back twice: until what it delegated is there, and until the review is over.
    """
    briefing = await work.briefing()
    if not briefing.inputs:
        await work.delegate(
            [
                NewTask(name="release-data", title="Check the data", agent="backend"),
                NewTask(name="hosting", title="Check the host", agent="devops"),
            ],
            [
                NewArtifact(task="release-data", name="data_check", priority="high"),
                NewArtifact(task="hosting", name="host_check", blocked_by=("release-data/data_check",)),
            ],
        )
    if briefing.awaited is None:
        meeting = (briefing.checkpoint or {}).get("meeting") or await asyncio.to_thread(architecture.call)
        await work.checkpoint({"meeting": meeting})
        await work.wait_for(
            "board.meeting.adjourned",
            filter=f"$.payload.meeting == {meeting}",
            timeout_seconds=60 * architecture.MINUTES + 60,
            note="waits for the architecture review",
        )
    text = reports.plan(workspace.tables(), charts.CHARTS, await workspace.decisions(work))
    path = write_text(workspace.out("technical-plan.md"), text)
    return Result(
        path=str(path), summary=f"Technical plan: the tables, and what {len(charts.CHARTS)} charts need of them"
    )


@worker.artifact("result")
async def integrate(work: Work) -> Result:
    """The technical report; refuses parts that do not belong together."""
    review = read_json(workspace.out("security", "review.json"))
    deployment = read_json(workspace.out("deployment", "report.json"))
    current = workspace.out("deployment", "current")
    faults = reports.unity_faults(
        review=review,
        deployment=deployment,
        deployed_description_sha256=sha256(current / "api" / "openapi.json"),
        page=(current / "site" / "index.html").read_text(encoding="utf-8"),
    )
    if faults:
        raise ValueError(f"the parts do not belong together: {'; '.join(faults)}")
    text = reports.technical_report(
        review=review,
        deployment=deployment,
        artifacts=await workspace.produced(work),
        decisions=await workspace.decisions(work),
    )
    path = write_text(workspace.out("technical-report.md"), text)
    return Result(path=str(path), summary="Integrated: review, page and deployed API rest on one description")
