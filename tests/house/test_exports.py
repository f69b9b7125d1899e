"""What `import slateboard` gives, and what it must not load."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest

import slateboard

EXPORTED = {
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
}

SERVER = {"sqlalchemy", "alembic", "fastapi", "starlette", "strawberry", "uvicorn"}
HEAVY = SERVER | {"pydantic", "asyncpg"}
# A module, and what must not be loaded after importing it: workers and the command start with these.
LIGHT = {
    "slateboard": HEAVY,
    "slateboard.protocol": HEAVY,
    "slateboard.sdk": HEAVY,
    "slateboard.sdk.worker": HEAVY,
    "slateboard.interfaces.direct": SERVER | {"pydantic"},
    "slateboard.cli": SERVER,
}


def exists(module: str) -> bool:
    """Whether there is such a module; its parents are imported."""
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def test_the_exported_names_are_these() -> None:
    assert set(getattr(slateboard, "__all__", ())) == EXPORTED


def test_every_exported_name_is_there() -> None:
    missing = [name for name in EXPORTED if not hasattr(slateboard, name)]
    assert not missing


@pytest.mark.parametrize("module", [module for module in LIGHT if exists(module)])
def test_starting_stays_light(module: str) -> None:
    program = f"import sys, {module}; print(*sys.modules, sep='\\n')"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    loaded = LIGHT[module] & set(done.stdout.split())
    assert not loaded, f"import {module} loads {sorted(loaded)}; import them where they are used"
