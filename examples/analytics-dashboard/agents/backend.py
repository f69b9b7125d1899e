"""backend: checks the data, describes the API, repairs the description when the review asks for it, builds the API.

It asks the cso before it describes, and tells the frontend when the contract changes, as the routing table says.
"""

from __future__ import annotations

from release_analytics import api_description, bundle, charts, dataset
from release_analytics.files import read_json, write_json
from release_analytics.reports import count

from agents import architecture, workspace
from slateboard import Result, Work, Worker

worker = Worker(agent="backend", lease_seconds=workspace.LEASE_SECONDS)
worker.meeting(architecture.take_part)


@worker.artifact("data_check")
async def check_data(work: Work) -> Result:
    """The data set does not contradict itself; otherwise there is nothing to build on."""
    data = workspace.data()
    await work.progress(50, f"read {len(data.releases)} releases")
    if faults := dataset.faults(data):
        raise ValueError(f"the data contradicts itself: {'; '.join(faults)}")
    facts = {"releases": len(data.releases), "majors": len(data.majors), "as_of": data.as_of.isoformat(), "faults": []}
    path = write_json(workspace.out("data", "check.json"), facts)
    return Result(path=str(path), summary=f"{len(data.releases)} releases up to {data.as_of} without a contradiction")


@worker.artifact("api_description")
async def describe_api(work: Work) -> Result:
    """An OpenAPI 3.1 description, derived from the columns of the tables."""
    answers = (await work.briefing()).answers
    if not answers:
        await work.consult("cso", "How many rows may one page of the API have at most?")
    await work.progress(20, f"{answers[-1].answered_by} said: at most {answers[-1].answer} rows a page")
    description = api_description.describe(
        workspace.tables(), as_of=workspace.data().as_of.isoformat(), page_rows=int(answers[-1].answer or "")
    )
    count = len(api_description.operations(description))
    await work.progress(90, f"described {count} operations")
    path = write_json(workspace.out("specs", f"openapi-{description['info']['version']}.json"), description)
    return Result(path=str(path), summary=f"OpenAPI 3.1 description of {count} operations")


@worker.artifact("repair_*")
async def repair_description(work: Work) -> Result:
    """A new version of the description without what the review found; the order for it bears the artifact's name."""
    order = read_json(workspace.out("security", f"{work.artifact}.json"))
    await work.progress(30, f"repairing {count(len(order['findings']), 'finding')} in {order['description']}")
    before = read_json(workspace.out(order["description"]))
    repaired = api_description.repair(before, order["findings"])
    path = write_json(workspace.out("specs", f"openapi-{repaired['info']['version']}.json"), repaired)
    change = api_description.contract_change(before, repaired)
    await work.notify("API contract changes", change["migration_guide"], data=change)
    removed = ", ".join(finding["pointer"].rpartition("/")[2] for finding in order["findings"])
    return Result(path=str(path), summary=f"API description {repaired['info']['version']} without {removed}")


@worker.artifact("api")
async def build_api(work: Work) -> Result:
    """The API as a folder that runs by itself, for the description that the review approved."""
    given = await workspace.inputs(work)
    approved = workspace.out(read_json(given["security_review"])["approved"]["path"])
    await work.progress(40, f"bundling {workspace.relative(approved)}")
    path = bundle.write(workspace.out("api"), approved, workspace.tables())
    return Result(path=str(path), summary="HTTP API that serves exactly what the approved description offers")


@worker.artifact("result")
async def keep_contract(work: Work) -> Result:
    """What the review resolved: the fields that the API must keep, because a chart needs them."""
    kept = api_description.kept_fields(charts.CHARTS)
    path = write_json(workspace.out("specs", "kept-fields.json"), kept)
    return Result(path=str(path), summary=f"{work.title}: {count(sum(map(len, kept.values())), 'field')}")
