"""Text in HTML and SVG: what comes from the board is data, whatever it looks like."""

from __future__ import annotations

import re
from html import escape

# Signs that HTML cannot hold, and those that would turn the writing direction of what follows.
UNWELCOME = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufffe\uffff]")


def text(value: object) -> str:
    """A value as it may stand between tags and inside of quoted attributes; nothing for None."""
    return "" if value is None else escape(UNWELCOME.sub("\N{REPLACEMENT CHARACTER}", str(value)), quote=True)
