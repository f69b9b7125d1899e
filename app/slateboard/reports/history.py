"""What belongs to artifacts, for many at once: their attempts, their versions, and what they are blocked by.

Each takes artifacts by reference or by id and is one statement, however many there are; the rows say by `artifact` (an
id) whose they are.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from slateboard.protocol.errors import Invalid, UnknownName
from slateboard.protocol.names import split_reference
from slateboard.protocol.rights import Right
from slateboard.reports.paging import check_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from slateboard.transaction import Statement

MAX_ARTIFACTS = 10_000
MAX_LAST = 100
"""Attempts, or versions, of one artifact that are shown at once, the newest first."""
MAX_EDGES = 1_000
"""Dependencies of one artifact that are shown at once."""

IDS = """
SELECT a.id, t.name || '/' || a.name AS reference
FROM unnest($2::text[], $3::text[]) AS g (task, artifact)
JOIN tasks t ON t.board = $1 AND t.name = g.task
JOIN artifacts a ON a.board = $1 AND a.task = t.id AND a.name = g.artifact
"""

# The items of an artifact: the first has its id, a revision is known by the version that it made, or as the newest.
ATTEMPTS = """
SELECT a.id AS artifact, k.name || '/' || a.name AS reference, t.item, t.attempt, t.fence, g.name AS agent, t.worker,
       t.outcome, t.class, t.error, t.note, t.usage::text AS usage, t.started_at, t.ended_at
FROM artifacts a
JOIN tasks k ON k.board = a.board AND k.id = a.task
CROSS JOIN LATERAL (
    SELECT a.id AS item
    UNION ALL SELECT a.newest_item WHERE a.newest_item <> a.id
    UNION ALL SELECT v.item FROM artifact_versions v
              WHERE a.newest_item <> a.id AND v.board = a.board AND v.artifact = a.id AND v.version > 1
                AND v.item <> a.newest_item
) AS i
CROSS JOIN LATERAL (
    SELECT * FROM attempts t WHERE t.board = $1 AND t.item = i.item ORDER BY t.fence DESC LIMIT $3
) AS t
LEFT JOIN agents g ON g.board = $1 AND g.id = t.agent
WHERE a.board = $1 AND a.id = ANY ($2::bigint[])
ORDER BY a.id, t.fence DESC
"""

VERSIONS = """
SELECT v.artifact, v.version, v.item, v.fence, v.author, v.path, v.uri, CASE WHEN $4 THEN v.content END AS content,
       v.content IS NOT NULL AS has_content, v.hash, v.size, v.summary, v.created_at, v.hash IS NOT NULL AS proven,
       v.evidence::text AS evidence, v.undo, n.review
FROM unnest($2::bigint[]) AS g (artifact)
CROSS JOIN LATERAL (SELECT * FROM artifact_versions v WHERE v.board = $1 AND v.artifact = g.artifact
                    ORDER BY v.version DESC LIMIT $3) AS v
LEFT JOIN LATERAL (SELECT coalesce(n.verdict, 'pending') AS review FROM verifications n
                   WHERE n.board = $1 AND n.artifact = v.artifact AND n.version = v.version OFFSET 0) AS n ON true
ORDER BY v.artifact, v.version DESC
"""

# The edges of each item are looked up by themselves (`OFFSET 0` keeps it so): as a join, and without statistics, the
# planner read all edges of the board for each artifact.
BLOCKERS = """
SELECT a.id AS artifact, e.blocker AS item, w.artifact AS id, w.reference, e.counted
FROM artifacts a
CROSS JOIN LATERAL (
    SELECT d.blocker, d.counted
    FROM (SELECT a.id AS item UNION ALL SELECT a.newest_item WHERE a.newest_item <> a.id) AS i
    CROSS JOIN LATERAL (
        SELECT d.blocker, d.counted FROM dependencies d WHERE d.board = $1 AND d.item = i.item OFFSET 0
    ) AS d
    WHERE d.blocker > $4
    ORDER BY d.blocker LIMIT $3
) AS e
CROSS JOIN LATERAL (
    SELECT w.artifact, w.reference FROM work_items w WHERE w.board = $1 AND w.id = e.blocker OFFSET 0
) AS w
WHERE a.board = $1 AND a.id = ANY ($2::bigint[])
ORDER BY a.id, e.blocker
"""

DEPENDENTS = """
SELECT a.id AS artifact, e.item, w.artifact AS id, w.reference, e.counted
FROM artifacts a
CROSS JOIN LATERAL (
    SELECT d.item, d.counted
    FROM (SELECT a.id AS item UNION ALL SELECT a.newest_item WHERE a.newest_item <> a.id) AS i
    CROSS JOIN LATERAL (
        SELECT d.item, d.counted FROM dependencies d WHERE d.board = $1 AND d.blocker = i.item AND d.item > $4
        ORDER BY d.item LIMIT $3
    ) AS d
    ORDER BY d.item LIMIT $3
) AS e
CROSS JOIN LATERAL (
    SELECT w.artifact, w.reference FROM work_items w WHERE w.board = $1 AND w.id = e.item OFFSET 0
) AS w
WHERE a.board = $1 AND a.id = ANY ($2::bigint[])
ORDER BY a.id, e.item
"""


async def attempts(
    tx: Statement, *, references: Sequence[str] | None = None, artifacts: Sequence[int] | None = None, last: int = 20
) -> list[dict[str, Any]]:
    """The last attempts of artifacts, the newest first, those of revisions included, each with its `seconds`."""
    tx.require(Right.READER)
    _check(last, MAX_LAST, "attempts")
    ids = await artifact_ids(tx, references, artifacts)
    shown: dict[int, int] = {}
    rows: list[dict[str, Any]] = []
    for record in await tx.fetch(ATTEMPTS, tx.board, ids, last):
        number = shown[record["artifact"]] = shown.get(record["artifact"], 0) + 1
        if number <= last:
            usage = record["usage"]
            seconds = (record["ended_at"] - record["started_at"]).total_seconds()
            rows.append({**record, "usage": None if usage is None else json.loads(usage), "seconds": seconds})
    return rows


async def versions(
    tx: Statement,
    *,
    references: Sequence[str] | None = None,
    artifacts: Sequence[int] | None = None,
    last: int = 20,
    content: bool = False,
) -> list[dict[str, Any]]:
    """The last versions of artifacts, the newest first; inline content only where it is asked for.

    `proven` is false for a version without a hash, such as an imported one. `review` is pending, approved or rejected,
    and None where nobody had to verify it.
    """
    tx.require(Right.READER)
    _check(last, MAX_LAST, "versions")
    ids = await artifact_ids(tx, references, artifacts)
    rows = await tx.fetch(VERSIONS, tx.board, ids, last, content)
    return [{**row, "evidence": row["evidence"] and json.loads(row["evidence"])} for row in rows]


async def dependencies(
    tx: Statement,
    *,
    references: Sequence[str] | None = None,
    artifacts: Sequence[int] | None = None,
    dependents: bool = False,
    first: int = 100,
    after: int = 0,
) -> list[dict[str, Any]]:
    """What blocks each artifact (or, for `dependents`, what it blocks): `{artifact, item, id, reference}`.

    At most `first` for each artifact, those with an item above `after`; `id` is the other artifact.
    """
    tx.require(Right.READER)
    _check(first, MAX_EDGES, "dependencies")
    ids = await artifact_ids(tx, references, artifacts)
    statement = DEPENDENTS if dependents else BLOCKERS
    return [dict(row) for row in await tx.fetch(statement, tx.board, ids, first, after)]


async def artifact_ids(tx: Statement, references: Sequence[str] | None, artifacts: Sequence[int] | None) -> list[int]:
    """Artifacts that are named by reference or by id, as ids; `UnknownName` names a reference that is not there."""
    if artifacts is not None and references is None:
        check_number(artifacts, MAX_ARTIFACTS)
        return sorted(set(artifacts))
    if references is None or artifacts is not None:
        raise Invalid("name the artifacts by reference or by id", remedy="give one of references and artifacts")
    check_number(references, MAX_ARTIFACTS)
    wanted = ["/".join(split_reference(reference)) for reference in references]
    pairs = [reference.split("/") for reference in wanted]
    rows = await tx.fetch(IDS, tx.board, [pair[0] for pair in pairs], [pair[1] for pair in pairs])
    found: dict[str, int] = {row["reference"]: row["id"] for row in rows}
    for reference in wanted:
        if reference not in found:
            message = f"there is no artifact {reference!r} on this board"
            raise UnknownName(message, remedy="see `slate get artifacts`", artifact=reference)
    return sorted(found.values())


def _check(number: int, limit: int, what: str) -> None:
    if not 1 <= number <= limit:
        raise Invalid(f"1 to {limit:,} {what} of each artifact are shown, not {number}", remedy="ask for fewer")
