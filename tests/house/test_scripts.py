"""The verbs: they can be run, they set up by themselves, and CI runs what the README says."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib

import pytest

from tests.house.source import ROOT, text

VERBS = ["setup", "lock", "test", "check", "demo", "bench", "chaos"]
TEST_COMMAND = "scripts/test"


@pytest.mark.parametrize("name", [f"scripts/{verb}" for verb in VERBS] + [".ci/run"])
def test_a_verb_is_a_program(name: str) -> None:
    path = ROOT / name
    assert os.access(path, os.X_OK), f"chmod +x {name}"
    first = text(path).splitlines()[0]
    assert first in {"#!/bin/sh", "#!/bin/bash"}
    subprocess.run([first.removeprefix("#!"), "-n", path], check=True)


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb != "setup"])
def test_a_verb_sets_up_by_itself(verb: str) -> None:
    assert re.search(r'^("\$root/)?scripts/setup"?$', text(ROOT / "scripts" / verb), re.MULTILINE)


def test_ci_runs_the_checks_and_the_test_command_of_the_readme() -> None:
    in_readme = re.findall(r"^ *(?:\$ )?(scripts/test)\b", text(ROOT / "README.md"), re.MULTILINE)
    assert TEST_COMMAND in in_readme, "the README shows how to run the tests, on a line of its own"
    run = re.findall(r"^(scripts/\S+)", text(ROOT / ".ci/run"), re.MULTILINE)
    assert run == ["scripts/check", TEST_COMMAND]


def test_the_lock_holds_versions_and_hashes_only() -> None:
    lock = text(ROOT / "requirements.lock")
    assert "://" not in lock
    requirements = re.split(r"\n(?=[a-z0-9])", lock)
    bare = [requirement.split()[0] for requirement in requirements if "--hash=sha256:" not in requirement]
    assert not bare


def test_the_lock_has_every_dependency() -> None:
    """After a change of pyproject.toml: `scripts/lock`."""
    project = tomllib.loads(text(ROOT / "pyproject.toml"))
    wanted = project["project"]["dependencies"] + project["dependency-groups"]["dev"]
    names = {re.split(r"[^A-Za-z0-9._-]", requirement)[0].lower() for requirement in wanted}
    locked = set(re.findall(r"^([a-z0-9.-]+)==", text(ROOT / "requirements.lock"), re.MULTILINE))
    assert names <= locked
