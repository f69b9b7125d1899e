"""The rules of an artifact: what its work must keep to. None for most; each key is the business of one module.

| key | value | module |
|---|---|---|
| `verify` | true, or the verifier's name | `patterns/verification.py` |
| `criteria` | a text: what a verifier judges by | `patterns/verification.py` |
| `evidence` | a list of what a finish must name: `link`, `hash`, `note` | `patterns/verification.py` |
| `touches` | a list of globs over paths that nobody else may touch meanwhile | `work/resources.py` |
| `keys` | a list of names: what limits of keys count it towards | `work/limits.py` |
| `time_limit_seconds` | how long an attempt may take | `work/health.py` |
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

from slateboard.protocol.errors import Invalid
from slateboard.protocol.names import NAME_PATTERN
from slateboard.work import resources

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MOST_TOUCHES = 100
MOST_KEYS = 10


def _texts(value: Any) -> bool:
    if not isinstance(value, list | tuple):
        return False
    texts = cast("list[Any]", value)
    return len(texts) > 0 and all(isinstance(one, str) and one for one in texts)


CHECKS: dict[str, Callable[[Any], bool]] = {
    "verify": lambda value: value is True or isinstance(value, str),
    "criteria": lambda value: isinstance(value, str) and bool(value.strip()),
    "evidence": lambda value: _texts(value) and set(value) <= {"link", "hash", "note"},
    "touches": lambda value: _texts(value) and len(value) <= MOST_TOUCHES and all(map(resources.is_glob, value)),
    "keys": lambda value: (
        _texts(value) and len(value) <= MOST_KEYS and all(re.fullmatch(NAME_PATTERN, one) for one in value)
    ),
    "time_limit_seconds": lambda value: isinstance(value, int | float) and 0 < value <= 30 * 86_400,
}
"""By key, whether a value can be taken at all."""


def check(rules: Mapping[str, Any], reference: str) -> None:
    """Refuse a rule that is unknown or has no value that can be meant."""
    for key, value in rules.items():
        if key not in CHECKS:
            raise Invalid(f"{reference} has the unknown rule {key!r}", remedy=f"one of: {', '.join(CHECKS)}")
        if not CHECKS[key](value):
            raise Invalid(f"{value!r} cannot be the {key} of {reference}", remedy="see docs/manifests.md")
