"""What is wanted, who there is, what was decided: said and asked for from the shell."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Slate
    from tests.support.boards import BoardUnderTest


async def test_task_is_posted_with_its_result(slate: Slate) -> None:
    posted = await slate.ok("post", "changelog", "--title", "Write it", "--owner", "backend")
    assert list(posted["items"]) == ["changelog/result"]
    shown = await slate.ok("show", "changelog")
    assert (shown["type"], shown["agent"], shown["title"]) == ("task", "backend", "Write it")


async def test_artifact_is_posted_into_a_task_with_what_blocks_it(slate: Slate) -> None:
    await slate.ok("post", "api", "--owner", "backend")
    posted = await slate.ok("post", "api/docs", "--owner", "frontend", "--blocked-by", "result", "--due", "4h")
    row = (await slate.ok("get", "artifacts", "api/docs"))["rows"][0]
    assert (row["item"], row["status"], row["owner"]) == (posted["items"]["api/docs"], "pending", "frontend")
    assert row["blocked_by"] == ["api/result"]
    assert row["due"] is not None


async def test_task_whose_result_waits_says_so_at_once(slate: Slate) -> None:
    await slate.ok("post", "api", "--owner", "backend")
    await slate.ok("post", "page", "--owner", "frontend", "--blocked-by", "api/result", "--max-attempts", "2")
    row = (await slate.ok("get", "artifacts", "page/result"))["rows"][0]
    assert (row["owner"], row["status"], row["blocked_by"]) == ("frontend", "pending", ["api/result"])


@pytest.mark.parametrize(
    ("code", "kind", "arguments"),
    [
        (2, "bad_name", ("post", "With Space")),
        (2, "bad_name", ("post", "api/a.b", "--owner", "backend")),
        (2, "bad_name", ("post", "new\nline")),
        (2, "invalid", ("post", "api/x", "--parent", "other")),
        (2, "invalid", ("post", "api", "--due", "some day")),
        (2, "invalid", ("post", "api", "--priority", "extreme")),
        (4, "unknown_name", ("post", "nowhere/x")),
        (4, "unknown_name", ("post", "api", "--owner", "nobody")),
        (4, "unknown_name", ("post", "api/x", "--blocked-by", "nothing")),
        (5, "duplicate_name", ("post", "there")),
        (5, "dependency_cycle", ("depend", "there/result", "--on", "there/more")),
        (4, "unknown_name", ("depend", "there/none", "--on", "there/more")),
        (4, "unknown_name", ("show", "there/none")),
        (4, "unknown_name", ("show", "none")),
        (4, "unknown_name", ("tree", "none")),
        (4, "unknown_name", ("get", "artifacts", "--task", "none")),
        (4, "unknown_name", ("cancel", "none")),
        (4, "unknown_name", ("resume",)),
        (5, "wrong_state", ("revise", "there")),
        (5, "wrong_state", ("dead-letters", "redrive", "4711")),
        (2, "invalid", ("dead-letters", "redrive")),
        (2, "invalid", ("dead-letters", "redrive", "1", "--all")),
        (2, "invalid", ("get", "nonsense")),
        (2, "invalid", ("decide", " ")),
        (5, "duplicate_name", ("agent", "add", "backend")),
        (4, "unknown_name", ("agent", "add", "x", "--manager", "backent")),
        (4, "unknown_name", ("token", "revoke", "1")),
        (2, "invalid", ("token", "issue", "backend", "--expires-in", "0s")),
        (2, "bad_name", ("board", "add", "Bad Name")),
    ],
)
async def test_mistake_is_named_and_changes_nothing(
    slate: Slate, board: BoardUnderTest, code: int, kind: str, arguments: tuple[str, ...]
) -> None:
    await board.post_graph({"result": [], "more": ["result"]}, task="there")
    before = await board.fetchval("SELECT count(*) FROM event_outbox WHERE board = $1")
    error = await slate.wrong(code, *arguments)
    assert error["code"] == kind
    assert error["remedy"]
    assert await board.fetchval("SELECT count(*) FROM event_outbox WHERE board = $1") == before


async def test_dependency_holds_what_waits(slate: Slate) -> None:
    await slate.ok("post", "one", "--owner", "backend")
    await slate.ok("post", "two", "--owner", "backend")
    answer = await slate.ok("depend", "two/result", "--on", "one/result")
    assert answer["reference"] == "two/result"
    assert (await slate.ok("show", "two/result"))["blockers"][0]["reference"] == "one/result"


async def test_revision_makes_a_second_version(slate: Slate, board: BoardUnderTest) -> None:
    items = await board.post_graph({"spec": []})
    await board.complete(items["spec"])
    error = await slate.wrong(5, "revise", "work/spec", "--expect-version", "2")
    assert error["code"] == "version_conflict"
    revised = await slate.ok("revise", "work/spec", "--reason", "one field too many", "--expect-version", "1")
    await board.complete(revised["item"])
    assert [one["version"] for one in (await slate.ok("show", "work/spec"))["versions"]] == [2, 1]


async def test_cancel_asks_what_becomes_of_those_who_wait(slate: Slate, board: BoardUnderTest) -> None:
    await board.post_graph({"a": [], "b": ["a"], "c": ["b"]})
    assert (await slate.wrong(5, "cancel", "work/a"))["code"] == "has_dependents"
    answer = await slate.ok("cancel", "work/a", "--cascade", "--reason", "not wanted")
    assert sorted(answer["cancelled"]) == ["work/a", "work/b", "work/c"]


async def test_waived_work_goes_on_without_what_was_cancelled(slate: Slate, board: BoardUnderTest) -> None:
    items = await board.post_graph({"a": [], "b": ["a"]})
    await slate.ok("cancel", "work/a", "--waive")
    assert await board.place(items["b"]) == "ready"


async def test_decision_keeps_its_fields_and_is_superseded_by_name(slate: Slate) -> None:
    made = await slate.ok(
        "decide", "Use ClickHouse", "--subject", "storage", "--rationale", "columns", "--option", "ClickHouse",
        "--option", "Postgres", "--driver", "speed", "--as", "cto",
    )  # fmt: skip
    assert (made["agent"], made["options"], made["drivers"]) == ("cto", ["ClickHouse", "Postgres"], ["speed"])
    error = await slate.wrong(5, "decide", "Use Postgres", "--subject", "storage")
    assert error["code"] == "subject_decided"
    assert error["message"].endswith(": 'storage'")
    await slate.ok("decide", "Use Postgres", "--subject", "storage", "--supersedes", "storage")
    rows = (await slate.ok("get", "decisions", "--subject", "storage"))["rows"]
    assert [row["status"] for row in rows] == ["accepted", "superseded"]


async def test_dead_letter_is_listed_redriven_and_discarded(slate: Slate, board: BoardUnderTest) -> None:
    items = await board.post_graph({"a": [], "b": []})
    await board.bury(items["a"])
    await board.bury(items["b"])
    listed = await slate.ok("dead-letters", "list", "--class", "logic", "--total")
    assert ({row["id"] for row in listed["rows"]}, listed["total"]) == (set(items.values()), 2)
    assert (await slate.ok("dead-letters", "redrive", items["a"]))["redriven"] == ["work/a"]
    await slate.wrong(2, "dead-letters", "discard", items["b"])
    answer = await slate.ok("dead-letters", "discard", items["b"], "--reason", "gone")
    assert answer["discarded"] == ["work/b"]
    assert await board.place(items["b"]) == "cancelled"


async def test_all_dead_letters_that_match_are_redriven(slate: Slate, board: BoardUnderTest) -> None:
    items = await board.post_graph({"a": [], "b": []})
    nothing = await slate("dead-letters", "redrive", "--all", "--json")
    assert (nothing.code, nothing.data["redriven"]) == (3, [])
    await board.bury(items["a"])
    assert (await slate("dead-letters", "redrive", "--all", "--agent", "frontend")).code == 3
    assert (await slate.ok("dead-letters", "redrive", "--all", "--search", "it broke"))["redriven"] == ["work/a"]


async def test_many_dead_letters_are_discarded_with_what_waits_for_them_after_a_preview(
    slate: Slate, board: BoardUnderTest
) -> None:
    items = await board.post_graph({"a": [], "b": ["a"]})
    await board.bury(items["a"])
    await slate.wrong(5, "dead-letters", "discard", "--all", "--reason", "no")
    shown = await slate("dead-letters", "discard", "--all", "--reason", "no", "--cascade", "--dry-run")
    assert shown.out == "would be discarded work/a, work/b\n"
    assert await board.place(items["a"]) == "dead"
    await slate.ok("dead-letters", "discard", "--all", "--class", "logic", "--reason", "no", "--waive")
    assert [await board.place(items[name]) for name in "ab"] == ["cancelled", "ready"]


async def test_pause_stops_claims_until_it_is_resumed(slate: Slate, board: BoardUnderTest) -> None:
    await board.post_graph({"a": []})
    await slate.ok("pause", "--agent", "backend", "--reason", "no budget")
    error = await slate.wrong(5, "work", "claim", "--as", "backend")
    assert (error["code"], "no budget" in error["message"]) == ("paused", True)
    await slate.ok("resume", "--agent", "backend")
    await slate.ok("work", "claim", "--as", "backend")


async def test_token_is_shown_once_and_alone_on_standard_output(slate: Slate) -> None:
    done = await slate("token", "issue", "backend", "--expires-in", "30d")
    assert done.code == 0
    assert done.out.strip().startswith("slate_")
    assert " " not in done.out.strip()
    rows = (await slate.ok("get", "tokens", "--agent", "backend"))["rows"]
    assert done.out.strip() not in json.dumps(rows)
    rotated = await slate.ok("token", "rotate", rows[0]["id"], "--overlap", "0s")
    assert rotated["token"] != done.out.strip()
    assert (await slate.ok("token", "revoke", rotated["token_id"]))["revoked"] is True
    live = (await slate.ok("token", "list", "--agent", "backend", "--live"))["rows"]
    assert live == []


async def test_agent_is_added_with_what_it_can_do(slate: Slate) -> None:
    await slate.ok("agent", "add", "cso", "--kind", "service", "--role", "Reviews", "--capability", "review",
                   "--manager", "cto", "--right", "operator")  # fmt: skip
    rows = (await slate.ok("agent", "list", "--capability", "review"))["rows"]
    assert [(row["name"], row["kind"], row["manager"], row["right"]) for row in rows] == [
        ("cso", "service", "cto", "operator")
    ]


async def test_board_is_added_whatever_board_is_meant(slate: Slate, board: BoardUnderTest) -> None:
    name = f"{board.name}-new"
    await slate.ok("board", "add", name, "--prefix", "acme", "--board", name)
    rows = {row["name"]: row for row in await every_row(slate, "board", "list")}
    assert rows[name]["prefix"] == "acme"
    assert (await slate.ok("get", "agents", "--board", name))["rows"] == []


async def test_pages_follow_each_other(slate: Slate, board: BoardUnderTest) -> None:
    items = await board.post_graph({f"a{number}": [] for number in range(7)})
    rows = await every_row(slate, "get", "items", "--limit", "3")
    assert [row["id"] for row in rows] == sorted(items.values())
    done = await slate("get", "items", "--limit", "3")
    assert "--after" in done.err
    assert len(done.out.splitlines()) == 4


async def test_listing_says_when_there_is_nothing(slate: Slate) -> None:
    done = await slate("get", "artifact", "--status", "failed")
    assert (done.code, done.out, done.err) == (0, "", "no artifacts\n")


@pytest.mark.parametrize(
    "noun", ["boards", "agents", "tasks", "artifacts", "items", "decisions", "dead-letters", "tokens", "events"]
)
async def test_every_listing_has_a_table(slate: Slate, board: BoardUnderTest, noun: str) -> None:
    items = await board.post_graph({"a": [], "b": ["a"], "dead": []})
    await board.bury(items["dead"])
    await slate.ok("decide", "Use it")
    await slate.ok("token", "issue", "cto")
    await board.seal()
    done = await slate("get", noun)
    assert done.code == 0, done
    lines = done.out.splitlines()
    assert lines[0] == lines[0].upper()
    assert len(lines) > 1


async def test_what_is_too_much_for_one_page_says_how_to_read_on(slate: Slate, board: BoardUnderTest) -> None:
    await board.post_graph({f"a{number}": [] for number in range(101)})
    assert "… and more: slate get artifacts --task work\n" in (await slate("show", "work")).out


async def test_showing_is_for_people_too(slate: Slate, board: BoardUnderTest) -> None:
    items = await board.post_graph({"a": [], "b": ["a"]})
    await board.complete(items["a"])
    for what in ("work", "work/a", "work/b", items["b"]):
        done = await slate("show", what)
        assert done.code == 0, done
        assert "work" in done.out
    assert f"result of {items['a']}" in (await slate("show", "work/a")).out
    tree = await slate("tree", "work")
    assert "1/2" in tree.out
    assert (await slate.ok("tree"))["tasks"][0]["progress"]["done"] == 1


async def test_log_is_read_from_its_end(slate: Slate, board: BoardUnderTest) -> None:
    await board.post_graph({"a": [], "b": []})
    await board.seal()
    newest = await slate.ok("log", "tail", "--lines", "1")
    head = await board.fetchval("SELECT position FROM event_heads WHERE board = $1")
    assert [event["position"] for event in newest] == [head]
    posted = await slate.ok("log", "tail", "--subject", "board.artifact.*")
    assert [event["payload"]["reference"] for event in posted] == ["work/a", "work/b"]
    assert (await slate.ok("log", "tail", "--after", head)) == []
    assert len((await slate("log", "tail", "-n", "2")).out.splitlines()) == 2
    await slate.wrong(2, "log", "tail", "--subject", "a..b")


async def test_log_that_stands_still_says_why(slate: Slate, board: BoardUnderTest) -> None:
    await board.post_graph({"a": []})
    done = await slate("log", "tail")
    assert (done.code, done.out) == (0, "")
    assert "wait for a server" in done.err


async def every_row(slate: Slate, *command: str) -> list[Any]:
    """All rows of a listing, page after page."""
    rows: list[Any] = []
    cursor: tuple[str, ...] = ()
    while True:
        page = await slate.ok(*command, *cursor)
        rows += page["rows"]
        if page["next"] is None:
            return rows
        cursor = ("--after", page["next"])
