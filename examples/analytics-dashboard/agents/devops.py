"""devops: deploys the API and the page into a local folder, and tests over loopback that they are what was approved."""

from __future__ import annotations

import asyncio

from release_analytics import bundle, deployment
from release_analytics.files import read_json, sha256, write_json, write_text

from agents import architecture, workspace
from slateboard import Result, Work, Worker

worker = Worker(agent="devops", lease_seconds=workspace.LEASE_SECONDS)
worker.meeting(architecture.take_part)


@worker.artifact("host_check")
def check_host(_work: Work) -> Result:
    """There is a place for what will be deployed, and a port on the loopback."""
    if faults := deployment.host_faults(workspace.out("deployment")):
        raise ValueError(f"nothing can be deployed here: {'; '.join(faults)}")
    return Result(summary="A folder to write to, and a free port on the loopback")


@worker.artifact("result")
async def describe_way_back(work: Work) -> Result:
    """What the review resolved: how to go back to the version before."""
    path = write_text(workspace.out("deployment", "way-back.md"), deployment.WAY_BACK)
    return Result(path=str(path), summary=work.title)


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


@worker.action("trigger_deployment")
async def deploy_merge(work: Work) -> Result:
    """What was merged is deployed: the approved API and page, beside the version before."""
    merge = (await work.event()).payload
    current = workspace.out("deployment", "current")
    target = await asyncio.to_thread(
        deployment.install,
        current / "api",
        current / "site" / "index.html",
        workspace.out("deployment", f"pr-{merge['number']}"),
    )
    version = {"number": merge["number"], "folder": workspace.relative(target)}
    await workspace.announce(work, "genbrain.events.deployment.completed", version)
    return Result(path=str(target / "site" / "index.html"), summary=f"Deployed the merge of PR {merge['number']}")


@worker.action("run_smoke_tests")
async def test_merge(work: Work) -> Result:
    """Every operation of what was deployed is called and answers as described."""
    version = (await work.event()).payload
    checks = await asyncio.to_thread(deployment.smoke_test, workspace.out(version["folder"], "api"))
    if bad := [f"{check.request}: {', '.join(check.faults)}" for check in checks if check.faults]:
        raise ValueError(f"the smoke test failed: {'; '.join(bad)}")
    await workspace.announce(work, "genbrain.events.deployment.tested", version | {"requests": len(checks)})
    return Result(summary=f"{len(checks)} requests answered as described")


@worker.action("confirm_deployment")
async def confirm(work: Work) -> Result:
    """Both have passed, the tests and the scan: the deployment is verified."""
    briefing = await work.briefing()
    passed = {event.subject.rpartition(".")[2]: event.payload for event in briefing.events}
    verified = {name: passed["tested"][name] for name in ("number", "folder")}
    await workspace.announce(work, "genbrain.events.deployment.verified", verified)
    return Result(summary=f"PR {verified['number']} is verified: {' and '.join(sorted(passed))}")
