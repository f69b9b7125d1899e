"""What a handler returned, as a result whose hash and size are taken: of the file at its path, or of its content."""

from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from slateboard.protocol.work import MAX_CONTENT_BYTES, NOTHING, Result
from slateboard.sdk.failures import ValidationFailure

QUICK_BYTES = 1_048_576
"""A larger file is read in a thread, so that heartbeats go on meanwhile."""


async def result_of(value: Any) -> Result:
    """A `Result` of what a handler returned: None, text or JSON content, or a result, whose hash is then taken.

    Raises `ValidationFailure` for anything else, for a path that is no file, and for content over 1 MiB.
    """
    if value is None:
        return NOTHING
    result = value if isinstance(value, Result) else Result(content=_content(value))
    if result.path is not None and result.hash is None:
        digest, size = await _of_file(result.path)
        return replace(result, hash=digest, size_bytes=size)
    if result.content is not None and result.hash is None:
        data = result.content.encode()
        if len(data) > MAX_CONTENT_BYTES:
            raise ValidationFailure(
                f"inline content is limited to 1 MiB; this is {len(data):,} bytes: write a file and give its path"
            )
        return replace(result, hash=f"sha256:{hashlib.sha256(data).hexdigest()}", size_bytes=len(data))
    return result


def _content(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, (dict, list)):
        try:
            return json.dumps(value, ensure_ascii=False)
        except (TypeError, ValueError) as error:
            raise ValidationFailure(f"what the handler returned is not JSON: {error}") from error
    message = f"a handler returns None, Result, str, dict or list, not {type(value).__name__}"
    raise ValidationFailure(message)


async def hash_of(path: str) -> str:
    """`sha256:<hex>` of a file, relative to the working folder."""
    return (await _of_file(path))[0]


async def _of_file(path: str) -> tuple[str, int]:
    """Hash and size of a file, relative to the working folder."""
    file = Path(path)
    size = _size(file)
    return _hash(file) if size <= QUICK_BYTES else await asyncio.to_thread(_hash, file)


def _size(file: Path) -> int:
    try:
        if file.is_dir():
            raise ValidationFailure(f"the result's path {file} is a folder: name a file in it")
        return file.stat().st_size
    except FileNotFoundError as error:
        raise ValidationFailure(f"the result's path {file} does not exist (from {Path.cwd()})") from error


def _hash(file: Path) -> tuple[str, int]:
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256")
        return f"sha256:{digest.hexdigest()}", stream.tell()
