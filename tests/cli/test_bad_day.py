"""The bad day of the demo, played by real worker processes: it checks what it shows, and the audit tells it."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path

from rich.console import Console

from scripts.implementation import bad_day
from slateboard import connect
from tests.cli.test_up import Environment, external, slate, url

__all__ = ["external", "url"]
"""Fixtures of a server on a database of its own, used here."""

EXAMPLE = Path(__file__).parents[2] / "examples" / "bad-day"


async def test_a_bad_day_is_played_to_its_end_and_the_audit_tells_it(external: Environment, tmp_path: Path) -> None:
    given = external | {"SLATE_EXAMPLE_OUT": str(tmp_path / "out"), "SLATE_BOARD": "default"}
    assert (await asyncio.to_thread(slate, given, "up", "--detach"))[0] == 0
    shown = io.StringIO()
    async with await connect(external["SLATE_DATABASE_URL"], board="default") as client:
        console = Console(file=shown, width=130)
        await bad_day.play(client, console, given, example=EXAMPLE, folder=tmp_path / "logs")
        told = await client.call("report_audit")
    assert [(one["reference"], one["then"]) for one in told["dead_letters"]] == [
        ("release/smoke_test", "discarded"), ("signing/signature", "redriven"),
    ]  # fmt: skip
    assert [(one["answer"], one["answered_by"]) for one in told["escalations"]] == [
        ("leave", "olivia"), ("redrive", "olivia"),
    ]  # fmt: skip
    assert {one["outcome"] for one in told["compensations"]} == {"undone"}
    changes = [one["change"] for one in told["breakers"]]
    assert (changes[0], changes[-1]) == ("opened", "closed")
    said = shown.getvalue()
    assert "undone by rollback_deployment: version 42 → 41" in said
    assert max(len(line) for line in said.splitlines() if line.startswith("  ") and " s  " in line) <= 130
    assert "$ slate --as olivia answer" in said
    before = said[: said.index("$ slate why")]
    failed = [line for line in before.splitlines() if "failed: the supplier answers" in line]
    assert len(failed) >= bad_day.FAILURES, "`why` says that three failed when three have been told"
    assert "breaker of importer            open until" in before
