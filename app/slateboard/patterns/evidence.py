"""Evidence: what a result names to show that it is so. A link, a hash, or a note; an artifact may demand some of them.

What is demanded and not named refuses the finish, and the claim is kept. A hash in the result is evidence of the hash.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

from slateboard.protocol.errors import EvidenceMissing, Invalid

if TYPE_CHECKING:
    from collections.abc import Collection

    from slateboard.protocol.work import Result

KINDS = ("link", "hash", "note")
MAX_ENTRIES = 100
MAX_CHARACTERS = 4_096
"""Of one link, hash or note."""
HASH = re.compile(r"sha256:[0-9a-f]{64}")


def check(result: Result, demanded: Collection[str], reference: str) -> None:
    """Refuse evidence that cannot be meant (`Invalid`), or that lacks what is demanded (`EvidenceMissing`)."""
    entries = _entries(result.evidence)
    if len(entries) > MAX_ENTRIES:
        raise Invalid(f"a result has at most {MAX_ENTRIES} pieces of evidence", remedy="name a list by a link")
    named = {kind for entry in entries for kind in _kinds(entry)}
    if result.hash is not None:
        _check_hash(result.hash)
        named.add("hash")
    missing = [kind for kind in KINDS if kind in demanded and kind not in named]
    if missing:
        raise EvidenceMissing(
            f"{reference} is finished with evidence, and this lacks: {', '.join(missing)}",
            remedy=f"name it: evidence=[{{{missing[0]!r}: …}}] or --evidence {missing[0]}=…; the claim is still held",
            missing=missing,
        )


def _entries(given: Any) -> list[Any]:
    """What was given, as a list; it may come from anywhere."""
    if given is not None and not isinstance(given, list | tuple):
        raise Invalid("evidence is a list of links, hashes and notes", remedy="write [{'link': …}, {'note': …}]")
    return list(cast("list[Any]", given or ()))


def _kinds(given: Any) -> list[str]:
    """The kinds that one piece of evidence names."""
    if not isinstance(given, dict) or not given:
        raise Invalid("a piece of evidence is an object with a link, a hash or a note", remedy="write {'link': …}")
    entry = cast("dict[Any, Any]", given)
    for kind, text in entry.items():
        if kind not in KINDS:
            raise Invalid(f"evidence is a link, a hash or a note, not {str(kind)[:40]!r}", remedy="use one of these")
        if not isinstance(text, str) or not text.strip() or len(text) > MAX_CHARACTERS:
            raise Invalid(f"a {kind} has 1 to {MAX_CHARACTERS:,} characters", remedy="shorten it, or write a file")
        if kind == "hash":
            _check_hash(text)
    return list(entry)


def _check_hash(text: str) -> None:
    if not HASH.fullmatch(text):
        raise Invalid(f"{text[:80]!r} is no hash", remedy="a hash is sha256: and 64 hex digits")
