"""The documentation cannot lag: every error, setting, event and command of the code occurs in it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import click

from slateboard import cli
from slateboard.protocol.errors import SlateError
from slateboard.settings import PREFIX, Settings
from tests.house.source import PACKAGE, ROOT, nodes, text

EXIT_CODES = {"error": 1, "invalid": 2, "not_found": 4, "conflict": 5, "denied": 6, "unavailable": 7}
HTTP_STATUS = {"error": 500, "invalid": 422, "not_found": 404, "conflict": 409, "denied": 403, "unavailable": 503}
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def rows(page: str) -> dict[str, list[str]]:
    """The rows of a page's tables, by the code word in their first cell."""
    found: dict[str, list[str]] = {}
    for line in text(ROOT / "docs" / page).splitlines():
        if match := re.match(r"\| `([^`]+)` \|", line):
            found[match[1]] = [cell.strip() for cell in line.strip("| ").split(" | ")]
    return found


def errors(kind: type[SlateError] = SlateError) -> Iterator[type[SlateError]]:
    """The class and all below it."""
    yield kind
    for child in kind.__subclasses__():
        yield from errors(child)


def test_every_error_is_explained() -> None:
    documented = rows("errors.md")
    classes = {error.code: error for error in errors() if error.__module__ == SlateError.__module__}
    assert set(documented) == set(classes)
    for code, error in classes.items():
        status = 401 if code == "not_authenticated" else HTTP_STATUS[error.kind]
        _, kind, exit_code, http, when, remedy = documented[code]
        assert (kind, int(exit_code), int(http)) == (error.kind, EXIT_CODES[error.kind], status), code
        assert when, code
        assert remedy, code


def test_every_error_has_a_code_of_its_own() -> None:
    codes = [error.code for error in errors() if error.__module__ == SlateError.__module__]
    assert len(codes) == len(set(codes))


def test_every_setting_is_explained_with_its_default() -> None:
    documented = rows("settings.md")
    fields = {PREFIX + name.upper(): field for name, field in Settings.model_fields.items()}
    assert set(fields) <= set(documented)
    for variable, field in fields.items():
        default = "none" if field.default is None else f"`{field.default}`"
        assert documented[variable][1] == default, variable


def subjects() -> set[str]:
    """The board's own subjects that the code names."""
    source = PACKAGE / "protocol/events.py"
    if not source.exists():
        return set()
    strings = (node.value for node in nodes(source) if isinstance(node, ast.Constant) and isinstance(node.value, str))
    return {word for word in strings if re.fullmatch(r"board\.[a-z_]+\.[a-z_]+", word)}


def test_every_event_is_explained() -> None:
    named = subjects()
    assert named, "protocol/events.py names its subjects as literal strings"
    documented = text(ROOT / "docs/events.md")
    missing = sorted(subject for subject in named if f"`{subject}`" not in documented)
    assert not missing


def commands(group: click.Group, path: str) -> Iterator[str]:
    """The full name of every command below a group that is not hidden."""
    context = click.Context(group, info_name=path)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None, name
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")
        elif not command.hidden:
            yield f"{path} {name}"


def test_every_command_is_explained() -> None:
    assert isinstance(cli.main, click.Group), "slateboard.cli.main is the click group of all commands"
    written = "\n".join(text(page) for page in PAGES)
    missing = [name for name in commands(cli.main, "slate") if not re.search(rf"{name}\b", written)]
    assert not missing
