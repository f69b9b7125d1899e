"""cto: writes the technical plan, and at the end makes sure that the parts rest on one description."""

from __future__ import annotations

from release_analytics import charts, reports
from release_analytics.files import read_json, sha256, write_text

from agents import workspace
from slateboard import Result, Work, Worker

worker = Worker(agent="cto", lease_seconds=workspace.LEASE_SECONDS)


@worker.artifact("technical_plan")
async def plan(work: Work) -> Result:
    """What there is, what the charts need of it, and what was decided."""
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
