"""The examples' READMEs: every command that they name is one, and every file that they point at is there."""

import re
import shlex
from pathlib import Path

import click
import pytest

from slateboard import cli

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
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


COMMON = {"--help"}
DOCS = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "docs" / "guides").glob("*.md")])
SHELL = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PROGRAM = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def commands(block):
    """The `slate` commands of a shell block, word by word, up to what ends them."""
    for line in block.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>()")
        lexer.whitespace_split = True
        try:
            words = list(lexer)
        except ValueError:  # what goes on in the next line, as a here document does
            continue
        if words[:1] == ["slate"]:
            end = next((at for at, word in enumerate(words) if set(word) <= set("|&;<>()")), len(words))
            yield words[1:end]


@pytest.mark.parametrize("page", DOCS, ids=lambda path: path.stem)
def test_every_command_of_a_shell_block_exists_with_its_options(page):
    for block in SHELL.findall(page.read_text()):
        for words in commands(block):
            command, options = resolved([word for word in words if not word.startswith("--as=")])
            known = {name for one in command.params for name in (*one.opts, *one.secondary_opts)} | COMMON
            assert set(options) <= known, words


@pytest.mark.parametrize("page", DOCS, ids=lambda path: path.stem)
def test_a_worker_of_a_page_can_be_imported_without_running(page):
    for block in PROGRAM.findall(page.read_text()):
        running = [line for line in block.splitlines() if re.match(r"(asyncio\.run|worker\.run)", line)]
        assert running == [] or "Worker(" not in block, "`slate worker run` imports it: put this under __name__"
