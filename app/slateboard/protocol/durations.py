"""Lengths of time as people write them: `90s`, `15m`, `1h30m`, `2d`. A number alone means seconds."""

from __future__ import annotations

import re

from slateboard.protocol.errors import Invalid

UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0, "w": 604_800.0}

_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhdw])")
_WHOLE = re.compile(rf"(?:{_PART.pattern})+")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


def parse(text: str) -> float:
    """The length in seconds, 0 or more; `Invalid` says what a length of time looks like."""
    text = text.strip()
    if _NUMBER.fullmatch(text):
        return float(text)
    if _WHOLE.fullmatch(text):
        return sum(float(number) * UNITS[unit] for number, unit in _PART.findall(text))
    wrong = "is negative" if text.startswith("-") else "is no length of time"
    raise Invalid(f"{text[:40]!r} {wrong}", remedy="write it like 90s, 15m, 1h30m or 2d")


def shown(seconds: float) -> str:
    """A length for people, by its two largest units: `1h 30m`, `45s`, `0.3s`."""
    if seconds < 0:
        return f"-{shown(-seconds)}"
    if seconds < 10:
        return f"{seconds:.1f}".rstrip("0").rstrip(".") + "s"
    left = int(seconds)
    parts: list[str] = []
    for unit in ("d", "h", "m", "s"):
        number, left = divmod(left, int(UNITS[unit]))
        if number:
            parts.append(f"{number}{unit}")
        elif parts:
            break
    return " ".join(parts[:2])
