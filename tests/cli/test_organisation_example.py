"""The organisation of the demo, played by real workers: each act checks what it shows, and the audit tells it."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path

import pytest
from rich.console import Console

from scripts.implementation import building, demo, organisation, pipeline
from scripts.implementation.fleet import Fleet
from scripts.implementation.telling import Teller
from slateboard import connect
from tests.cli.test_up import Environment, external, slate, url

__all__ = ["external", "url"]
"""Fixtures of a server on a database of its own, used here."""


async def test_the_organisation_is_played_and_the_audit_tells_it(external: Environment, tmp_path: Path) -> None:
    given = external | {"SLATE_EXAMPLE_OUT": str(tmp_path / "out"), "SLATE_BOARD": "default"}
    assert (await asyncio.to_thread(slate, given, "up", "--detach"))[0] == 0
    files = [f"-f{demo.EXAMPLE / name}" for name in demo.MANIFESTS]
    assert (await asyncio.to_thread(slate, given, "apply", *files))[0] == 0
    shown = io.StringIO()
    fleet = Fleet(demo.EXAMPLE, tmp_path / "logs", given)
    async with await connect(external["SLATE_DATABASE_URL"], board="default") as client:
        tell = Teller(client, Console(file=shown, width=130), given)
        try:
            await building.play(tell, fleet)
            await organisation.play(tell)
            await pipeline.play(tell)
        finally:
            await asyncio.to_thread(fleet.end)
        told = await client.call("report_audit")
    delegated = {(one["delegator"], one["agent"], one["task"]) for one in told["delegations"]}
    assert delegated == organisation.DELEGATED
    assert [(one["asker"], one["other"], one["answer"]) for one in told["consults"]] == [
        ("backend", "cso", organisation.PAGE_ROWS)
    ]
    (meeting,) = told["meetings"]
    assert [item["outcome"] for item in meeting["agenda"]] == ["approved"] * 3
    said = shown.getvalue()
    for pattern in ("Blackboard", "Hierarchical delegation", "Peer-to-peer", "Agent meeting", "Event-driven"):
        assert pattern in said
    assert "$ slate task chain release-data/data_check" in said


def test_what_is_not_as_it_is_told_ends_the_demo() -> None:
    with pytest.raises(SystemExit, match="otherwise than it tells: nobody came"):
        organisation.check(so=False, otherwise="nobody came")
