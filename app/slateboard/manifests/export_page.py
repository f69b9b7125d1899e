"""What the parts of an export have in common: manifests with their cost, notes, and values as manifests have them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from slateboard.manifests.export_text import Plain
from slateboard.manifests.values import MAX_TEXT

if TYPE_CHECKING:
    from datetime import datetime

API_VERSION = "agent.ceo/v1"
NAMED = 10
"""Things that one note names; the rest is counted."""
BY_HAND = "by-hand"
"""The name of the manifest that holds what no manifest has said."""
UNITS = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))


@dataclass(slots=True)
class Manifest:
    """A document of an export. `key` is its place among those of its kind; `things` is what an apply counts it as."""

    kind: str
    name: str
    key: str
    spec: dict[str, Any]
    things: int

    def document(self) -> dict[str, Any]:
        """The whole document."""
        return {"apiVersion": API_VERSION, "kind": self.kind, "metadata": {"name": self.name}, "spec": self.spec}


@dataclass(slots=True)
class Notes:
    """What a manifest cannot hold, said once for each reason, with the names of the things."""

    found: dict[str, list[str]] = field(default_factory=dict[str, list[str]])

    def add(self, reason: str, *names: str) -> None:
        """Something that is not in the manifests, or otherwise than on the board, for this reason."""
        self.found.setdefault(reason, []).extend(names)

    def mark(self) -> dict[str, int]:
        """How much is noted by now."""
        return {reason: len(names) for reason, names in self.found.items()}

    def back_to(self, mark: dict[str, int]) -> None:
        """Forget what was noted since."""
        self.found = {reason: self.found[reason][:count] for reason, count in mark.items()}

    def lines(self) -> list[str]:
        """One line for each reason, with ten names at most."""
        return [f"{reason}: {_listed(names)}" if names else reason for reason, names in self.found.items()]

    def text(self, value: str, where: str) -> str | None:
        """A text that is not empty, where a manifest can hold it."""
        if len(value) > MAX_TEXT:
            self.add(f"longer than the {MAX_TEXT:,} characters of a text in a manifest, and left out", where)
            return None
        return value or None


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:NAMED])
    return shown if len(names) <= NAMED else f"{shown} and {len(names) - NAMED:,} more"


def moment(time: datetime | None) -> Plain | None:
    """A time as a manifest has it."""
    return None if time is None else Plain(time.astimezone(UTC).isoformat().replace("+00:00", "Z"))


def length(seconds: float | None) -> Plain | None:
    """A length of time, read back as exactly the same."""
    if seconds is None:
        return None
    if seconds != int(seconds):
        return Plain(format(Decimal(repr(seconds)), "f"))
    left, shown = int(seconds), ""
    for unit, size in UNITS:
        number, left = divmod(left, size)
        shown += f"{number}{unit}" if number else ""
    return Plain(shown or "0s")


def number(value: float | None) -> float | None:
    """A number, without a fraction where it has none."""
    return int(value) if value is not None and value == int(value) else value
