"""Claims: exclusive, in order of rating, never of what is held back."""

from __future__ import annotations

from tests.support.boards import BoardUnderTest


async def test_ready_item_is_claimed_with_a_lease_and_a_fence(board: BoardUnderTest) -> None:
    items = await board.post_graph({"spec": []})
    (claim,) = await board.claim()
    assert (claim.item, claim.reference, claim.attempt) == (items["spec"], "work/spec", 1)
    assert (claim.expires_at - claim.claimed_at).total_seconds() == 60
    assert await board.place(claim.item) == "claimed"
    assert await board.claim() == []
