"""The kind Compensation: what undoes the completed steps of a task that fails; also the guide's bare form.

A step is an artifact by its name, in whatever task. A manifest says all of itself: what it said earlier and says no
more is taken away, and what another one says of a step is never touched.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from slateboard.manifests.declarations import Declarations, DeclaredCompensation
from slateboard.manifests.fields import Fields, Key, Rows, Table
from slateboard.manifests.places import nearest, wrong
from slateboard.manifests.sources import EFFECTIVE
from slateboard.manifests.values import Name, Truth
from slateboard.patterns import steps
from slateboard.protocol.errors import UnknownName
from slateboard.store.arrays import texts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from slateboard.transaction import Statement, Transaction

STEP = Table(
    "step",
    "a step: {step, compensate}",
    {
        "step": Key(Name(), "The artifact that is undone, by its name, in whatever task.", required=True),
        "compensate": Key(Name(), "What undoes it: the action of its work.", required=True),
        "agent": Key(Name(), "Who undoes it; else who owns the step."),
        "irreversible": Key(Truth(), "A person is asked first."),
    },
)
SPEC = Table(
    "spec",
    "the spec of a Compensation: compensation",
    {"compensation": Key(Rows(STEP, "a list of steps"), "What undoes which step.", required=True)},
)
BARE_NAME = "default"
"""The name of the manifest that the bare form is: the board's default."""
COMPARED = {"compensate": "action", "agent": "agent", "irreversible": "irreversible"}

THERE = f"""
SELECT r.step, r.action, a.name AS agent, r.irreversible, {EFFECTIVE.format(row="r")} AS source
FROM compensation_rules r LEFT JOIN agents a ON a.board = r.board AND a.id = r.agent
WHERE r.board = $1 AND (r.source = ANY ($2::text::text[]) OR r.step = ANY ($3::text::text[])) ORDER BY r.step
"""

ARTIFACTS = "SELECT DISTINCT name FROM artifacts WHERE board = $1 AND name = ANY ($2::text::text[])"
SOME_ARTIFACTS = "SELECT DISTINCT name FROM artifacts WHERE board = $1 ORDER BY name LIMIT 1000"


def declare(found: Declarations, spec: Fields, own: str | None) -> None:
    """All steps of the manifest."""
    source = f"Compensation/{own or BARE_NAME}"
    found.compensation_sources.add(source)
    for one in spec.get("compensation"):
        agent = one.get("agent")
        found.add_agent(agent, one.document, one.node_of("agent"))
        found.add_compensation(
            DeclaredCompensation(
                document=one.document,
                node=one.node,
                step=one.get("step"),
                compensate=one.get("compensate"),
                agent=agent,
                irreversible=one.get("irreversible") or False,
                source=source,
            )
        )


@dataclass(slots=True)
class Compensations:
    """What an apply does to what undoes steps, and what it answers."""

    new: list[DeclaredCompensation] = field(default_factory=list)
    changes: list[DeclaredCompensation] = field(default_factory=list)
    removals: list[str] = field(default_factory=list)
    changed: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    unchanged: int = 0

    @property
    def created(self) -> list[dict[str, str]]:
        """The steps for which nothing was declared before."""
        return [{"kind": "compensation", "reference": one.step} for one in self.new]

    @property
    def removed(self) -> list[dict[str, str]]:
        """The steps that nothing undoes any more."""
        return [{"kind": "compensation", "reference": step} for step in self.removals]


async def compare(tx: Statement, declared: Declarations, *, strict: bool) -> Compensations:
    """What is to be done. A step that no task has is noted, and with `strict` it is `UnknownName`."""
    found = Compensations()
    if not declared.compensation_sources:
        return found
    wanted = declared.compensations
    rows = await tx.fetch(THERE, tx.board, texts(declared.compensation_sources), texts(wanted))
    there = {row["step"]: row for row in rows}
    for one in wanted.values():
        row = there.get(one.step)
        if row is None:
            found.new.append(one)
            continue
        differing = [key for key, column in COMPARED.items() if getattr(one, key) != row[column]]
        if row["source"] is None and not differing:
            found.unchanged += 1
            continue
        if row["source"] != one.source:
            message = f"what undoes {one.step!r} is on the board already, and was said by {row['source'] or 'somebody'}"
            raise wrong(one.place, message, "each step once", remedy="say it in that manifest, or take it out there")
        found.changed += [
            {"kind": "compensation", "reference": one.step, "field": key, "from": row[COMPARED[key]],
             "to": getattr(one, key)}
            for key in differing
        ]  # fmt: skip
        if differing:
            found.changes.append(one)
        else:
            found.unchanged += 1
    found.removals = [step for step in there if step not in wanted]
    await _note_unknown(tx, declared, found, there, strict=strict)
    return found


async def _note_unknown(
    tx: Statement, declared: Declarations, found: Compensations, there: Mapping[str, Any], *, strict: bool
) -> None:
    """Say which steps no task has, neither on the board nor in the manifests; one that was said before is no error."""
    known = {one.name for one in declared.artifacts.values()}
    known |= {row["name"] for row in await tx.fetch(ARTIFACTS, tx.board, texts(declared.compensations))}
    for one in declared.compensations.values():
        if one.step in known:
            continue
        message = f"{one.place}: no task has the step {one.step!r} yet"
        if not strict or one.step in there:
            found.notes.append(message)
            continue
        some = known | {row["name"] for row in await tx.fetch(SOME_ARTIFACTS, tx.board)}
        near = nearest(one.step, sorted(some))
        remedy = f"did you mean {near!r}?" if near else "post it first, or leave out --strict"
        raise UnknownName(message, remedy=remedy, step=one.step, nearest=near, **one.place.details())


async def execute(tx: Transaction, todo: Compensations) -> None:
    """Make what undoes steps what is declared."""
    for step in todo.removals:
        await steps.withdraw(tx, step=step)
    for one in (*todo.changes, *todo.new):
        await steps.declare(
            tx, step=one.step, compensate=one.compensate, agent=one.agent, irreversible=one.irreversible,
            source=one.source,
        )  # fmt: skip
