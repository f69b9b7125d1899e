"""What a verifier checks by itself: that what it can read is what was handed in, by its hash."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slateboard.protocol.errors import Invalid, VersionConflict
from slateboard.sdk.results import hash_of

if TYPE_CHECKING:
    from collections.abc import Mapping


def asked(briefing: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a briefing asks to verify; `Invalid` where it asks for other work."""
    found = briefing.get("verification")
    if not found:
        message = f"{briefing.get('reference')} is no verification, so there is nothing to judge"
        raise Invalid(message, remedy="a verification has the kind `verify`: see `slate work verifications`")
    return found


async def check(verification: Mapping[str, Any]) -> bool:
    """Hash again the content, or the file at the path, where it can be read: whether that was possible.

    Raises `VersionConflict` where it is not what was handed in. What has no hash is unproven, and not checked.
    """
    wanted, path, content = (verification.get(name) for name in ("hash", "path", "content"))
    if wanted is None:
        return False
    if content is not None:
        found = f"sha256:{hashlib.sha256(content.encode()).hexdigest()}"
    elif path is not None and _is_file(path):
        found = await hash_of(path)
    else:
        return False
    if found != wanted:
        message = f"{path or 'the content'} has the hash {found}, and version {verification['version']} has {wanted}"
        raise VersionConflict(message, remedy="read the version that was handed in, or reject it", hash=found)
    return True


def _is_file(path: str) -> bool:
    return Path(path).is_file()
