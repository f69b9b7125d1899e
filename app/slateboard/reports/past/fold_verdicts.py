"""How the events of verifications change a board's folded state: a version is judged, and what produced it goes on.

That the item is done is told by `board.artifact.completed`, which follows an approval; that it starts again by
`board.item.opened`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slateboard.protocol.events import Subject
from slateboard.reports.past.fold import moment
from slateboard.reports.past.fold_duties import done, hand_over
from slateboard.reports.past.fold_queue import end_attempt, move

if TYPE_CHECKING:
    from slateboard.reports.past.fold import Entry, State
    from slateboard.reports.past.fold_queue import Handler


def _asked(state: State, payload: dict[str, Any], entry: Entry) -> None:
    row, at = payload["verification"], entry.happened_at
    duty, item, version = row["item"], row["about"], row["version"]
    state.put("verifications", row)
    work = state.tables["work_items"][item]
    work["attempts"], work["run_at"] = end_attempt(state, item, "completed", payload, at)["attempt"], None
    state.put("artifact_versions", {
        **payload, "artifact": row["artifact"], "version": version, "item": item, "author": entry.actor,
        "created_at": at,
    })  # fmt: skip
    state.add_edge(duty, item, by=entry.actor, at=at)
    state.put("waiting", {
        "item": item, "owner": row["verifier"], "deadline": row["deadline"], "on_item": duty, "reason": "review",
        "since": at,
    })  # fmt: skip
    move(state, item, "waiting")


def _moved(state: State, payload: dict[str, Any], entry: Entry) -> None:
    item, deadline = payload["item"], moment(payload["deadline"])
    row = state.tables["verifications"][item]
    row.update(verifier=payload["verifier"], level=payload["level"], deadline=deadline)
    hand_over(state, item, entry, about=row["about"], to=payload["verifier"], deadline=deadline)


def _judged(state: State, payload: dict[str, Any], entry: Entry) -> None:
    item, at = payload["item"], entry.happened_at
    verdict = entry.subject.rpartition(".")[2]
    state.tables["verifications"][item].update(
        verdict=verdict, reason=payload["reason"], judged_by=payload["by"], judged_at=at
    )
    if state.tables["work_items"][item]["outcome"] != "done":  # else accepted after all, when somebody was asked
        done(state, item, entry)


VERDICT_HANDLERS: dict[str, Handler] = {
    Subject.VERIFICATION_ASKED.value: _asked,
    Subject.VERIFICATION_MOVED.value: _moved,
    Subject.VERIFICATION_APPROVED.value: _judged,
    Subject.VERIFICATION_REJECTED.value: _judged,
}
