"""ceo: writes the final summary, once everything that was delegated is there."""

from __future__ import annotations

from release_analytics import reports
from release_analytics.files import read_json, write_text

from agents import workspace
from slateboard import Result, Work, Worker

worker = Worker(agent="ceo", lease_seconds=workspace.LEASE_SECONDS)


@worker.artifact("result")
async def summarise(work: Work) -> Result:
    """What there is now, what was found on the way, and where to look."""
    page = workspace.out("deployment", "current", "site", "index.html")
    text = reports.summary(
        review=read_json(workspace.out("security", "review.json")),
        deployment=read_json(workspace.out("deployment", "report.json")),
        figures=workspace.tables()["summary"][0],
        files={
            "The dashboard": workspace.relative(page),
            "The technical report": workspace.relative(workspace.out("technical-report.md")),
            "The changelog": workspace.relative(workspace.out("CHANGELOG.md")),
        },
        artifacts=await workspace.produced(work),
    )
    path = write_text(workspace.out("summary.md"), text)
    return Result(path=str(path), summary=f"The release dashboard is done: {workspace.relative(page)}")


@worker.action("update_stakeholders")
async def tell_stakeholders(work: Work) -> Result:
    """A note to those who asked for the dashboard, for a merge whose deployment was verified."""
    version = (await work.event()).payload
    text = f"# PR {version['number']} is live\n\nDeployed, tested and scanned: `{version['folder']}`.\n"
    path = write_text(workspace.out(f"stakeholders-pr-{version['number']}.md"), text)
    return Result(path=str(path), summary=f"Stakeholders were told of PR {version['number']}")
