"""Writing what a board holds as manifests, which apply back with no change, and make an empty board alike.

An answer is one page: as much as one apply takes, and no more. Where there is more, `next` is given, with which the
next page begins; pages are applied in their order. What no manifest can hold is said in the notes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slateboard.manifests import export_found, export_meetings, export_rules, export_tasks
from slateboard.manifests.documents import MAX_BYTES, MAX_NODES
from slateboard.manifests.export_page import Manifest, Notes
from slateboard.manifests.export_text import values_in, written
from slateboard.manifests.places import nearest
from slateboard.protocol.errors import Invalid, UnknownName
from slateboard.protocol.rights import Right
from slateboard.protocol.work import MAX_POST
from slateboard.store.arrays import numbers

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from slateboard.transaction import ReadTransaction, Statement

KINDS = ("AgentConfig", "CircuitBreaker", "RoutingTable", "EventPipeline", "Compensation", "TaskBoard", "TaskTree",
         "Meeting")  # fmt: skip
"""In the order of an export."""
TASKS = ("TaskBoard", "TaskTree")
PAGE_BYTES = MAX_BYTES - 200_000
"""Of the texts of one page; the rest is left for what stands between them."""
ROOTS_AT_ONCE = 500

# The tasks at the top of a board; of a task's name, the one above it.
ROOTS = f"""
SELECT t.id FROM tasks t WHERE t.board = $1 AND t.parent IS NULL AND t.id > $2 ORDER BY t.id LIMIT {ROOTS_AT_ONCE}
"""
ROOT_OF = """
WITH RECURSIVE above (id, parent) AS (
    SELECT t.id, t.parent FROM tasks t WHERE t.board = $1 AND t.name = $2
    UNION ALL
    SELECT p.id, p.parent FROM above a, LATERAL (
        SELECT t.id, t.parent FROM tasks t WHERE t.board = $1 AND t.id = a.parent OFFSET 0) AS p
)
SELECT id FROM above WHERE parent IS NULL AND id > $3
"""
SIZES = f"""{export_found.BELOW}
SELECT b.root, count(*) + sum(a.artifacts) AS things, sum(octet_length(t.brief) + a.bytes) AS bytes
FROM below b,
LATERAL (SELECT t.brief FROM tasks t WHERE t.board = $1 AND t.id = b.id OFFSET 0) AS t,
LATERAL (SELECT count(*) AS artifacts, coalesce(sum(octet_length(a.brief) + coalesce(v.bytes, 0)), 0) AS bytes
         FROM artifacts a
         LEFT JOIN LATERAL (SELECT CASE WHEN octet_length(v.content) <= {export_found.MAX_INLINE_BYTES}
                                        THEN octet_length(v.content) END AS bytes
                            FROM artifact_versions v WHERE v.board = $1 AND v.artifact = a.id
                            ORDER BY v.version DESC LIMIT 1) AS v ON true
         WHERE a.board = $1 AND a.task = b.id OFFSET 0) AS a
GROUP BY b.root
"""

# What has no kind of manifest, by what it is called in the note.
ELSEWHERE = {
    "schedules": "SELECT name FROM schedules WHERE board = $1",
    "limits of capabilities and keys": "SELECT scope || ' ' || name AS name FROM limits"
    " WHERE board = $1 AND scope <> 'agent'",
    "budgets of tasks and of the board": "SELECT coalesce(t.name, 'the board') AS name FROM budgets b"
    " LEFT JOIN tasks t ON t.board = b.board AND t.id = b.task WHERE b.board = $1 AND b.agent = 0",
    "decisions without a task": "SELECT subject AS name FROM decisions"
    " WHERE board = $1 AND task IS NULL AND status <> 'superseded'",
    "removed agents (finished work may name them)": "SELECT name FROM agents"
    " WHERE board = $1 AND removed_at IS NOT NULL",
}
MAX_NAMED = 1_000
"""Things of one note that are counted."""
TOO_MUCH = f"more than one apply takes ({MAX_POST:,} things, {MAX_BYTES // 1_000_000} MB), and left out"


async def export(
    tx: ReadTransaction, *, kinds: Sequence[str] = (), name: str | None = None, after: str | None = None
) -> dict[str, Any]:
    """A page of the board's manifests: `{manifests: [{kind, name, text}], notes, next}`, in an order that is kept.

    `kinds` and `name` choose; `after` is the `next` of the page before, and null on the last. Raises `Invalid` (an
    unknown kind or place) and `UnknownName` (no manifest has that name).
    """
    tx.require(Right.READER)
    for kind in kinds:
        if kind not in KINDS:
            near = nearest(kind, KINDS)
            remedy = f"did you mean {near!r}?" if near else f"one of: {', '.join(KINDS)}"
            raise Invalid(f"there is no kind {kind[:80]!r} of manifests", remedy=remedy, nearest=near)
    wanted = [kind for kind in KINDS if not kinds or kind in kinds]
    notes, page = Notes(), _Page()
    async for one in _manifests(tx, wanted, name, _place(after), notes):
        if not page.take(one, notes):
            break
    if name is not None and not page.manifests and after is None:
        raise UnknownName(f"nothing on this board would be a manifest {name[:80]!r}", remedy="see `slate export`")
    return {"manifests": page.manifests, "notes": notes.lines(), "next": page.next}


class _Page:
    """What fits into one apply."""

    def __init__(self) -> None:
        self.manifests: list[dict[str, str]] = []
        self.next: str | None = None
        self._left = {"things": MAX_POST, "bytes": PAGE_BYTES, "values": MAX_NODES}
        self._last: str | None = None
        # The place that is being written, what stands before it, and what was noted before it.
        self._open: tuple[str, int, dict[str, int]] | None = None
        self._noted: dict[str, int] = {}

    def take(self, one: Manifest, notes: Notes) -> bool:
        """Add a manifest; False where it begins the next page. One that no apply takes is left out."""
        document = one.document()
        text = written(document)
        cost = {"things": one.things, "bytes": len(text.encode()), "values": values_in(document)}
        place = f"{one.kind if one.kind not in TASKS else TASKS[0]}:{one.key}"
        if self._open is None or self._open[0] != place:
            self._last = self._open[0] if self._open else None
            self._open = (place, len(self.manifests), self._noted)
        if all(cost[what] <= left for what, left in self._left.items()):
            self._left = {what: left - cost[what] for what, left in self._left.items()}
            self.manifests.append({"kind": one.kind, "name": one.name, "text": text})
        elif self._open[1] == 0:
            notes.add(TOO_MUCH, f"{one.kind} {one.name}")
        else:
            return self._end(notes)
        self._noted = notes.mark()
        return True

    def _end(self, notes: Notes) -> bool:
        """Leave what is half written to the next page."""
        assert self._open is not None
        del self.manifests[self._open[1] :]
        notes.back_to(self._open[2])
        self.next = self._last
        return False


async def _manifests(
    tx: Statement, kinds: Sequence[str], name: str | None, after: tuple[str, str] | None, notes: Notes
) -> AsyncGenerator[Manifest]:
    """All manifests after a place, in the order of an export."""
    begin, key = after or ("", "")
    left = [kind for kind in kinds if KINDS.index(kind) >= (KINDS.index(begin) if begin else 0)]
    rules = await export_rules.load(tx)
    if after is None and name is None:
        await _note_elsewhere(tx, kinds, notes)
    simple = {
        "CircuitBreaker": lambda: export_rules.breakers(rules),
        "RoutingTable": lambda: export_rules.tables(rules, notes),
        "EventPipeline": lambda: export_rules.pipelines(rules, notes),
        "Compensation": lambda: export_rules.compensations(rules),
    }
    for kind in left:
        since = key if kind == begin else ""
        if kind in simple:
            for one in simple[kind]():
                if one.key > since and name in {None, one.name}:
                    yield one
        elif kind == "AgentConfig":
            async for one in export_rules.agents(tx, rules, notes, since or None, name):
                yield one
        elif kind == "Meeting":
            async for one in export_meetings.meetings(tx, notes, int(since or 0), name):
                yield one
        elif kind == next(one for one in TASKS if one in kinds):
            since = key if begin == TASKS[0] else ""
            async for one in _tasks(tx, notes, int(since or 0), name):
                if one.kind in kinds and name in {None, one.name}:
                    yield one


async def _tasks(tx: Statement, notes: Notes, after: int, name: str | None) -> AsyncGenerator[Manifest]:
    """The manifests of tasks, root by root; as many roots are read at once as one apply takes."""
    while True:
        rows = await (tx.fetch(ROOTS, tx.board, after) if name is None else tx.fetch(ROOT_OF, tx.board, name, after))
        if not rows:
            return
        sizes = {row["root"]: row for row in await tx.fetch(SIZES, tx.board, numbers(row["id"] for row in rows))}
        chosen: list[int] = []
        things = size = 0
        for row in rows:
            things, size = things + sizes[row["id"]]["things"], size + sizes[row["id"]]["bytes"]
            if chosen and (things > MAX_POST or size > PAGE_BYTES):
                break
            chosen.append(row["id"])
        found = await export_found.load(tx, chosen, notes)
        for root in chosen:
            for one in export_tasks.manifests(found, root):
                yield one
        after = chosen[-1]


async def _note_elsewhere(tx: Statement, kinds: Sequence[str], notes: Notes) -> None:
    """Say what the board has that no manifest can hold."""
    if len(kinds) == len(KINDS):
        for what, sql in ELSEWHERE.items():
            rows = await tx.fetch(f"{sql} ORDER BY 1 LIMIT {MAX_NAMED}", tx.board)
            if rows:
                notes.add(f"no manifest holds {what}", *(row["name"] for row in rows))


def _place(after: str | None) -> tuple[str, str] | None:
    if after is None:
        return None
    kind, _, key = after.partition(":")
    if kind not in KINDS or not key or (kind in {TASKS[0], "Meeting"} and not key.isdecimal()):
        raise Invalid(f"{after[:80]!r} is no place of an export", remedy="give the `next` of the page before")
    return kind, key
