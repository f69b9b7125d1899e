"""devops: deploys the API and the page into a local folder, and tests over loopback that they are what was approved."""

from __future__ import annotations

import asyncio

from release_analytics import bundle, deployment
from release_analytics.files import read_json, sha256, write_json

from agents import workspace
from slateboard import Result, Work, Worker

worker = Worker(agent="devops", lease_seconds=workspace.LEASE_SECONDS)


@worker.artifact("deployment")
async def deploy(work: Work) -> Result:
    """The deployment report: every operation was called and answered as described."""
    given = await workspace.inputs(work)
    files = read_json(given["api"])["files"]
    if files["openapi.json"] != read_json(given["security_review"])["approved"]["sha256"]:
        raise ValueError("the API was not built from the description that the review approved; it is not deployed")
    target = await asyncio.to_thread(
        deployment.install, given["api"].parent, given["dashboard"], workspace.out("deployment", "current")
    )
    await work.progress(40, "installed the API and the page")
    checks = await asyncio.to_thread(deployment.smoke_test, target / "api")
    if bad := [f"{check.request}: {', '.join(check.faults)}" for check in checks if check.faults]:
        raise ValueError(f"the smoke test failed: {'; '.join(bad)}")
    await work.progress(90, f"{len(checks)} requests answered as described")
    listed = {f"api/{name}": digest for name, digest in files.items()} | {
        f"api/{bundle.LIST}": sha256(target / "api" / bundle.LIST),
        "site/index.html": sha256(target / "site" / "index.html"),
    }
    report = deployment.report(checks, description=read_json(target / "api" / "openapi.json"), files=listed)
    path = write_json(workspace.out("deployment", "report.json"), report)
    return Result(path=str(path), summary=f"Deployed and tested with {len(checks)} requests over loopback")
