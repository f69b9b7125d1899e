"""Manifests: how long it takes to apply 500 documents of all kinds in one apply, and to apply them again unchanged."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from scripts.implementation.bench import boards
from scripts.implementation.bench.workloads import Figure

if TYPE_CHECKING:
    from scripts.implementation.bench.workloads import Run

DOCUMENTS = 500
# Of each kind one document; <n> is the number of its round.
BODIES = {
    "AgentConfig": """\
  role: builds part <n>
  capabilities: [sql, python]
  manager: lead<n>
  accepts_delegation_from: [lead<n>]
  event_subscriptions: [genbrain.events.part<n>.failed, genbrain.events.part<n>.asked]
  peer_channels: [genbrain.agents.lead<n>.inbox]
  limits: {concurrency: 2, rate: 100, per: 1h}
  budget: {tokens: 1000000, cost: 40}
""",
    "TaskTree": """\
  root:
    agent: lead<n>
    task: Deliver part <n>
    children:
      - {agent: agent<n>, task: Build it, brief: With tests}
      - {agent: other<n>, task: Review it, artifacts: {review: {verify: true, priority: high}}}
""",
    "TaskBoard": """\
  agent: agent<n>
  artifacts:
    spec: {owner: agent<n>, due: 2d}
    code: {owner: agent<n>, blocked_by: spec}
    review: {owner: other<n>, blocked_by: [code, spec]}
  decisions: [{agent: lead<n>, decision: Part <n> has its own store}]
""",
    "EventPipeline": """\
  events:
    - subject: genbrain.events.part<n>.merged
      consumers:
        - {agent: other<n>, action: deploy}
        - {agent: lead<n>, action: tell}
""",
    "RoutingTable": """\
  agents:
    other<n>:
      consults: [{agent: agent<n>, for: part <n>}]
      notifies: [{agent: lead<n>, when: it changes, on: genbrain.events.part<n>.changed}]
""",
    "Compensation": """\
  compensation: [{step: deploy<n>, compensate: undo<n>, agent: other<n>}]
""",
    "CircuitBreaker": """\
  agents: [other<n>]
  circuit_breaker: {failure_threshold: 5, recovery_timeout: 10m}
""",
    "Meeting": """\
  participants: [lead<n>, agent<n>, other<n>]
  agenda: [What is part <n>?, Who builds it?]
  starts_at: 2d
  max_duration_minutes: 15
""",
}


def documents(number: int) -> list[dict[str, str]]:
    """So many documents, each a file of its own, of all kinds in turn; each round speaks of agents of its own."""
    found: list[dict[str, str]] = []
    for one in range(number):
        turn, which = divmod(one, len(BODIES))
        kind, body = list(BODIES.items())[which]
        name = f"agent{turn}" if kind == "AgentConfig" else f"{kind.lower()}-{turn}"
        head = f"apiVersion: agent.ceo/v1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec:\n"
        found.append({"source": f"{name}.yaml", "text": head + body.replace("<n>", str(turn))})
    return found


async def apply_500(run: Run) -> list[tuple[str, Figure]]:
    """Seconds to apply 500 documents of all kinds in one apply, to a board without their agents; and again."""
    given = documents(run.size(DOCUMENTS) or 1)
    client = await boards.new(run.place, f"apply-500-{time.monotonic_ns()}")
    seconds: list[float] = []
    async with client:
        for _ in range(2):
            start = time.perf_counter()
            answer = await client.call("apply", documents=given)
            seconds.append(time.perf_counter() - start)
    assert not [*answer["created"], *answer["changed"], *answer["removed"]], answer
    note = f"{len(given)} documents, {answer['unchanged']:,} things"
    return [
        ("apply_500", Figure(value=seconds[0], unit="s", note=f"{note}; wanted: 3 s")),
        ("apply_500_again", Figure(value=seconds[1], unit="s", note=f"{note}; wanted: 1 s")),
    ]
