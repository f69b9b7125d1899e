"""Subjects and patterns, as NATS has them: tokens between dots; in a pattern `*` is one token and a final `>` the rest.

A subject names what happened; a pattern says which subjects one wants to hear of. A token is any text without a dot or
white space; `*` and `>` have their meaning only where they stand alone.
"""

from __future__ import annotations

import re

from slateboard.protocol.errors import BadSubject

MAX_CHARACTERS = 255
ONE = "*"
REST = ">"

_SPACE = re.compile(r"\s|[\x00-\x1f\x7f]")


def check_subject(subject: str) -> str:
    """Return `subject` if it names one thing; `BadSubject` if it is malformed or holds a wildcard."""
    tokens = _tokens(subject, "subject")
    if ONE in tokens or REST in tokens:
        message = f"the subject {subject[:80]!r} holds a wildcard"
        raise BadSubject(message, remedy="publish under one subject, e.g. genbrain.events.pr.merged", subject=subject)
    return subject


def check_pattern(pattern: str) -> str:
    """Return `pattern` if it is one; `BadSubject` if not."""
    tokens = _tokens(pattern, "pattern")
    if REST in tokens[:-1]:
        message = f"in the pattern {pattern[:80]!r} something follows '>'"
        raise BadSubject(message, remedy="'>' stands for all the rest: put it at the end", subject=pattern)
    return pattern


def expression(pattern: str) -> str:
    """A checked pattern as a regular expression that Postgres and Python read alike."""
    return "^" + r"\.".join(map(_expression, check_pattern(pattern).split("."))) + "$"


def _expression(token: str) -> str:
    return ".+" if token == REST else "[^.]+" if token == ONE else re.escape(token)


def _tokens(text: str, what: str) -> list[str]:
    tokens = text.split(".")
    if not all(tokens) or len(text) > MAX_CHARACTERS or _SPACE.search(text):
        remedy = f"tokens between dots, without white space, {MAX_CHARACTERS} characters at most"
        raise BadSubject(f"{text[:80]!r} is not a {what}", remedy=remedy, subject=text[:80])
    return tokens
