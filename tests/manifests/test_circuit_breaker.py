"""The kind CircuitBreaker, as texts: what becomes of it on a board is in `tests/work/test_breaker_fallbacks.py`."""

from __future__ import annotations

import pytest

from slateboard.manifests import files
from slateboard.manifests.kinds import declared
from slateboard.protocol.errors import BadManifest
from tests.manifests.test_kinds import GUIDE


def test_the_circuit_breaker_of_the_guide_is_read_as_it_stands() -> None:
    (one,) = declared(files.read([str(GUIDE / "circuit-breaker.yaml")])).breakers.values()
    assert (one.agent, one.source) == ("", "CircuitBreaker/default")
    assert one.rules == {
        "failure_threshold": 3, "recovery_seconds": 300.0, "fallback": "escalate_to_human", "substitute": None,
    }  # fmt: skip


def test_each_agent_stands_once() -> None:
    text = "circuit_breaker: {failure_threshold: 2}"
    with pytest.raises(BadManifest, match="circuit breaker"):
        declared([{"source": "a.yaml", "text": text}, {"source": "b.yaml", "text": text}])
