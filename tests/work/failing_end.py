"""How the lives of failing agents end: nobody fails any more, hours pass, and what is left waits for somebody named.

Whether people answer or let their deadlines pass, the board comes to rest. What is neither done nor cancelled then
says what would release it, and whoever must decide was told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.work.failing_machine import FailingMachine

WORKERS = ("backend", "frontend")
MOST_ROUNDS = 60
"""Five hours each: a question goes up twice, and what follows from it may ask again."""

QUESTIONS = """
SELECT e.item, e.kind, e.about, e.reference, e.options FROM escalations e
JOIN item_places p ON p.board = e.board AND p.item = e.item
WHERE e.board = $1 AND e.answered_at IS NULL AND p.place <> 'cancelled' ORDER BY e.item
"""
REVIEWS = """
SELECT v.item, v.about, v.version, v.hash, a.name AS author,
       (SELECT count(*) FROM verifications r WHERE r.board = $1 AND r.about = v.about AND r.verdict = 'rejected')
           AS rejected
FROM verifications v JOIN agents a ON a.board = v.board AND a.id = v.author
JOIN item_places p ON p.board = v.board AND p.item = v.item
WHERE v.board = $1 AND v.verdict IS NULL AND p.place <> 'cancelled' ORDER BY v.item
"""

UNANSWERED = "SELECT item FROM escalations WHERE board = $1 AND item = $2 AND answered_at IS NULL"

LEFT = """
SELECT item, place FROM item_places WHERE board = $1 AND place NOT IN ('done', 'cancelled') ORDER BY item
"""

# Dead letters of which nobody named was told: who delegated the task, or who is asked about what could not be undone.
UNTOLD = """
SELECT w.id, w.kind, w.reference FROM dead_letters d JOIN work_items w ON w.board = d.board AND w.id = d.item
WHERE d.board = $1 AND NOT EXISTS (
    SELECT FROM escalations e JOIN agents a ON a.board = e.board AND a.id = e.owner
    WHERE e.board = $1 AND (e.kind = 'failure' AND e.reference = split_part(w.reference, '/', 1)
                            OR e.item = (SELECT c.question FROM compensations c
                                         WHERE c.board = $1 AND c.item = w.id)))
"""


def live_out(machine: FailingMachine, *, heard: bool) -> None:
    """Let all work and fail no more until nothing moves; people answer and judge where they are `heard`."""
    before: dict[int, str] | None = None
    for _ in range(MOST_ROUNDS):
        machine.run(machine.time.advance(5))
        machine.run(machine.time.lead())
        machine.model.watch()
        machine.everything_holds()
        if heard:
            _decide(machine)
            machine.everything_holds()
        _work(machine)
        places: dict[int, str] = machine.run(machine.time.board.places())
        if places == before and not machine.claims and not machine.rows(QUESTIONS) and not machine.rows(REVIEWS):
            _check_rest(machine)
            return
        before = places
    message = f"the board does not come to rest: {before}"
    raise AssertionError(message)


def _decide(machine: FailingMachine) -> None:
    """Each open question gets an answer that is not refused, each version is approved."""
    for asked in machine.rows(QUESTIONS):
        texts = asked["options"] or ["yes"]
        if machine.rows(UNANSWERED, asked["item"]):  # the answer before may have ended it
            assert any(machine.answer_one(asked, text) for text in texts), asked
    for one in machine.rows(REVIEWS):
        said = {"item": one["item"], "verdict": "approve", "version": one["version"], "hash": one["hash"]}
        assert isinstance(machine.do("judge", **said), dict), one


def _work(machine: FailingMachine) -> None:
    """Everybody claims and finishes until there is nothing more; what people must do is left to them."""
    for agent in WORKERS:
        for _ in range(MOST_ROUNDS):
            known = set(machine.claims)
            machine.claim(agent, 5, patient=False)
            mine = [one for item, one in machine.claims.items() if item not in known]
            for one in mine:
                machine.finish_one(one)
            machine.everything_holds()
            if not mine:
                break


def _check_rest(machine: FailingMachine) -> None:
    """What is left waits for a decision, says for which, and somebody was told."""
    for row in machine.rows(LEFT):
        why: dict[str, Any] = machine.do("why", item=row["item"])
        assert not why["moves"], why
        assert why["release"], why
    untold = machine.rows(UNTOLD)
    assert not untold, untold
