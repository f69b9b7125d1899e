"""What an attempt used: tokens, cost and model. A JSON object, of which these names mean something to the board.

`input_tokens` (of which `cached_tokens` came from a cache) and `output_tokens` are whole numbers, `cost` is a number in
the board's currency, `model` a text. None is negative. Other names are kept with the attempt, and counted nowhere.
"""

from __future__ import annotations

from typing import Any, cast

from slateboard.protocol.errors import Invalid

TOKENS = ("input_tokens", "cached_tokens", "output_tokens")
MOST_TOKENS = 10**15
MOST_COST = 1e12
MAX_MODEL_CHARACTERS = 200


def check_usage(given: Any) -> None:
    """Refuse what is no object, tokens that are no whole number, a cost that is no number, and what is below zero."""
    if not isinstance(given, dict):
        raise Invalid("usage is an object of tokens, cost and model", remedy='for example {"cost": 0.02}')
    usage = cast("dict[str, Any]", given)
    for name in TOKENS:
        value = usage.get(name, 0)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MOST_TOKENS:
            message = f"{name} is a whole number from 0 to {MOST_TOKENS:.0e}, not {str(value)[:80]}"
            raise Invalid(message, remedy="report what was used since the last report, never less than nothing")
    cost = usage.get("cost", 0)
    if not isinstance(cost, int | float) or isinstance(cost, bool) or not 0 <= cost <= MOST_COST:
        message = f"the cost is a number from 0 to {MOST_COST:.0e}, not {str(cost)[:80]}"
        raise Invalid(message, remedy="report what was spent since the last report, never less than nothing")
    model = usage.get("model")
    if model is not None and (not isinstance(model, str) or len(model) > MAX_MODEL_CHARACTERS):
        raise Invalid(f"a model is a text of at most {MAX_MODEL_CHARACTERS} characters", remedy="give its name")
