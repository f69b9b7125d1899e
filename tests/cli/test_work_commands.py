"""The queue by hand: a claim, what is done under it, and its end."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.conftest import until

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.cli.conftest import Slate
    from tests.support.boards import BoardUnderTest


async def claimed(slate: Slate, *arguments: object) -> tuple[Any, ...]:
    """Claim as backend: the item, and the option that names the fence."""
    claim = (await slate.ok("work", "claim", "--as", "backend", *arguments))["claim"]
    return claim["item"], "--fence", claim["fence"]


async def test_has_work_answers_by_its_exit_code(slate: Slate, board: BoardUnderTest) -> None:
    empty = await slate("has-work", "--agent", "backend")
    assert (empty.code, empty.out) == (3, "no\n")
    await board.post_graph({"a": []})
    full = await slate("has-work", "--agent", "backend")
    assert (full.code, full.out) == (0, "yes\n")
    assert (await slate("has-work", "--json", SLATE_AGENT="backend")).data is True
    assert (await slate.wrong(2, "has-work"))["remedy"].startswith("give --as")


async def test_claim_gives_the_briefing_and_the_fence(slate: Slate, board: BoardUnderTest) -> None:
    await board.post_graph({"a": []})
    found = await slate.ok("work", "claim", "--as", "backend", "--lease", "10m")
    assert found["claim"]["reference"] == found["briefing"]["reference"] == "work/a"
    assert [one["reference"] for one in await slate.ok("mine", "--as", "backend")] == ["work/a"]
    nothing = await slate("work", "claim", "--as", "backend", "--json")
    assert (nothing.code, nothing.data) == (3, None)


async def test_briefing_is_readable_with_what_came_before(slate: Slate, board: BoardUnderTest) -> None:
    items = await board.post_graph({"a": [], "b": ["a"]})
    await board.complete(items["a"])
    await slate.ok("decide", "Use tabs", "--rationale", "they are one key")
    first = await claimed(slate)
    await slate.ok("work", "fail", *first, "--error", "the network\x1b[31m is down", "--note", "half", "--delay", "0")
    shown = (await slate("work", "claim", "--as", "backend", "--item", "work/b")).out
    for part in ("Use tabs", "they are one key", "work/a version 1 by admin", f"result of {items['a']}", "half",
                 "the network[31m is down", "Earlier attempts", f"slate work finish {items['b']} --fence"):  # fmt: skip
        assert part in shown, shown


async def test_errors_cannot_steer_the_terminal_either(slate: Slate) -> None:
    await slate.ok("pause", "--agent", "backend", "--reason", "no\x1b]0;title\x07 budget")
    done = await slate("work", "claim", "--as", "backend")
    assert (done.code, done.err.splitlines()[0]) == (5, "error: the agent is paused: no]0;title budget")


async def test_claim_waits_for_work_that_comes(
    slate: Slate, running: Callable[..., Awaitable[asyncio.subprocess.Process]]
) -> None:
    waiting = await running("work", "claim", "--as", "backend", "--wait", "20s", "--json")
    await slate.ok("post", "late", "--owner", "backend")
    out, _ = await waiting.communicate()
    assert json.loads(out)["data"]["claim"]["reference"] == "late/result"


async def test_claim_that_waited_in_vain_says_so(slate: Slate) -> None:
    done = await slate("work", "claim", "--as", "backend", "--wait", "300ms")
    assert (done.code, done.out, done.err) == (3, "", "nothing is ready\n")


@pytest.mark.parametrize("lease", ["-5m", "0", "25h", "soon"])
async def test_lease_that_cannot_be_is_refused(slate: Slate, board: BoardUnderTest, lease: str) -> None:
    items = await board.post_graph({"a": []})
    error = await slate.wrong(2, "work", "claim", "--as", "backend", "--lease", lease)
    assert error["code"] == "invalid"
    assert await board.place(items["a"]) == "ready"


async def test_claim_of_a_held_item_says_who_holds_it(slate: Slate, board: BoardUnderTest) -> None:
    items = await board.post_graph({"a": []})
    await claimed(slate)
    error = await slate.wrong(5, "work", "claim", "--as", "backend", "--item", items["a"])
    assert error["details"]["holder"]
    assert error["details"]["until"]


async def test_finish_takes_the_hash_of_a_file(slate: Slate, board: BoardUnderTest, tmp_path: Path) -> None:
    await board.post_graph({"a": []})
    file = tmp_path / "spec.yaml"
    file.write_text("openapi: 3.1.0")
    claim = await claimed(slate)
    answer = await slate.ok("work", "finish", *claim, "--path", file, "--summary", "six", "--usage", '{"cost": 0.5}')
    assert answer["hash"].startswith("sha256:")
    shown = await slate.ok("show", "work/a")
    assert (shown["status"], shown["path"], shown["hash"]) == ("complete", str(file), answer["hash"])
    assert shown["attempts_made"][0]["usage"] == {"cost": 0.5}


async def test_finish_repeated_answers_the_same_and_with_other_content_is_a_conflict(
    slate: Slate, board: BoardUnderTest
) -> None:
    await board.post_graph({"a": []})
    claim = await claimed(slate)
    first = await slate.ok("work", "finish", *claim, "--content", "hello")
    assert await slate.ok("work", "finish", *claim, "--content", "hello") == first
    assert (await slate.wrong(5, "work", "finish", *claim, "--content", "other"))["code"] == "finish_conflict"


async def test_content_is_read_from_standard_input_and_from_a_file(
    slate: Slate, board: BoardUnderTest, tmp_path: Path
) -> None:
    await board.post_graph({"a": [], "b": []})
    claim = await claimed(slate)
    await slate.ok("work", "finish", *claim, "--content-file", "-", given="from a pipe")
    assert (await slate.ok("show", "work/a"))["versions"][0]["content"] == "from a pipe"
    (tmp_path / "b.txt").write_text("from a file")
    await slate.ok("work", "finish", *await claimed(slate), "--content-file", tmp_path / "b.txt")
    assert (await slate.ok("show", "work/b"))["versions"][0]["content"] == "from a file"


async def test_result_that_cannot_be_taken_is_refused_and_the_claim_stays(
    slate: Slate, board: BoardUnderTest, tmp_path: Path
) -> None:
    items = await board.post_graph({"a": []})
    claim = await claimed(slate)
    (tmp_path / "large").write_bytes(b"x" * (1_048_576 + 1))
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    for arguments in (
        ("--path", tmp_path / "none"),
        ("--path", tmp_path),
        ("--content", "a", "--uri", "b"),
        ("--content-file", tmp_path / "large"),
        ("--content-file", tmp_path / "binary"),
        ("--content-file", tmp_path / "none"),
        ("--content", "a", "--usage", "[1]"),
        ("--content", "a", "--usage", "{"),
    ):
        error = await slate.wrong(2, "work", "finish", *claim, *arguments)
        assert error["remedy"], arguments
    assert await board.place(items["a"]) == "claimed"


async def test_fence_is_needed_and_a_stale_one_changes_nothing(slate: Slate, board: BoardUnderTest) -> None:
    items = await board.post_graph({"a": [], "other": []})
    item, _, fence = await claimed(slate, "--item", "work/a")
    assert "--fence" in (await slate.wrong(2, "work", "finish", item, "--content", "x"))["message"]
    stale = (item, "--fence", fence - 1)
    for call in (("heartbeat", *stale), ("checkpoint", *stale, "--note", "x"), ("finish", *stale, "--content", "x"),
                 ("release", *stale), ("fail", *stale, "--error", "x"),
                 ("block", *stale, "--on", "work/other")):  # fmt: skip
        assert (await slate.wrong(5, "work", *call))["code"] == "lease_lost", call
    assert await board.place(items["a"]) == "claimed"
    await slate.ok("work", "finish", "--content", "x", SLATE_ITEM=str(item), SLATE_FENCE=str(fence))


async def test_heartbeat_says_how_far_it_is(slate: Slate, board: BoardUnderTest) -> None:
    await board.post_graph({"a": []})
    claim = await claimed(slate)
    await slate.ok("work", "heartbeat", *claim, "--percent", "40", "--progress", "half of it", "--lease", "1h")
    row = (await slate.ok("mine", "--as", "backend"))[0]
    assert (row["percent"], row["progress"]) == (40, "half of it")
    assert "half of it" in (await slate("mine", "--as", "backend")).out
    assert "40 %" in (await slate("tree")).out
    await slate.wrong(2, "work", "heartbeat", *claim, "--percent", "101")


async def test_checkpoint_and_note_reach_the_next_attempt(slate: Slate, board: BoardUnderTest) -> None:
    await board.post_graph({"a": []})
    claim = await claimed(slate)
    await slate.wrong(2, "work", "checkpoint", *claim)
    await slate.wrong(2, "work", "checkpoint", *claim, "--data", "{")
    await slate.ok("work", "checkpoint", *claim, "--data", "-", given='{"drawn": 3}')
    await slate.ok("work", "checkpoint", *claim, "--note", "4 to 6 are missing")
    released = await slate.ok("work", "release", *claim)
    assert released["place"] == "ready"
    briefing = (await slate.ok("work", "claim", "--as", "backend"))["briefing"]
    checkpoint = briefing["checkpoint"]
    assert (json.loads(checkpoint) if isinstance(checkpoint, str) else checkpoint) == {"drawn": 3}
    assert briefing["note"] == "4 to 6 are missing"


async def test_failure_is_tried_again_by_its_class(slate: Slate, board: BoardUnderTest) -> None:
    items = await board.post_graph({"a": [], "b": []})
    later = await slate.ok("work", "fail", *await claimed(slate, "--item", "work/a"), "--error", "no network")
    assert later["place"] == "scheduled"
    assert later["run_at"] is not None
    dead = await slate.ok(
        "work", "fail", *await claimed(slate, "--item", "work/b"), "--class", "logic", "--error", "impossible"
    )
    assert (dead["place"], await board.place(items["b"])) == ("dead", "dead")


async def test_blocked_claim_is_ready_when_what_it_waits_for_is_complete(slate: Slate, board: BoardUnderTest) -> None:
    items = await board.post_graph({"a": [], "repair": []}, owner="backend")
    await slate.ok("work", "block", *await claimed(slate, "--item", "work/a"), "--on", "repair", "--note", "found one")
    assert await board.place(items["a"]) == "gated"
    explained = await slate.ok("work", "explain", "work/a")
    assert [one["reference"] for one in explained["blocked_by"]] == ["work/repair"]
    shown = await slate("work", "explain", "work/a")
    assert f"work/repair (item {items['repair']}): ready" in shown.out
    await board.complete(items["repair"])
    assert await board.place(items["a"]) == "ready"


async def test_explain_adds_the_rating_up_and_a_pin_fixes_it(slate: Slate, board: BoardUnderTest) -> None:
    items = await board.post_graph({"a": [], "b": ["a"], "c": []})
    explained = await slate.ok("work", "explain", items["a"])
    assert explained["rating"] == sum(explained["parts"].values())
    await slate.wrong(2, "work", "pin", items["c"])
    await slate.ok("work", "pin", "work/c", "--rating", "5000")
    assert "5000 pinned" in (await slate("work", "explain", "work/c")).out
    listed = await slate.ok("work", "list", "--place", "ready", "--agent", "backend")
    assert [row["id"] for row in listed["rows"]] == [items["c"], items["a"]]
    await slate.ok("work", "pin", items["c"], "--clear")


async def test_log_is_followed_until_it_is_interrupted(running: Any, slate: Slate, board: BoardUnderTest) -> None:
    follower = await running("log", "tail", "--follow", "--json", "--subject", "board.task.*")
    await slate.ok("post", "first", "--owner", "backend")
    lines: list[dict[str, Any]] = []

    async def read() -> None:
        assert follower.stdout is not None
        lines.append(json.loads(await follower.stdout.readline()))

    reading = asyncio.create_task(read())

    async def sealed() -> bool:
        await board.seal()
        return bool(lines)

    await until(sealed, "the first event")
    await reading
    assert lines[0]["payload"]["reference"] == "first"
    follower.send_signal(2)
    async with asyncio.timeout(60):
        assert await follower.wait() == 130
    assert follower.stderr is not None
    assert b"Traceback" not in await follower.stderr.read()
