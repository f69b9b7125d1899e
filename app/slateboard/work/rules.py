"""The rules of an artifact: what its work must keep to. None for most; each key is the business of one module.

| key | value | module |
|---|---|---|
| `verify` | true, or the verifier's name | `patterns/verification.py` |
| `criteria` | a text: what a verifier judges by | `patterns/verification.py` |
| `evidence` | a list of what a finish must name: `link`, `hash`, `note` | `patterns/verification.py` |
| `touches` | a list of globs over paths that nobody else may touch meanwhile | `work/resources.py` |
| `keys` | a list of names: what limits of keys count it towards | `work/limits.py` |
| `time_limit_seconds` | how long an attempt may take | `work/health.py` |
| `verdict_within_seconds` | how long a verifier has until it goes one level up | `patterns/verification.py` |
| `max_idle_attempts` | how many attempts in a row may end without a result | `work/give_back.sql` |
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from slateboard.protocol.errors import Invalid
from slateboard.protocol.names import NAME_PATTERN
from slateboard.work import resources

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_TOUCHES = 100
MOST_KEYS = 10
MOST_SECONDS = 30 * 86_400.0
MOST_IDLE_ATTEMPTS = 10_000


def _texts(value: Any) -> bool:
    if not isinstance(value, list | tuple):
        return False
    texts = cast("list[Any]", value)
    return len(texts) > 0 and all(isinstance(one, str) and one for one in texts)


def _seconds(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= MOST_SECONDS


CHECKS: dict[str, Callable[[Any], bool]] = {
    "verify": lambda value: value is True or (isinstance(value, str) and bool(value)),
    "criteria": lambda value: isinstance(value, str) and bool(value.strip()),
    "evidence": lambda value: _texts(value) and set(value) <= {"link", "hash", "note"},
    "touches": lambda value: _texts(value) and len(value) <= MOST_TOUCHES and all(map(resources.is_glob, value)),
    "keys": lambda value: (
        _texts(value) and len(value) <= MOST_KEYS and all(re.fullmatch(NAME_PATTERN, one) for one in value)
    ),
    "time_limit_seconds": _seconds,
    "verdict_within_seconds": _seconds,
    "max_idle_attempts": lambda value: type(value) is int and 0 < value <= MOST_IDLE_ATTEMPTS,
}
"""By key, whether a value can be taken at all."""
WANTED = {
    "verify": "true, or the name of an agent",
    "criteria": "a text that is not empty",
    "evidence": "a list of link, hash and note",
    "touches": f"a list of at most {MOST_TOUCHES} globs like src/api/**: relative, with / between the parts",
    "keys": f"a list of at most {MOST_KEYS} names like github-api",
    "time_limit_seconds": "more than 0 s and at most 30 days",
    "verdict_within_seconds": "more than 0 s and at most 30 days",
    "max_idle_attempts": f"a whole number, 1 to {MOST_IDLE_ATTEMPTS:,}",
}
"""By key, what is expected."""


def check(rules: Any, reference: str) -> None:
    """Refuse a rule that is unknown or has no value that can be meant."""
    if not isinstance(rules, Mapping):
        raise Invalid(f"the rules of {reference} are no object", remedy="write {'verify': true, …}")
    for key, value in cast("Mapping[str, Any]", rules).items():
        if key not in CHECKS:
            raise Invalid(f"{reference} has the unknown rule {key!r}", remedy=f"one of: {', '.join(CHECKS)}")
        if not CHECKS[key](value):
            shown = json.dumps(value, default=str)[:200]
            raise Invalid(f"{shown} cannot be the {key} of {reference}", remedy=f"give {WANTED[key]}")
    if "verdict_within_seconds" in rules and not {"verify", "criteria"} & rules.keys():
        message = f"{reference} has a time for a verdict, and nobody gives one"
        raise Invalid(message, remedy="set verify or criteria too, or leave verdict_within_seconds out")


def verifier(rules: Mapping[str, Any] | None) -> str | None:
    """The verifier that the rules name; None where they leave it to the board, or ask for no verdict."""
    named = (rules or {}).get("verify")
    return named if isinstance(named, str) else None
