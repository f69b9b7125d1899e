"""Text in HTML and SVG: what comes from the board is data, whatever it looks like."""

from __future__ import annotations

import re
from html import escape

# Signs that HTML cannot hold, and those that would turn the writing direction of what follows.
UNWELCOME = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufffe\uffff]")


def text(value: object) -> str:
    """A value as it may stand between tags and inside of quoted attributes; nothing for None.

    What is not ASCII is a character reference: the page reads the same whatever encoding somebody takes it for, and
    one sign of another script does not make the whole of it two or four times as large in memory.
    """
    if value is None:
        return ""
    said = escape(UNWELCOME.sub("\N{REPLACEMENT CHARACTER}", str(value)), quote=True)
    return said if said.isascii() else said.encode("ascii", "xmlcharrefreplace").decode("ascii")
