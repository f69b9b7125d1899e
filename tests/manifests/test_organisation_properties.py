"""Applying any organisation (agents, routes, pipelines, meetings, and their work) again changes nothing at all."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from slateboard.protocol.errors import SlateError
from slateboard.store.database import Database
from tests.manifests.exporting import fresh, names_may_clash, state
from tests.manifests.test_apply_properties import documents
from tests.manifests.test_export_properties import FEW, organisations
from tests.support.boards import BoardUnderTest
from tests.support.invariants import check_work
from tests.support.live import check_fold

NOTHING: dict[str, list[Any]] = {"created": [], "changed": [], "removed": [], "agents_created": []}


async def applied(board: BoardUnderTest, given_: list[dict[str, str]], **options: Any) -> dict[str, Any]:
    return await board.perform("apply", documents=given_, **options)


async def settles(board: BoardUnderTest, manifests: list[dict[str, Any]], seed: int) -> None:
    """Applied again, and in another order, what was applied changes no row and writes no event."""
    before = len(await board.log()), await state(board)
    mixed = random.Random(seed).sample(manifests, len(manifests))
    for one in (manifests, mixed):
        for strict in (False, True):
            again = await applied(board, documents(one), strict=strict)
            assert {key: again[key] for key in NOTHING} == NOTHING
    assert (len(await board.log()), await state(board)) == before


@st.composite
def held_soon(draw: st.DrawFn) -> list[dict[str, Any]]:
    """An organisation whose meetings begin at once, after some time, or at a time."""
    found = draw(organisations())
    for manifest in found:
        if manifest["kind"] == "Meeting":
            begins = draw(st.sampled_from([None, "2d", "90m", manifest["spec"]["starts_at"]]))
            manifest["spec"] = {key: value for key, value in manifest["spec"].items() if key != "starts_at"}
            manifest["spec"] |= {} if begins is None else {"starts_at": begins}
    return found


@FEW
@given(manifests=held_soon(), seed=st.integers(0, 9))
async def test_an_organisation_is_foretold_and_applied_once(
    database: Database, manifests: list[dict[str, Any]], seed: int
) -> None:
    board = await fresh(database)
    with names_may_clash():
        foretold = await applied(board, documents(manifests), dry_run=True)
    assert {**await applied(board, documents(manifests)), "dry_run": True} == foretold
    await settles(board, manifests, seed)
    await check_work(board)
    await check_fold(board)


@FEW
@given(first=held_soon(), second=held_soon(), seed=st.integers(0, 9))
async def test_any_organisation_over_any_other_settles(
    database: Database, first: list[dict[str, Any]], second: list[dict[str, Any]], seed: int
) -> None:
    board = await fresh(database)
    with names_may_clash():
        await applied(board, documents(first))
    before = len(await board.log()), await state(board)
    refused = None
    try:
        await applied(board, documents(second))
    except SlateError as error:
        refused = error
    if refused is not None:
        assert "line" in refused.details, refused
        assert (len(await board.log()), await state(board)) == before
        return
    await settles(board, second, seed)
    await check_work(board)
    await check_fold(board)
