"""The examples' READMEs: every command that they name is one, and every file that they point at is there."""

import re
import shlex
from pathlib import Path

import click
import pytest

from slateboard import cli

EXAMPLES = Path(__file__).parents[2] / "examples"
READMES = sorted(EXAMPLES.glob("*/README.md"))
COMMAND = re.compile(r"(?:^ {4}|`)slate ([^`#\n]+)", re.MULTILINE)
WORKER = re.compile(r"\bagents\.(\w+):worker")


def resolved(words):
    """The command at the start of these words, and the options after its name."""
    command, context = cli.main, click.Context(cli.main, info_name="slate")
    while isinstance(command, click.Group) and words:
        found = command.get_command(context, words[0])
        assert found is not None, f"slate {' '.join(words)}"
        command, words = found, words[1:]
    assert not isinstance(command, click.Group), words
    return command, [word.partition("=")[0] for word in words if word.startswith("--")]


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.parent.name)
def test_every_command_of_a_readme_exists(readme):
    lines = COMMAND.findall(readme.read_text())
    assert len(lines) >= 5
    for line in lines:
        command, options = resolved(shlex.split(line))
        known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
        assert set(options) <= known, line


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.parent.name)
def test_every_worker_and_file_of_a_readme_is_there(readme):
    text = readme.read_text()
    agents = WORKER.findall(text)
    assert agents
    files = [readme.parent / "agents" / f"{agent}.py" for agent in agents]
    files += [readme.parent / name for name in re.findall(r"`([\w/-]+\.(?:yaml|py)|\w+/)`", text)]
    assert [str(file) for file in files if not file.exists()] == []
