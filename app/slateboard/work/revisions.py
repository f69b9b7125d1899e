"""Revisions: complete is final, so a better version is new work. It makes a new version when it is finished, opens
nothing again, and marks what used the old version as stale.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slateboard.board import artifacts
from slateboard.protocol.errors import NoProgress, UnknownName, VersionConflict, WrongState
from slateboard.protocol.events import Subject
from slateboard.protocol.names import split_reference
from slateboard.protocol.rights import Right
from slateboard.protocol.states import Place
from slateboard.work import queries

if TYPE_CHECKING:
    from slateboard.transaction import Transaction


SAME_VERSIONS = 3
"""So many versions in a row with one hash, and no agent asks for another."""

SAME = """
SELECT count(*) = $3 AND count(DISTINCT v.hash) = 1 AND count(v.hash) = $3
FROM (SELECT v.hash FROM artifact_versions v WHERE v.board = $1 AND v.artifact = $2
      ORDER BY v.version DESC LIMIT $3) AS v
"""


async def revise(
    tx: Transaction, *, reference: str, reason: str = "", expect_version: int | None = None
) -> dict[str, Any]:
    """Ask for a new version of a complete artifact: `{item, reference, version}` (the version that it now has).

    `expect_version` makes it a compare-and-set: `VersionConflict` if the artifact is at another one. Raises
    `WrongState` while the artifact is not complete, and `NoProgress` where an agent revised it to no effect.
    """
    tx.require(Right.AGENT)
    task, name = split_reference(reference)
    own = f"{task}/{name}"
    # Held first, by itself: a statement that joins and waits would show the item from before its wait.
    await tx.fetch(
        "SELECT FROM artifacts a JOIN tasks t ON t.board = a.board AND t.id = a.task"
        " WHERE a.board = $1 AND t.name = $2 AND a.name = $3 FOR UPDATE OF a",
        tx.board,
        task,
        name,
    )
    row = await tx.fetchrow(
        f"""
        SELECT a.id, a.newest_item, w.outcome, w.revision,
               (SELECT max(v.version) FROM artifact_versions v
                WHERE v.board = a.board AND v.artifact = a.id AND {queries.STANDS}) AS version
        FROM tasks t JOIN artifacts a ON a.board = t.board AND a.task = t.id AND a.name = $3
        JOIN work_items w ON w.board = a.board AND w.id = a.newest_item
        WHERE t.board = $1 AND t.name = $2
        """,
        tx.board,
        task,
        name,
    )
    if row is None:
        raise UnknownName(f"there is no artifact {own!r}", remedy="see `slate get artifacts`", artifact=own)
    await artifacts.require_own(tx, [row["id"]])
    if expect_version is not None and row["version"] != expect_version:
        message = f"{own} is at version {row['version']}, not {expect_version}"
        raise VersionConflict(message, remedy="read the artifact again", version=row["version"])
    if row["outcome"] == Place.DEAD:
        message = f"the newest work on {own} is a dead letter"
        raise WrongState(message, remedy="redrive or discard it first", item=row["newest_item"])
    if row["outcome"] is None or row["version"] is None:
        raise WrongState(f"{own} is not complete, so there is nothing to revise", remedy=f"see `slate show {own}`")
    if tx.actor.right < Right.OPERATOR and await tx.fetchval(SAME, tx.board, row["id"], SAME_VERSIONS):
        message = f"the last {SAME_VERSIONS} versions of {own} are the same, so another revision changes nothing"
        raise NoProgress(message, remedy="say in the brief what must be different; an operator may revise all the same")
    item: int = await tx.fetchval("SELECT nextval('ids')")
    await tx.fetch(queries.INSERT_REVISION, tx.board, row["newest_item"], item, tx.correlation, tx.now, tx.depth)
    await tx.fetch("UPDATE artifacts SET newest_item = $3 WHERE board = $1 AND id = $2", tx.board, row["id"], item)
    tx.record(
        Subject.ARTIFACT_REVISED,
        {"reference": own, "artifact": row["id"], "item": item, "revision": row["revision"] + 1, "reason": reason},
    )
    tx.wake(await tx.fetchval(queries.PLACE, tx.board, [item], False, tx.now))
    return {"item": item, "reference": own, "version": row["version"]}
