"""Finding manifests on disk, for whoever applies them: files, folders (their own manifests, sorted) and standard input.

Only reads and decodes; loads no parser. What is in the texts is judged by the board, so that every door says the same.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from slateboard.protocol.errors import BadManifest, TooLarge

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SUFFIXES = (".yaml", ".yml", ".json")
MAX_BYTES = 10_000_000
"""A file must be smaller than this."""
STANDARD_INPUT = "-"


def read(names: Sequence[str], standard_input: Callable[[], bytes] | None = None) -> list[dict[str, str]]:
    """The texts of these files and folders, as `apply` takes them: `[{"source": …, "text": …}]`.

    `-` reads from `standard_input()`. Raises `BadManifest` (nothing there, not UTF-8) and `TooLarge`.
    """
    texts: list[dict[str, str]] = []
    for given in names:
        if given == STANDARD_INPUT:
            data = standard_input() if standard_input is not None else b""
            texts.append({"source": "standard input", "text": _decoded("standard input", data)})
            continue
        texts += [{"source": str(one), "text": _decoded(str(one), _bytes(one))} for one in _manifests(Path(given))]
    return texts


def _manifests(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = sorted(one for one in path.iterdir() if one.suffix in SUFFIXES and one.is_file())
    if not found:
        message = f"the folder {path} holds no manifest"
        raise BadManifest(message, remedy=f"name a file, or a folder with {', '.join(SUFFIXES)}", file=str(path))
    return found


def _bytes(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size >= MAX_BYTES:
            raise _too_large(str(path), size)
        return path.read_bytes()
    except OSError as error:
        message = f"{path} cannot be read: {error.strerror or error}"
        raise BadManifest(message, remedy="name a file or folder that is there", file=str(path)) from error


def _decoded(source: str, data: bytes) -> str:
    if len(data) >= MAX_BYTES:
        raise _too_large(source, len(data))
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line, column = before.count(b"\n") + 1, len(before[before.rfind(b"\n") + 1 :].decode("utf-8", "replace")) + 1
        raise BadManifest(
            f"{source}:{line}:{column}: found the byte 0x{data[error.start]:02x}, which is not UTF-8",
            remedy="save the file as UTF-8",
            file=source,
            line=line,
            column=column,
        ) from error


def _too_large(source: str, size: int) -> TooLarge:
    return TooLarge(
        f"{source} has {size:,} bytes; a manifest is smaller than {MAX_BYTES // 1_000_000} MB",
        remedy="split it, and keep large content in files of its own",
        file=source,
    )
