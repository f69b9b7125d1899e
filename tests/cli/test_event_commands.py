"""Events from the shell: publishing, and who hears of what."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Slate
    from tests.support.boards import BoardUnderTest


async def test_data_is_given_as_text_file_or_standard_input(
    slate: Slate, board: BoardUnderTest, tmp_path: Path
) -> None:
    file = tmp_path / "data.json"
    file.write_text('{"from": "file"}')
    await slate.ok("publish", "a.text", "--data", '{"from": "text"}')
    await slate.ok("publish", "a.file", "--data", f"@{file}")
    await slate.ok("publish", "a.input", "--data", "-", given='{"from": "input"}')
    await slate.ok("publish", "a.nothing")
    found = await board.log(subject="a.*")
    assert [event.payload for event in found] == [{"from": "text"}, {"from": "file"}, {"from": "input"}, None]


async def test_whatever_is_published_can_be_listed_and_only_what_was_erased_is_called_so(
    slate: Slate, board: BoardUnderTest
) -> None:
    given = [
        '"done"',
        "[1, 2]",
        "5",
        "true",
        "null",
        f'"{"x" * 10_000}"',
        '{"reason": "it rains"}',
        '{"key": "secret"}',
    ]
    for value in given:
        await slate.ok("publish", "a.b", "--data", value, "--correlation", "values")
    await board.seal()
    position = (await board.log(subject="a.b"))[-1].position
    await slate.ok("log", "erase", position, "--reason", "a secret")
    await board.seal()
    for command in (("log", "tail"), ("log", "list"), ("get", "events"), ("log", "chain", "values")):
        lines = [line for line in (await slate(*command)).out.splitlines() if " a.b" in line and "board." not in line]
        assert len(lines) == len(given), command
        assert [line.count("(erased)") for line in lines] == [0] * 7 + [1], command
        assert '"done"' in lines[0]
        assert "[1, 2]" in lines[1]
        assert not lines[4].endswith(":")
        assert len(lines[5]) < 300
    assert "(erased)" in (await slate("log", "show", position)).out
    assert "(erased)" not in (await slate("log", "show", position - 3)).out
    shown = [event["erased"] for event in await slate.ok("log", "tail", "--subject", "a.b")]
    assert shown == [False] * 7 + [True]
    assert (await board.perform("report_audit"))["erased"] == 1


async def test_an_id_publishes_once(slate: Slate, board: BoardUnderTest) -> None:
    first = await slate.ok("publish", "a.b", "--id", "pr-17", "--correlation", "chain-7")
    again = await slate.ok("publish", "a.b", "--id", "pr-17")
    assert (first["repeated"], again["repeated"], again["event"]) == (False, True, first["event"])
    assert again["correlation"] == "chain-7"
    done = await slate("publish", "a.b", "--id", "pr-17")
    assert "was published already" in done.out
    assert len(await board.log(subject="a.b")) == 1


async def test_what_a_workers_command_publishes_belongs_to_its_work(slate: Slate, board: BoardUnderTest) -> None:
    await board.post_graph({"api": []})
    (claim,) = await board.claim("backend")
    told = await slate.ok("publish", "a.b", SLATE_ITEM=str(claim.item), SLATE_FENCE=str(claim.fence))
    assert told["correlation"] == claim.correlation
    error = await slate.wrong(5, "publish", "a.b", "--item", claim.item, "--fence", claim.fence + 1)
    assert error["code"] == "lease_lost"


async def test_what_cannot_be_published_is_refused(slate: Slate, tmp_path: Path) -> None:
    assert (await slate.wrong(2, "publish", "a..b"))["code"] == "bad_subject"
    assert (await slate.wrong(2, "publish", "a.b", "--data", "no json"))["code"] == "invalid"
    assert (await slate.wrong(2, "publish", "a.b", "--data", f"@{tmp_path}/none"))["code"] == "invalid"
    large = json.dumps("x" * 1_100_000)
    assert (await slate.wrong(2, "publish", "a.b", "--data", "-", given=large))["code"] == "too_large"
    assert (await slate.wrong(6, "publish", "board.task.posted"))["code"] == "denied"


async def test_the_life_of_a_subscription(slate: Slate, board: BoardUnderTest) -> None:
    made = await slate.ok("subscription", "add", "deploys", "a.*", "b.>", "--agent", "backend", "--action", "deploy")
    assert (made["patterns"], made["action"]) == (["a.*", "b.>"], "deploy")
    await slate.ok("subscription", "pause", "deploys", "--reason", "the freeze")
    assert (await slate.wrong(5, "subscription", "pause", "deploys", "--reason", "x"))["code"] == "wrong_state"
    shown = await slate("subscription", "list")
    assert "a.*, b.>" in shown.out
    assert "paused: the freeze" in shown.out
    assert "subscription deploys is paused" in (await slate("status", "--board", board.name)).out
    await slate.ok("subscription", "resume", "deploys")
    changed = ("subscription", "change", "deploys", "a.b", "a.c", "--all-of", "--agent", "cto", "--priority", "high")
    assert (await slate.ok(*changed))["all_of"] is True
    (row,) = await slate.ok("subscription", "list")
    assert (row["agent"], row["patterns"], row["priority"]) == ("cto", ["a.b", "a.c"], "high")
    await slate.ok("subscription", "rewind", "deploys", "--to", "beginning")
    await slate.ok("subscription", "remove", "deploys")
    assert await slate.ok("subscription", "list") == []
    assert "no subscriptions" in (await slate("subscription", "list")).err


async def test_mistakes_in_a_subscription_end_with_their_code(slate: Slate) -> None:
    add = ("subscription", "add", "deploys")
    assert (await slate.wrong(4, *add, "a.*", "--agent", "nobody"))["code"] == "unknown_name"
    assert (await slate.wrong(2, *add, "a.>.b", "--agent", "backend"))["code"] == "bad_subject"
    assert (await slate.wrong(2, *add, "a", "--agent", "backend", "--filter", "$.("))["code"] == "invalid"
    assert (await slate.wrong(2, *add, "a", "--agent", "backend", "--start", "10000"))["code"] == "invalid"
    await slate.ok(*add, "a", "--agent", "backend")
    assert (await slate.wrong(5, *add, "a", "--agent", "backend"))["code"] == "duplicate_name"
    assert (await slate.wrong(4, "subscription", "remove", "none"))["code"] == "unknown_name"


async def test_the_life_of_a_schedule(slate: Slate) -> None:
    add = ("schedule", "add", "nightly")
    made = await slate.ok(*add, "30 2 * * *", "--timezone", "Europe/Berlin", "--subject", "a.night", "--data", "[1]")
    assert made["next_at"]
    assert re.search(r"Europe/Berlin .* \d\d:\d\d:00", (await slate("schedule", "list")).out)
    assert (await slate.wrong(5, *add, "* * * * *", "--subject", "a.b"))["code"] == "duplicate_name"
    assert (await slate.wrong(2, "schedule", "add", "x", "61 * * * *", "--subject", "a.b"))["code"] == "invalid"
    await slate.ok("schedule", "remove", "nightly")
    assert (await slate.wrong(4, "schedule", "remove", "nightly"))["code"] == "unknown_name"


async def test_an_event_is_shown_with_those_who_have_not_handled_it(slate: Slate, board: BoardUnderTest) -> None:
    await slate.ok("subscription", "add", "deploys", "a.*", "--agent", "backend")
    told = await slate.ok("publish", "a.b", "--data", '{"x": 1}')
    (event,) = await board.log(subject="a.b")
    shown = await slate.ok("log", "show", event.position)
    assert (shown["subject"], shown["payload"]) == ("a.b", {"x": 1})
    assert [(one["name"], one["state"]) for one in shown["handled"]] == [("deploys", "not routed")]
    assert "deploys" in (await slate("log", "show", event.position)).out
    chain = await slate.ok("log", "chain", told["correlation"])
    assert [root["subject"] for root in chain["roots"]] == ["a.b"]
    assert await slate.ok("log", "chain", "--position", event.position) == chain
    assert "└─ +0.000s" in (await slate("log", "chain", told["correlation"])).out
    assert (await slate.wrong(4, "log", "show", "4711"))["code"] == "unknown_name"
    assert (await slate.wrong(4, "log", "chain", "none"))["code"] == "unknown_name"
    assert (await slate.wrong(2, "log", "chain"))["code"] == "invalid"
