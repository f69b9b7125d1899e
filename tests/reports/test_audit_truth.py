"""What an audit says is what the tables say: after random lives of items, and after deliveries, waits and erasures."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from slateboard.interfaces.operations import perform
from slateboard.protocol.states import FailureClass, Outcome
from slateboard.protocol.work import NewArtifact, NewTask
from slateboard.work import health
from tests.patterns.conftest import Router, duty, router
from tests.reports.test_fold import LoggedLives
from tests.support.boards import BoardUnderTest
from tests.work.test_life_of_an_item import run_lives

__all__ = ["duty", "router"]
"""Fixtures of the choreography, used here."""

WITHOUT_ATTEMPT = frozenset(("runaway", "unanswered", "unverified"))
"""Classes of deaths that no attempt led to."""
EXAMPLES = int(os.environ.get("SLATE_TEST_EXAMPLES", "15"))
ATTEMPTS = """
SELECT t.item, t.fence, t.attempt, g.name AS agent, t.worker, t.outcome, t.class, t.error, t.note, t.usage,
       t.started_at, t.ended_at
FROM attempts t JOIN agents g ON g.id = t.agent WHERE t.board = $1
"""
LEASES = """
SELECT t.item, t.fence, t.attempt, g.name AS agent, t.worker, t.claimed_at AS started_at
FROM leases t JOIN agents g ON g.id = t.agent WHERE t.board = $1
"""
VERSIONS = """
SELECT a.id, v.version, v.item, v.fence, v.author, v.path, v.uri, v.hash, v.size, v.summary, v.created_at
FROM artifact_versions v JOIN artifacts a ON a.board = v.board AND a.id = v.artifact WHERE v.board = $1
"""
ITEMS = """
SELECT w.id, w.kind, w.reference, p.place, w.created_at, w.finished_at, g.name AS owner, w.correlation
FROM work_items w JOIN item_places p ON p.board = w.board AND p.item = w.id
LEFT JOIN agents g ON g.board = w.board AND g.id = w.inbox WHERE w.board = $1
"""
DECISIONS = """
SELECT d.id, d.decision, d.rationale, d.agent, d.supersedes, d.status,
       (SELECT s.id FROM decisions s WHERE s.board = d.board AND s.supersedes = d.id) AS superseded_by
FROM decisions d WHERE d.board = $1
"""


async def check_audit(board: BoardUnderTest) -> dict[str, Any]:
    """Hold each part of the whole audit against the live tables; returns it."""
    await board.seal()
    told = await board.perform("report_audit")
    assert told["proof"]["verified"], told["proof"]
    await _check_attempts(board, told)
    versions = {
        (row["version"], row["item"], row["fence"], row["author"], row["path"], row["uri"], row["hash"], row["size"],
         row["summary"], row["created_at"])
        for row in await board.fetch(VERSIONS)
    }  # fmt: skip
    names = ("version", "item", "fence", "author", "path", "uri", "hash", "size", "summary", "created_at")
    found = [one | ({"item": None} if one["imported"] else {}) for row in told["artifacts"] for one in row["versions"]]
    assert {tuple(one[name] for name in names) for one in found} == versions
    await _check_lives(board, told)
    decisions = {row["id"]: dict(row) for row in await board.fetch(DECISIONS)}
    for one in told["decisions"]:
        row = decisions.pop(one["id"])
        links = {name: one[name] and one[name]["id"] for name in ("supersedes", "superseded_by")}
        assert {name: one[name] for name in row.keys() - links} | links == row
    assert not decisions
    return told


async def _check_attempts(board: BoardUnderTest, told: dict[str, Any]) -> None:
    found = {(one["item"], one["fence"]): one for row in told["artifacts"] for one in row["attempts"]}
    assert len(found) == told["summary"]["attempts"]
    failures = 0
    for row in await board.fetch(ATTEMPTS):
        wanted = dict(row) | {"usage": json.loads(row["usage"]) if row["usage"] else None}
        one = found.pop((row["item"], row["fence"]))
        assert {name: one[name] for name in wanted} == wanted
        failures += row["outcome"] in {"failed", "interrupted"}
    for row in await board.fetch(LEASES):
        one = found.pop((row["item"], row["fence"]))
        assert {name: one[name] for name in row.keys()} == dict(row)  # noqa: SIM118  a record
        assert (one["outcome"], one["ended_at"]) == ("running", None)
    assert not found
    wrong = [one for one in told["incidents"] if one["what"] in {"failed", "interrupted", "died"}]
    assert sum(one["class"] not in WITHOUT_ATTEMPT for one in wrong) == failures


async def _check_lives(board: BoardUnderTest, told: dict[str, Any]) -> None:
    """Each item is where the table says, and its time in each place adds up to its life."""
    rows = {row["id"]: row for row in await board.fetch(ITEMS)}
    for one in told["artifacts"]:
        lives = [rows.pop(number) for number in one["items"]]
        newest = lives[-1]
        # Who waits for an event stands behind a gate; who waits for somebody has a place of its own.
        place = "gated" if (one["place"], newest["place"]) == ("waiting", "gated") else one["place"]
        assert (one["kind"], place, one["owner"]) == (newest["kind"], newest["place"], newest["owner"]), one
        assert one["reference"].partition(" @")[0].partition(" (")[0] == newest["reference"]
        assert one["posted_at"] == lives[0]["created_at"]
        assert one["correlation"] == lives[0]["correlation"]
        if place != "dead":
            assert one["finished_at"] == newest["finished_at"], (one, dict(newest))
        whole = sum(((_end(row) or told["ends_at"]) - row["created_at"]).total_seconds() for row in lives)
        assert sum(one["seconds"].values()) == pytest.approx(whole, abs=0.01), one
    assert not rows, [dict(row) for row in rows.values()]


def _end(row: Any) -> datetime | None:
    """When an item's life ended; a dead one still waits for somebody to decide."""
    return None if row["place"] == "dead" else row["finished_at"]


class AuditedLives(LoggedLives):
    """Random lives, audited at their end."""

    def teardown(self) -> None:
        super().teardown()
        if self.ids:
            self.run(check_audit(self.board))


@pytest.mark.filterwarnings("ignore:.*unclosed.*:ResourceWarning")
def test_an_audit_of_random_lives_says_what_the_tables_say(app_url: str) -> None:
    run_lives(AuditedLives, app_url)


async def test_deliveries_waits_and_erasures_are_told_as_the_tables_have_them(
    board: BoardUnderTest, router: Router
) -> None:
    wanted = {"patterns": ["genbrain.events.>"], "agent": "frontend"}
    await board.perform("subscribe", name="all", **wanted)
    await board.perform("subscribe", name="ordered", **wanted, ordered_by="$.payload.key")
    items = await board.post_graph({"a": [], "b": ["a"], "c": []})
    await board.perform("depend", reference="work/c", on=["a"])
    first = await board.claim_item(items["a"])
    asked = {"pattern": "genbrain.events.x", "timeout_seconds": 60, "note": "n"}
    await board.perform("wait_for", by="backend", item=first.item, fence=first.fence, **asked)
    told = await check_audit(board)
    assert next(one for one in told["artifacts"] if one["reference"] == "work/a")["place"] == "waiting"
    for number in range(3):
        await board.perform("publish", subject="genbrain.events.x", data={"key": "k", "n": number})
    await router.run()
    await check_audit(board)
    done = await board.claim("frontend", limit=2)
    await board.finish(done[0], by="frontend")
    await board.fail(done[1], FailureClass.LOGIC, by="frontend")
    told = await check_audit(board)
    (died,) = [one for one in told["incidents"] if one["what"] == "died"]
    assert died["then"] == "nothing yet"
    await board.perform("redrive", items=[done[1].item])
    await board.give_back(await board.claim_item(items["a"]), Outcome.RELEASED)
    await board.complete(items["a"])
    await board.perform("cancel", reference="work/b")
    position = await board.fetchval("SELECT max(position) FROM events WHERE board = $1 AND subject LIKE 'genbrain.%'")
    await board.perform("erase_event", position=position, reason="a secret")
    told = await check_audit(board)
    assert died["reference"] in {one["reference"] for one in told["artifacts"]}
    assert {one["then"] for one in told["incidents"] if one["what"] == "died"} == {"brought back by admin"}
    assert [(one["position"], one["reason"]) for one in told["erasures"]] == [(position, "a secret")]
    assert "wait" not in {one["outcome"] for row in told["artifacts"] for one in row["attempts"]}


async def test_the_critical_path_and_the_hand_overs_of_a_pipeline_go_through_its_events(
    board: BoardUnderTest, router: Router
) -> None:
    """a (slow) and b hold c; c announces what frontend handles: a, c, delivery."""
    await board.perform("subscribe", name="told", patterns=["genbrain.events.>"], agent="frontend")
    items = await board.post(
        NewArtifact(task="work", name="a", owner="backend"),
        NewArtifact(task="work", name="b", owner="frontend"),
        NewArtifact(task="work", name="c", owner="cto", blocked_by=("a", "b")),
        tasks=[NewTask(name="work", title="Work", agent="cto")],
    )
    await board.complete(items["work/b"], agent="frontend")
    await board.complete(items["work/a"])
    claim = await board.claim_item(items["work/c"], agent="cto")
    announced = {"subject": "genbrain.events.made", "data": {}}
    under = (claim.item, claim.fence)
    await perform(board.database, board.actor("cto"), board.id, "publish", announced, under=under)
    await board.finish(claim, by="cto")
    await router.run()
    (delivery,) = await board.claim("frontend", limit=1)
    await board.finish(delivery, by="frontend")
    told = await check_audit(board)
    steps = [one["reference"].partition(" @")[0] for one in told["critical_path"]["steps"]]
    assert steps == ["work/a", "work/c", "told/handle"]
    delays = {(one["from"], one["to"].partition(" @")[0]): one for one in told["hand_overs"]}
    assert set(delays) == {("work/a", "work/c"), ("work/c", "told/handle")}
    handed = delays["work/a", "work/c"]
    a = next(one for one in told["artifacts"] if one["reference"] == "work/a")
    c = next(one for one in told["artifacts"] if one["reference"] == "work/c")
    assert handed["seconds"] == pytest.approx(
        (c["attempts"][0]["started_at"] - a["finished_at"]).total_seconds(), abs=0.002
    )
    assert (handed["from_agent"], handed["to_agent"]) == ("backend", "cto")
    published = next(one for one in told["published"] if one["subject"] == "genbrain.events.made")
    assert delays["work/c", "told/handle"]["done_at"] == published["happened_at"]
    end = max(one["finished_at"] for one in told["artifacts"] if one["finished_at"])
    assert told["critical_path"]["seconds"] == pytest.approx((end - a["posted_at"]).total_seconds(), abs=0.002)


async def test_warnings_move_nothing(board: BoardUnderTest) -> None:
    """An item that stands still, or is late, is where it was."""
    items = await board.post_graph({"slow": []})
    await board.claim_item(items["slow"], lease_seconds=3600)
    late = datetime.now(UTC) + timedelta(minutes=6)
    async with board.chores(now=late) as tx:
        await health.tell_stalled(tx, limit=100_000)
    await check_audit(board)
    assert "board.item.stalled" in await board.subjects()


async def test_what_a_later_manifest_changed_is_told_as_the_tables_have_it(board: BoardUnderTest) -> None:
    for owner in ("backend", "frontend"):
        spec = f"{{title: A, artifacts: {{a: {{owner: {owner}}}, b: {{owner: backend, blocked_by: a}}}}}}"
        text = f"apiVersion: agent.ceo/v1\nkind: TaskBoard\nmetadata: {{name: work}}\nspec: {spec}\n"
        await board.perform("apply", documents=[{"source": "board.yaml", "text": text}])
        told = await check_audit(board)
        assert {one["reference"]: one["owner"] for one in told["artifacts"]} == {"work/a": owner, "work/b": "backend"}
