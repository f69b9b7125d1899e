"""marketing: writes the changelog entry from what the board says was made and decided."""

from __future__ import annotations

from release_analytics import reports
from release_analytics.files import read_json, write_text

from agents import workspace
from slateboard import Result, Work, Worker

worker = Worker(agent="marketing", lease_seconds=workspace.LEASE_SECONDS)


@worker.artifact("changelog")
async def write_changelog(work: Work) -> Result:
    """The changelog entry of the version that was deployed."""
    given = await workspace.inputs(work)
    review = read_json(given["security_review"])
    entry = reports.changelog(
        review=review,
        deployment=read_json(given["deployment"]),
        description=read_json(workspace.out(review["approved"]["path"])),
        artifacts=await workspace.produced(work),
        decisions=await workspace.decisions(work),
    )
    path = write_text(workspace.out("CHANGELOG.md"), entry)
    return Result(path=str(path), summary="Changelog entry from the board's artifacts and decisions")


@worker.action("post_changelog_update")
async def tell_users(work: Work) -> Result:
    """One line below the changelog entry, for a merge whose deployment was verified."""
    version = (await work.event()).payload
    path = workspace.out("CHANGELOG.md")
    line = f"- PR {version['number']} is deployed and verified: `{version['folder']}`"
    entry = path.read_text()
    if line not in entry:
        write_text(path, f"{entry.rstrip()}\n{line}\n")
    return Result(path=str(path), summary=f"The changelog tells of PR {version['number']}")
