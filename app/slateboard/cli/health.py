"""What a running server says of itself, asked over HTTP without a token."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

REQUEST_SECONDS = 5.0


def of(url: str) -> dict[str, Any]:
    """What `/health` says (status, reasons, version, leads); a server that does not answer is `degraded` for that."""
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=REQUEST_SECONDS) as response:  # noqa: S310  from our file
            return json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            text = error.read()
        try:
            return json.loads(text)
        except ValueError:
            return _degraded(f"it answers {error.code}")
    except (OSError, ValueError) as error:
        return _degraded(f"it does not answer: {error}")


def _degraded(reason: str) -> dict[str, Any]:
    return {"status": "degraded", "reasons": {"server": reason}}
