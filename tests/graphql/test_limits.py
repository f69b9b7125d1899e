"""What is too large is refused before anything is run, and says what to do."""

from __future__ import annotations

import pytest

from slateboard.interfaces.graphql import limits
from tests.graphql.conftest import Asker
from tests.support.boards import BoardUnderTest, QueryCount

SPREAD = """{ artifacts { nodes { ...F } } }
fragment F on Artifact { dependencies { nodes { dependents { nodes { dependencies { nodes { name } } } } } } }"""


def nested(levels: int) -> str:
    """A query so many levels deep."""
    return "{ artifacts { nodes " + "{ dependencies(first: 1) { nodes " * levels + "{ name }" + " } }" * levels + " } }"


async def test_a_query_30_levels_deep_is_refused(board: BoardUnderTest, asker: Asker, queries: QueryCount) -> None:
    async with queries.counted():
        refused = await asker.refused(nested(14))
    assert refused["code"] == "too_large"
    assert "31 levels deep" in refused["message"]
    assert refused["remedy"]
    assert queries.count == 1, queries.statements  # the credential


async def test_a_query_as_deep_as_allowed_is_answered(board: BoardUnderTest, asker: Asker) -> None:
    await board.post_graph({"a": [], "b": ["a"]})
    await asker.ask(nested(4))


@pytest.mark.parametrize(
    ("query", "what"),
    [
        ("{ artifacts(first: 1000) { nodes { dependencies(first: 1000) { nodes { name } } } } }", "values"),
        ("query ($n: Int!) { artifacts(first: $n) { nodes { attempts(last: 100) { note error worker } } } }", "values"),
        ("{ " + " ".join(f"a{n}: logHead" for n in range(51)) + " }", "aliases"),
        (SPREAD, "values"),
    ],
)
async def test_a_query_that_asks_for_too_much_is_refused(asker: Asker, query: str, what: str) -> None:
    variables = {"n": 1000} if "$n" in query else {}
    refused = await asker.refused(query, **variables)
    assert (refused["code"], refused["kind"]) == ("too_large", "invalid")
    assert what in refused["message"]


async def test_fragments_that_double_each_other_are_measured_once(asker: Asker) -> None:
    """2^40 fields if they were spread one by one."""
    fragments = "".join(
        f" fragment F{n} on Artifact {{ ...F{n + 1} t{n}: task {{ name }} ...F{n + 1} }}" for n in range(40)
    )
    query = "{ artifacts { nodes { ...F0 } } }" + fragments + " fragment F40 on Artifact { name }"
    refused = await asker.refused(query)
    assert refused["code"] == "too_large"


async def test_fragments_in_a_circle_are_refused(asker: Asker) -> None:
    refused = await asker.refused(
        "{ artifacts { nodes { ...A } } } fragment A on Artifact { ...B } fragment B on Artifact { ...A }"
    )
    assert refused["code"] == "invalid"


async def test_a_document_of_too_many_words_is_refused(asker: Asker) -> None:
    refused = await asker.refused("{ " + "logHead " * limits.MAX_TOKENS + "}")
    assert (refused["code"], refused["kind"]) == ("invalid", "invalid")


async def test_inline_content_of_many_artifacts_is_refused(board: BoardUnderTest, asker: Asker) -> None:
    await board.post_graph({f"a{n}": [] for n in range(6)})
    query = "query ($last: Int!) { artifacts { nodes { versions(last: $last) { content } } } }"
    assert (await asker.refused(query, last=20))["code"] == "too_large"
    await asker.ask(query, last=1)


@pytest.mark.parametrize(
    "query", ["{ artifacts(first: 1001) { nodes { name } } }", "{ events(first: 0) { nodes { id } } }"]
)
async def test_a_page_over_its_limit_is_refused(asker: Asker, query: str) -> None:
    assert (await asker.refused(query))["code"] == "invalid"
