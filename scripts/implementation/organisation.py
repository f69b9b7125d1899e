"""The demo's second part: how the seven agents worked together, pattern by pattern, from what the board has of it.

Nothing is done here. The delegations, consults, notices and votes were the workers' own; they are shown and checked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.table import Table

from scripts.implementation.telling import Teller, check

if TYPE_CHECKING:
    from collections.abc import Mapping

DELEGATED = {
    ("ceo", "cto", "engineering"), ("ceo", "cso", "security"), ("ceo", "marketing", "announcement"),
    ("cto", "backend", "release-api"), ("cto", "frontend", "dashboard"), ("cto", "devops", "operations"),
    ("cto", "backend", "release-data"), ("cto", "devops", "hosting"),
}  # fmt: skip
"""The last two are none of the manifest's: the cto delegated them when it began to plan."""
AT_RUN_TIME = "release-data/data_check"
SEATS = ["cto", "backend", "frontend", "devops", "cso"]
DISSENTER = "backend"
PAGE_ROWS = "100"


async def play(tell: Teller) -> None:
    """Delegation, peers and the meeting."""
    await _delegation(tell)
    await _peers(tell)
    await _meeting(tell)


async def _delegation(tell: Teller) -> None:
    """Every hop was acknowledged, and what was done rolls up."""
    tell.heading("Hierarchical delegation", "the CEO's task went down the tree, and each hop was acknowledged")
    tasks = [one["name"] for one in await tell.rows("list_tasks")]

    async def acknowledged() -> list[dict[str, Any]] | None:
        hops = [(await tell.client.call("accountability", reference=task))[-1] for task in tasks]
        given = [hop for hop in hops if hop["delegated_to"] is not None]
        return given if all(hop["state"] == "acknowledged" for hop in given) else None

    given = await tell.until("every delegation is acknowledged", acknowledged)
    edges = {(hop["delegator"], hop["delegated_to"], hop["task"]) for hop in given}
    check(edges == DELEGATED, f"who delegated what to whom differs in {sorted(edges ^ DELEGATED)}")
    table = Table(box=None, pad_edge=False)
    for column in ("by", "to", "task", "what", "acknowledged after"):
        table.add_column(column)
    for hop in sorted(given, key=lambda hop: hop["delegated_at"]):
        after = (hop["settled_at"] - hop["delegated_at"]).total_seconds()
        table.add_row(hop["delegator"], hop["delegated_to"], hop["task"], hop["title"], f"{after:.1f} s")
    tell.console.print(table)
    tell.console.print("The last two are in no manifest: the cto's worker called `work.delegate` before it planned.\n")
    hops = await tell.client.call("accountability", reference=AT_RUN_TIME)
    path = [hop["agent"] for hop in hops]
    check(path == ["ceo", "cto", "backend"], f"the chain of {AT_RUN_TIME} is {path}")
    await tell.command("task", "chain", AT_RUN_TIME)
    shown = await tell.command("tree", "release-analytics", "--depth", "2", "--no-artifacts")
    check("complete" in shown.splitlines()[0], "the root of the tree is not complete")


async def _peers(tell: Teller) -> None:
    """A consult that the asker waited for, and a notice that was heeded: both along the routing table."""
    tell.heading("Peer-to-peer", "backend asked the cso and told the frontend, with nobody between them")
    await tell.command("peers", "--agent", "backend")
    threads = {one["topic"]: one["thread"] for one in await tell.client.call("list_threads", agent="backend")}

    async def said(topic: str, count: int) -> list[dict[str, Any]] | None:
        thread = await tell.client.call("show_thread", thread=threads[topic]) if topic in threads else {"messages": []}
        return thread["messages"][:count] if len(thread["messages"]) >= count else None

    asked, answered = await tell.until("the cso has answered", lambda: said("security review of API changes", 2))
    check((asked["said_by"], answered["said_by"]) == ("backend", "cso"), "it was not backend who asked the cso")
    check(answered["text"] == PAGE_ROWS, f"the cso answered {answered['text']!r}")
    notice, reply = await tell.until("the frontend has replied", lambda: said("API contract changes", 2))
    check((notice["said_by"], reply["said_by"]) == ("backend", "frontend"), "it was not backend who told the frontend")
    check("has all that" in reply["text"], f"the charts do not bear the change: {reply['text']}")
    for topic in ("security review of API changes", "API contract changes"):
        await tell.command("thread", "show", str(threads[topic]))


async def _meeting(tell: Teller) -> None:
    """The architecture review: what was moved, feared, decided, opposed and done."""
    tell.heading("Agent meeting", "the architecture review, which the cto called before it planned")
    (listed,) = await tell.client.call("list_meetings")
    minutes = await tell.client.call("minutes", meeting=listed["meeting"])
    check(minutes["state"] == "adjourned", f"the meeting is {minutes['state']}")
    check([seat["agent"] for seat in minutes["seats"] if seat["seated"]] == SEATS, "not all had a seat")
    outcomes = [item["outcome"] for item in minutes["agenda"]]
    check(set(outcomes) == {"approved"}, f"the items of the agenda are {outcomes}")
    artifacts = {one["reference"]: one for one in await tell.rows("list_artifacts")}
    for item in minutes["agenda"]:
        _item(tell, item, artifacts)
    concerns = [one for item in minutes["agenda"] for one in item["concerns"]]
    check([one["settled"] for one in concerns] == ["resolved"], f"the concerns are {concerns}")
    dissent = [vote["agent"] for item in minutes["agenda"] for vote in item["dissent"]]
    check(dissent == [DISSENTER], f"the dissent is of {dissent}")
    against = next(item for item in minutes["agenda"] if item["dissent"])
    decision = next(one for one in await tell.rows("list_decisions") if one["id"] == against["decision"])
    why = against["dissent"][0]["rationale"]
    check(why in (decision["consequences"] or ""), f"the decision does not keep the dissent: {decision}")
    tell.line(f"The whole minutes, with every vote and its reason: slate meeting show {listed['meeting']}\n")


def _item(tell: Teller, item: Mapping[str, Any], artifacts: Mapping[str, Mapping[str, Any]]) -> None:
    """One item of the agenda in a few lines; its action items are done."""
    votes = [vote["choice"] for vote in item["votes"]]
    approved = f"{votes.count('approve')} of {len(SEATS)} approved"
    tell.line(f"{item['number']}. {item['title']}: {approved} what {item['proposed_by']} moved: {item['motion_text']}")
    for one in item["concerns"]:
        tell.line(f"   concern of {one['agent']}: {one['text']}")
        tell.line(f"   {one['settled']} by {one['settled_by']}: {one['settled_because']}")
    for vote in item["dissent"]:
        tell.line(f"   dissent of {vote['agent']} ({vote['choice']}), kept with the decision: {vote['rationale']}")
    for action in item["actions"]:
        done = artifacts[f"{action['task']}/result"]
        said = f"{action['task']} of {action['owner']} is {done['status']}"
        check(done["status"] == "complete" and done["owner"] == action["owner"], said)
        tell.line(f"   task {said}: {done['summary']}")
