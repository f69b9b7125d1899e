"""Questions from the shell: work asks, a person sees it in the inbox and answers, and the work goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.cli.conftest import Slate
    from tests.support.boards import BoardUnderTest


async def test_question_is_asked_shown_and_answered(slate: Slate, board: BoardUnderTest) -> None:
    await board.post_graph({"spec": [], "page": []})
    asked = []
    for deadline in ("2h", "30m"):
        claim = (await slate.ok("work", "claim", "--as", "backend"))["claim"]
        ask = ("work", "ask", claim["item"], "--fence", claim["fence"], "Which port?", "--of", "cto")
        choices = ("--option", "80", "--option", "8080", "--default", "80", "--deadline", deadline)
        asked.append(await slate.ok(*ask, *choices, "--as", "backend"))
        assert (await slate.wrong(5, *ask, "--as", "backend"))["code"] == "lease_lost"
    page = await slate.ok("inbox", "--agent", "cto")
    assert [row["item"] for row in page["rows"]] == [asked[1]["escalation"], asked[0]["escalation"]]
    first = await slate.ok("inbox", "--first", "1")
    (last,) = (await slate.ok("inbox", "--first", "1", "--after", first["next"]))["rows"]
    assert last["item"] == asked[0]["escalation"]
    shown = await slate("inbox", "--agent", "cto")
    assert "Which port?  [80 | 8080]  default: 80" in shown.out
    number = asked[1]["escalation"]
    told = (await slate("work", "claim", "--as", "cto", "--item", str(number))).out
    assert "asked by backend (one of: 80, 8080); unanswered, it is 80\n      Which port?" in told
    assert f"slate answer {number} TEXT" in told
    assert (await slate.wrong(2, "answer", number, "90"))["code"] == "invalid"
    assert (await slate.ok("answer", number, "8080", "--as", "cto"))["answer"] == "8080"
    assert (await slate.wrong(5, "answer", number, "80", "--as", "cto"))["code"] == "wrong_state"
    assert (await slate.wrong(4, "answer", "1", "80"))["code"] == "unknown_name"
    assert (await slate.wrong(4, "inbox", "--agent", "nobody"))["code"] == "unknown_name"
    again = await slate.ok("work", "claim", "--as", "backend")
    assert again["briefing"]["answers"][0]["answer"] == "8080"
    await slate.ok("work", "release", again["claim"]["item"], "--fence", again["claim"]["fence"], "--as", "backend")
    assert "Answers\n  cto: 8080\n      Which port?" in (await slate("work", "claim", "--as", "backend")).out
    assert (await board.perform("status"))["places"]["waiting"] == 1


async def test_empty_inbox_says_so(slate: Slate, board: BoardUnderTest) -> None:
    assert board.agents
    assert (await slate("inbox")).out == "nothing waits for an answer\n"


async def test_dead_letters_are_searched_previewed_and_redriven_from_the_shell(
    slate: Slate, board: BoardUnderTest
) -> None:
    items = await board.post_graph({"a": [], "b": []})
    for item in items.values():
        await board.bury(item)
    assert len((await slate.ok("dead-letters", "list", "--newer-than", "1h", "--class", "logic"))["rows"]) == 2
    assert (await slate.ok("get", "dead-letters", "--older-than", "1h"))["rows"] == []
    again = ("dead-letters", "redrive", "--all", "--search", "work/a")
    assert (await slate.ok(*again, "--dry-run"))["redriven"] == ["work/a"]
    assert (await slate.ok(*again))["redriven"] == ["work/a"]
    assert (await slate(*again)).code == 3
    gone = ("dead-letters", "discard", "--all", "--agent", "backend", "--reason", "no longer wanted")
    assert (await slate(*gone, "--dry-run")).out == "would be discarded work/b\n"
    assert (await slate.ok(*gone))["discarded"] == ["work/b"]
