"""The reports by GraphQL."""

from __future__ import annotations

from tests.graphql.conftest import Asker
from tests.support.boards import BoardUnderTest


async def test_reports_are_answered(asker: Asker, board: BoardUnderTest) -> None:
    items = await board.post_graph({"spec": []})
    await board.complete(items["spec"])
    await board.perform("decide", decision="Use HTML")
    await board.seal()
    told = await asker.ask(
        """{ auditReport page: auditReport(format: "html") decisionsReport { file text }
             agentsReport { events agents { agent completed seconds } } }"""
    )
    assert told["auditReport"]["summary"]["versions"] == 1
    assert told["page"]["text"].startswith("<!DOCTYPE html>")
    assert [one["file"] for one in told["decisionsReport"]] == ["0001-use-html.md"]
    assert "backend" in {one["agent"] for one in told["agentsReport"]["agents"]}


async def test_an_unknown_task_is_an_error(asker: Asker) -> None:
    refused = await asker.refused('{ auditReport(task: "nothing") }')
    assert refused["code"] == "unknown_name"
