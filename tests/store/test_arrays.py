"""Arrays in Postgres's own notation arrive as they were."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given, settings
from hypothesis import strategies as st

from slateboard.store import arrays
from slateboard.store.database import Database

SOME = settings(max_examples=60)
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
WORDS = st.sampled_from(["null", "NULL", "{}", '"', "\\", '\\"', ",", " ", "", "{a,b}"])


async def back(database: Database, written: str, of: str) -> list[object]:
    async with database.acquire() as connection:
        return await connection.fetchval(f"SELECT $1::text::{of}[]", written)


@SOME
@given(values=st.lists(st.none() | ANY_TEXT | WORDS))
async def test_texts_arrive_whatever_is_in_them(database: Database, values: list[str | None]) -> None:
    assert await back(database, arrays.texts(values), "text") == values


@SOME
@given(values=st.lists(st.none() | st.integers(-(2**63), 2**63 - 1)))
async def test_numbers_arrive(database: Database, values: list[int | None]) -> None:
    assert await back(database, arrays.numbers(values), "bigint") == values


async def test_flags_octets_and_times_arrive(database: Database) -> None:
    assert await back(database, arrays.flags([True, False]), "boolean") == [True, False]
    assert await back(database, arrays.octets([b"", b"\0\xff\\"]), "bytea") == [b"", b"\0\xff\\"]
    moment = datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC)
    elsewhere = moment.astimezone(timezone(timedelta(hours=-9, minutes=-30)))
    assert await back(database, arrays.times([moment, None, elsewhere]), "timestamptz") == [moment, None, moment]
