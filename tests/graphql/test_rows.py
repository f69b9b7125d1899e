"""Lists of rows are written past graphql-core; what comes out must be what graphql-core would have written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from slateboard.interfaces.graphql.rows import RowExecutor
from tests.graphql.conftest import Asker
from tests.support.boards import BoardUnderTest

QUERIES = [
    "{ artifacts { edges { cursor node { __typename ...A dependencies { nodes { ...A } } } } } }",
    "{ artifacts { nodes { attempts { usage startedAt fence } lastAttempt { outcome } versions { content } } } }",
    "{ agents { nodes { name capabilities paused } } }",
    "{ tasks { nodes { name progress { byStatus } artifacts { nodes { a: name b: name } } } } }",
    "{ status { agents { name ready } stuck { artifacts { becauseOf } } } }",
    "{ tree { tasks { name artifacts { status } } } }",
]
FRAGMENT = " fragment A on Artifact { reference status version stale blockedBy createdAt task { name due } owner }"


@contextmanager
def written_by_graphql_core(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every list goes the long way."""
    with monkeypatch.context() as patch:
        original = StrawberryGraphQLCoreExecutionContext.complete_iterable_value
        patch.setattr(RowExecutor, "complete_iterable_value", original)
        yield


@pytest.mark.parametrize("query", QUERIES)
async def test_both_ways_write_the_same(
    board: BoardUnderTest, asker: Asker, monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    items = await board.post_graph({"a": [], "b": ["a"], "c": ["a", "b"]})
    await board.complete(items["a"])
    query = query + FRAGMENT if "...A" in query else query
    short = await asker.answer(query)
    with written_by_graphql_core(monkeypatch):
        long = await asker.answer(query)
    assert json.dumps(short) == json.dumps(long)
    assert "errors" not in short


async def test_a_value_that_cannot_be_written_is_an_error_at_its_place(
    board: BoardUnderTest, asker: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A null where the schema has none: found on the short way, worded by graphql-core."""
    from slateboard.interfaces.graphql import prefetch

    await board.post_graph({"a": []})
    monkeypatch.setitem(prefetch.ADAPTED, "Artifact", lambda row: row.update(title=None))
    answer = await asker.answer("{ artifacts { nodes { name title } } }")
    assert answer["errors"][0]["path"] == ["artifacts", "nodes", 0, "title"]
