"""Peers from the shell: whom one may ask, the questions, the notices, and the threads on which it is said."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slateboard.patterns.peers import routes
from slateboard.patterns.peers.routes import Route

if TYPE_CHECKING:
    from tests.cli.conftest import Slate
    from tests.support.boards import BoardUnderTest


async def test_peers_talk_from_the_shell(slate: Slate, board: BoardUnderTest) -> None:
    assert (await slate("peers")).out == "there is no route\n"
    assert (await slate("thread", "list")).out == "there is no thread\n"
    async with board.writing() as tx:
        await routes.add(
            tx,
            routes=[
                Route("backend", "cto", "consult", "security review"),
                Route("backend", "frontend", "notify", "API contract changes"),
            ],
        )
    (shown, _) = await slate.ok("peers", "--agent", "backend")
    assert (shown["kind"], shown["other"], shown["label"]) == ("consult", "cto", "security review")
    asked = await slate.ok(
        "consult", "cto", "Is it safe?", "--option", "yes", "--option", "no", "--deadline", "1h", "--as", "backend"
    )
    assert (await slate.wrong(6, "consult", "frontend", "?", "--as", "backend"))["code"] == "no_channel"
    thread = asked["thread"]
    await slate.ok("thread", "reply", thread, "I shall look", "--data", '{"by": "tonight"}', "--as", "cto")
    assert "asked cto" in (await slate("consult", "cto", "And this?", "--thread", thread, "--as", "backend")).out
    await slate.ok("answer", asked["consult"], "yes", "--as", "cto")
    (row,) = await slate.ok("thread", "list", "--unread", "--agent", "backend")
    assert (row["thread"], row["unread"]) == (thread, 2)
    assert "security review" in (await slate("thread", "list", "--agent", "backend")).out
    text = (await slate("thread", "show", thread)).out
    assert "backend (2 unread)" in text
    assert "I shall look" in text
    assert "tonight" in text
    assert (await slate("thread", "read", thread, "--as", "backend")).out.startswith("read up to")
    assert (await slate("thread", "read", thread, "--as", "backend")).out == "nothing of it was new\n"
    assert (await slate.wrong(6, "thread", "read", thread, "--as", "frontend"))["code"] == "not_yours"
    assert (await slate.wrong(4, "thread", "show", 1))["code"] == "unknown_name"
    told = await slate.ok("notify", "api contract changes", "orders has a discount", "--as", "backend")
    assert told["told"] == ["frontend"]
    assert (await slate.wrong(6, "notify", "lunch", "--as", "backend"))["code"] == "no_channel"


async def test_question_under_a_claim_gives_it_back_unless_it_is_told_not_to(
    slate: Slate, board: BoardUnderTest
) -> None:
    async with board.writing() as tx:
        await routes.add(tx, routes=[Route("backend", "cto", "channel")])
    await board.add_agent("dba", capabilities=["sql"])
    (item,) = (await board.post_graph({"api": []})).values()
    claim = await board.claim_item(item)
    under = ("--item", item, "--fence", claim.fence, "--as", "backend")
    await slate.ok("consult", "cto", "Is it safe?", "--no-wait", *under)
    assert await board.place(item) == "claimed"
    assert (await slate.ok("request", "sql", "Which index?", *under))["place"] == "waiting"
    assert await board.place(item) == "waiting"
    assert (await slate.wrong(5, "consult", "cto", "?", "--no-wait", *under))["code"] == "lease_lost"
    assert "1 answer wanted" in (await slate("request", "sql", "Which?", "--as", "backend")).out
    assert (await slate.wrong(2, "request", "cobol", "?", "--as", "backend"))["code"] == "invalid"
