"""A page of a listing. The cursor is opaque: it is given back as `after`, and nothing else is done with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

DEFAULT_PAGE = 50
MAX_PAGE = 1_000
COUNT_LIMIT = 100_000
"""Nothing counts further than this; a count that reached it means "at least"."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """Rows of plain values; `next` is the cursor of the page that follows, None at the end.

    `total` counts all rows that the filters let through, only where it was asked for; at most `COUNT_LIMIT`.
    """

    rows: list[dict[str, Any]]
    next: str | None = None
    total: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """The page as plain values."""
        return {"rows": self.rows, "next": self.next, "total": self.total}
