"""cso: reviews the API description by rules, has what it finds repaired by its owner, and reviews the repair.

A review that finds something does not fail: it posts an artifact for the repair, blocks its own on it, and gives its
claim back. When the repair is complete, the handler starts again from its beginning, with the repair among its inputs.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from release_analytics import security_rules
from release_analytics.files import read_json, sha256, write_json
from release_analytics.reports import count

from agents import architecture, workspace
from slateboard import Result, Work, Worker

if TYPE_CHECKING:
    from pathlib import Path

    from release_analytics.security_rules import Finding

worker = Worker(agent="cso", lease_seconds=workspace.LEASE_SECONDS)
worker.meeting(architecture.take_part)


@worker.artifact("security_review")
async def review_api(work: Work) -> Result:
    """The review of a description that no rule has anything against."""
    given = await workspace.inputs(work)
    repair = next((name for name in given if name.startswith("repair_")), None)
    path = given[repair or "api_description"]
    findings = security_rules.review(read_json(path))
    await work.progress(
        50,
        f"{len(security_rules.RULES)} rules applied to {workspace.relative(path)}: {count(len(findings), 'finding')}",
    )
    if findings:
        await _have_repaired(work, path, findings, repair)
    repaired: list[dict[str, Any]] = read_json(_order(repair))["findings"] if repair else []
    review = {
        "verdict": "approved",
        "approved": {"path": workspace.relative(path), "sha256": sha256(path)},
        "rules": list(security_rules.RULES),
        "repaired": repaired,
    }
    file = write_json(workspace.out("security", "review.json"), review)
    return Result(
        path=str(file),
        summary=f"Security review: {len(security_rules.RULES)} rules, {count(len(repaired), 'fault')} repaired",
    )


async def _have_repaired(work: Work, path: Path, findings: list[Finding], repair: str | None) -> None:
    """Order the repair from backend and wait for it on the board; does not return."""
    messages = "; ".join(finding.message for finding in findings)
    beyond = [finding.message for finding in findings if "remove_field" not in finding.remedy]
    if repair or beyond:
        raise ValueError(f"for a person to judge: {messages}")
    field = findings[0].remedy["remove_field"]["field"]
    name = f"repair_{re.sub(r'[^a-z0-9_-]', '_', field.lower())}"[:63]
    order = {"description": workspace.relative(path), "findings": [asdict(finding) for finding in findings]}
    write_json(_order(name), order)
    post = await work.post(name, owner="backend", title=f"Repair: {messages}", brief=json.dumps(order))
    await work.block_on(post)


@worker.handler(kind="answer")
async def advise(work: Work) -> str:
    """What a peer asks, answered from the rules."""
    asked = (await work.briefing()).question
    return security_rules.advice(asked.question if asked else "")


def _order(name: str) -> Path:
    return workspace.out("security", f"{name}.json")


@worker.action("run_security_scan")
async def scan(work: Work) -> Result:
    """The rules, once more, on what was really deployed; and no script in the page."""
    version = (await work.event()).payload
    folder = workspace.out(version["folder"])
    findings = [finding.message for finding in security_rules.review(read_json(folder / "api" / "openapi.json"))]
    if "<script" in (folder / "site" / "index.html").read_text():
        findings.append("the page holds a script")
    if findings:
        raise ValueError(f"the scan found: {'; '.join(findings)}")
    await workspace.announce(work, "genbrain.events.deployment.scanned", version | {"findings": 0})
    return Result(summary=f"{len(security_rules.RULES)} rules and the page: nothing found")
