"""Manifests for tests: the smallest ones around what a test is about, and applying them."""

from __future__ import annotations

from typing import Any

from tests.support.boards import BoardUnderTest

TABLES = ("tasks", "artifacts", "work_items", "dependencies", "decisions", "agents", "event_outbox", "ready", "gates")


def document(text: str, source: str = "board.yaml") -> dict[str, str]:
    return {"source": source, "text": text}


def feature(artifacts: str, *, head: str = "") -> str:
    """A TaskBoard `feature` whose artifacts begin on line 7."""
    body = "\n".join(f"    {line}" for line in artifacts.splitlines())
    return (
        f"apiVersion: agent.ceo/v1\nkind: TaskBoard\nmetadata: {{name: feature}}\nspec:\n  {head}\n  artifacts:\n{body}"
    )


def tree(root: str) -> str:
    body = "\n".join(f"    {line}" for line in root.splitlines())
    return f"apiVersion: agent.ceo/v1\nkind: TaskTree\nmetadata: {{name: tree}}\nspec:\n  root:\n{body}"


async def do(board: BoardUnderTest, *texts: str, by: str | None = None, **options: Any) -> dict[str, Any]:
    documents = [document(text, f"{number}.yaml") for number, text in enumerate(texts, 1)]
    return await board.perform("apply", by=by, documents=documents, **options)


async def rows(board: BoardUnderTest) -> dict[str, int]:
    counts = {}
    for table in TABLES:
        counts[table] = await board.fetchval(f"SELECT count(*) FROM {table} WHERE board = $1")
    return counts


async def item_of(board: BoardUnderTest, reference: str) -> dict[str, Any]:
    found = await board.fetch(
        "SELECT w.*, p.place, -r.rank AS rating FROM work_items w"
        " JOIN item_places p ON p.board = w.board AND p.item = w.id"
        " LEFT JOIN ready r ON r.board = w.board AND r.item = w.id WHERE w.board = $1 AND w.reference = $2",
        reference,
    )
    return dict(found[-1])
