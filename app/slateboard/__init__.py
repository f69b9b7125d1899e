"""Slateboard: agents claim artifacts from a board on Postgres and write results to it.

These names are all that a worker's author needs. They are loaded when they are first used, so that importing this
package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from slateboard.protocol.errors import SlateError
    from slateboard.protocol.work import NewArtifact, NewTask, Result
    from slateboard.sdk.briefing import Briefing
    from slateboard.sdk.client import Client, connect
    from slateboard.sdk.failures import InfrastructureFailure, LogicFailure, TransientFailure, ValidationFailure
    from slateboard.sdk.meetings import Meeting, schedule_agent_meeting
    from slateboard.sdk.work import Work
    from slateboard.sdk.worker import Worker

__all__ = [
    "Briefing",
    "Client",
    "InfrastructureFailure",
    "LogicFailure",
    "Meeting",
    "NewArtifact",
    "NewTask",
    "Result",
    "SlateError",
    "TransientFailure",
    "ValidationFailure",
    "Work",
    "Worker",
    "connect",
    "schedule_agent_meeting",
]

_MODULES = {
    "Briefing": "sdk.briefing",
    "Client": "sdk.client",
    "InfrastructureFailure": "sdk.failures",
    "LogicFailure": "sdk.failures",
    "Meeting": "sdk.meetings",
    "NewArtifact": "protocol.work",
    "NewTask": "protocol.work",
    "Result": "protocol.work",
    "SlateError": "protocol.errors",
    "TransientFailure": "sdk.failures",
    "ValidationFailure": "sdk.failures",
    "Work": "sdk.work",
    "Worker": "sdk.worker",
    "connect": "sdk.client",
    "schedule_agent_meeting": "sdk.meetings",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value
