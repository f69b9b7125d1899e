"""What manifests declare, and every mistake that shows without a board, with its position."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from slateboard.manifests import files
from slateboard.manifests.declarations import Declarations
from slateboard.manifests.kinds import declared
from slateboard.protocol.errors import BadManifest, SlateError, TooLarge

GUIDE = Path(__file__).parent / "guide"
EXAMPLE = Path(__file__).parents[2] / "examples/analytics-dashboard"
NOW = datetime(2026, 11, 22, tzinfo=UTC)


def board(artifacts: str, *, head: str = "") -> str:
    """A TaskBoard whose artifacts begin on line 7."""
    body = "\n".join(f"    {line}" for line in artifacts.splitlines())
    return (
        f"apiVersion: agent.ceo/v1\nkind: TaskBoard\nmetadata: {{name: feature}}\nspec:\n  {head}\n  artifacts:\n{body}"
    )


def tree(root: str) -> str:
    """A TaskTree whose root begins on line 6."""
    body = "\n".join(f"    {line}" for line in root.splitlines())
    return f"apiVersion: agent.ceo/v1\nkind: TaskTree\nmetadata: {{name: feature}}\nspec:\n  root:\n{body}"


def found(text: str) -> Declarations:
    return declared([{"source": "board.yaml", "text": text}])


def test_the_task_board_of_the_guide_is_read_as_it_stands() -> None:
    got = declared(files.read([str(GUIDE / "task-board.json")]))
    assert list(got.tasks) == ["feat-analytics-dashboard"]
    artifacts = {one.name: one for one in got.artifacts.values()}
    assert {name: (one.owner, one.status) for name, one in artifacts.items()} == {
        "api_spec": ("backend", "complete"),
        "ui_mockup": ("frontend", "in_progress"),
        "security_review": ("cso", "pending"),
        "deployment_config": ("devops", "not_started"),
    }
    imported = artifacts["api_spec"].imported
    assert imported is not None
    assert (imported.path, imported.hash) == ("/specs/analytics.yaml", None)
    assert list(artifacts["security_review"].blocked_by) == ["feat-analytics-dashboard/api_spec"]
    (decision,) = got.decisions.values()
    assert (decision.subject, decision.given["agent"]) == ("use-clickhouse-for-analytics-storage", "cto")


def test_the_task_tree_of_the_guide_is_read_as_it_stands() -> None:
    got = declared(files.read([str(GUIDE / "task-tree.yaml")]))
    assert {name: (task.parent, task.agent, task.delegator) for name, task in got.tasks.items()} == {
        "feature-implementation": (None, "ceo", None),
        "feature-implementation-cto": ("feature-implementation", "cto", "ceo"),
        "feature-implementation-cto-backend": ("feature-implementation-cto", "backend", "cto"),
        "feature-implementation-cto-frontend": ("feature-implementation-cto", "frontend", "cto"),
        "feature-implementation-cto-devops": ("feature-implementation-cto", "devops", "cto"),
        "feature-implementation-cso": ("feature-implementation", "cso", "ceo"),
        "feature-implementation-marketing": ("feature-implementation", "marketing", "ceo"),
    }
    assert len(got.artifacts) == 7
    assert sorted(got.implied()["feature-implementation-cto/result"]) == [
        f"feature-implementation-cto-{agent}/result" for agent in ("backend", "devops", "frontend")
    ]


def test_the_example_is_read() -> None:
    got = declared(files.read([str(EXAMPLE)]))
    assert "engineering" in got.tasks
    assert list(got.artifacts["dashboard/dashboard"].blocked_by) == ["dashboard/charts", "security/security_review"]


def test_a_node_keeps_its_name_when_its_text_changes_or_others_are_added() -> None:
    root = "agent: ceo\ntask: {task}\nchildren:\n"
    first = found(tree(root.format(task="One") + "- {agent: a, task: x}\n- {agent: a, task: y}"))
    assert list(first.tasks) == ["feature", "feature-a", "feature-a-2"]
    children = "- {agent: a, task: z}\n- {agent: a, name: other, task: n}\n- {agent: b, task: w}\n- {agent: a, task: v}"
    later = found(tree(root.format(task="Two") + children))
    assert list(later.tasks) == ["feature", "feature-a", "other", "feature-b", "feature-a-2"]


def test_a_long_name_is_cut_and_stays_unique() -> None:
    agent = "a" * 63
    got = found(tree(f"agent: ceo\ntask: t\nchildren:\n- {{agent: {agent}, task: x}}\n- {{agent: {agent}, task: y}}"))
    names = list(got.tasks)
    assert len(set(names)) == 3
    assert all(len(name) <= 63 for name in names)


def test_times_count_from_the_posting() -> None:
    text = board("a: {due: 4h}\nb: {due: 1h30m}\nc: {due: '2026-12-24T18:00:00+01:00'}\nd: {due: 90}\ne: {run_at: 2d}")
    got = {one.name: one for one in found(text).artifacts.values()}
    due = {name: one.due.since(NOW) for name, one in got.items() if one.due}
    assert due == {
        "a": NOW + timedelta(hours=4),
        "b": NOW + timedelta(minutes=90),
        "c": datetime(2026, 12, 24, 17, tzinfo=UTC),
        "d": NOW + timedelta(seconds=90),
    }
    assert got["e"].run_at is not None
    assert got["e"].run_at.since(NOW) == NOW + timedelta(days=2)


def test_an_empty_board_has_a_result() -> None:
    text = "apiVersion: agent.ceo/v1\nkind: TaskBoard\nmetadata: {name: feature}\nspec:\n  artifacts:\n"
    assert list(found(text).artifacts) == ["feature/result"]
    assert list(found("{task_id: bare}").artifacts) == ["bare/result"]


def test_inline_content_has_its_hash_taken() -> None:
    (one,) = found(board("a: {status: complete, content: hello}")).artifacts.values()
    assert one.imported is not None
    assert one.imported.hash == "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"


def test_normal_is_medium() -> None:
    (one,) = found(board("a: {priority: normal}")).artifacts.values()
    assert one.priority == "medium"


LONG = "x" * 1_048_577

# The text; line, column; path; what the message says; what the remedy says.
BAD: dict[str, tuple[str, tuple[int, int], str, str, str]] = {
    "an unknown key of an artifact": (
        board("api: {ownr: backend}"),
        (7, 11),
        "spec.artifacts.api.ownr",
        "no key 'ownr'",
        "'owner'",
    ),
    "an unknown key of the spec": (
        board("a: {}", head="artefacts: {}"),
        (5, 3),
        "spec.artefacts",
        "no key",
        "'artifacts'",
    ),
    "an unknown key at the top": (
        "apiVersion: agent.ceo/v1\nkind: TaskBoard\nmetdata: {name: a}\nspec: {}",
        (3, 1),
        "metdata",
        "no key",
        "'metadata'",
    ),
    "an unknown kind": (
        "apiVersion: agent.ceo/v1\nkind: Taskboard\nspec: {}",
        (2, 7),
        "kind",
        "no kind 'Taskboard'",
        "'TaskBoard'",
    ),
    "a kind of another version": ("apiVersion: v2\nkind: TaskBoard\nspec: {}", (1, 13), "apiVersion", "found 'v2'", ""),
    "no version": ("kind: TaskBoard\nspec: {}", (1, 1), "", "there is no 'apiVersion'", ""),
    "no kind": ("hello: 1", (1, 1), "", "found no kind", "kind: TaskBoard"),
    "no mapping": ("- a\n- b", (1, 1), "", "found a list", ""),
    "only a text": ("hello", (1, 1), "", "found a text ('hello')", ""),
    "no name": ("apiVersion: agent.ceo/v1\nkind: TaskBoard\nspec: {}", (3, 7), "spec", "there is no 'task_id'", ""),
    "two names": (
        "apiVersion: agent.ceo/v1\nkind: TaskBoard\nmetadata: {name: a}\nspec: {task_id: b}",
        (4, 17),
        "spec.task_id",
        "'b'",
        "",
    ),
    "a name with a slash": (board("a/b: {}"), (7, 5), "spec.artifacts.a/b", "'a/b' is not a name", "'a-b'"),
    "a name with a dot": (board("a.b: {}"), (7, 5), "spec.artifacts.a.b", "'a.b' is not a name", "'a-b'"),
    "a name with a newline": (board('"a\\nb": {}'), (7, 5), "spec.artifacts.a\nb", "is not a name", "'a-b'"),
    "a name in capitals": (board("API: {}"), (7, 5), "spec.artifacts.API", "is not a name", "'api'"),
    "a name that is too long": (board(f"{'n' * 64}: {{}}"), (7, 5), f"spec.artifacts.{'n' * 64}", "is not a name", ""),
    "a number as a name": (board("1: {}"), (7, 5), "spec.artifacts", "a whole number ('1') as a key", ""),
    "an owner that is no name": (
        board("a: {owner: Back End}"),
        (7, 16),
        "spec.artifacts.a.owner",
        "'Back End' is not a name",
        "'back-end'",
    ),
    "an owner that is a number": (
        board("a: {owner: 7}"),
        (7, 16),
        "spec.artifacts.a.owner",
        "a whole number ('7')",
        "quotes",
    ),
    "an owner and a capability": (
        board("a: {owner: b, capability: c}"),
        (7, 19),
        "spec.artifacts.a.capability",
        "an owner and a capability",
        "",
    ),
    "a duplicate artifact": (board("a: {}\nb: {}\na: {}"), (9, 5), "spec.artifacts.a", "found the key 'a' twice", ""),
    "a text for an artifact": (board("a: later"), (7, 8), "spec.artifacts.a", "found a text ('later')", ""),
    "a list of artifacts": (board("- a"), (7, 5), "spec.artifacts", "found a list", ""),
    "a duration that does not parse": (
        board("a: {due: 4 hours}"),
        (7, 14),
        "spec.artifacts.a.due",
        "found a text ('4 hours'); expected a length of time",
        "",
    ),
    "a negative duration": (board("a: {due: -4h}"), (7, 14), "spec.artifacts.a.due", "expected a length of time", ""),
    "no duration": (board("a: {due: 0s}"), (7, 14), "spec.artifacts.a.due", "expected a length of time", ""),
    "a duration beyond all bounds": (board("a: {due: 99999999999d}"), (7, 14), "spec.artifacts.a.due", "expected", ""),
    "a time without a zone": (
        board("a: {due: 2026-12-24T18:00}"),
        (7, 14),
        "spec.artifacts.a.due",
        "with its zone",
        "",
    ),
    "a day": (board("a: {run_at: 2026-12-24}"), (7, 17), "spec.artifacts.a.run_at", "with its zone", ""),
    "an unknown priority": (
        board("a: {priority: hihg}"),
        (7, 19),
        "spec.artifacts.a.priority",
        "no priority 'hihg'",
        "'high'",
    ),
    "an unknown status": (board("a: {status: done}"), (7, 17), "spec.artifacts.a.status", "no status 'done'", ""),
    "too many attempts": (board("a: {max_attempts: 101}"), (7, 23), "spec.artifacts.a.max_attempts", "1 to 100", ""),
    "attempts in words": (board("a: {max_attempts: four}"), (7, 23), "spec.artifacts.a.max_attempts", "1 to 100", ""),
    "a blocker that is a number": (
        board("a: {blocked_by: [b, 1]}\nb: {}"),
        (7, 25),
        "spec.artifacts.a.blocked_by[1]",
        "a list of texts",
        "",
    ),
    "a blocker that is no name": (
        board("a: {blocked_by: x/y/z}"),
        (7, 21),
        "spec.artifacts.a.blocked_by",
        "'x/y' is not a name",
        "",
    ),
    "content of an artifact that is not complete": (
        board("a: {content: x}"),
        (7, 9),
        "spec.artifacts.a.content",
        "that is not complete",
        "",
    ),
    "a hash that is none": (
        board("a: {status: complete, hash: 12ab}"),
        (7, 33),
        "spec.artifacts.a.hash",
        "sha256: and 64 hex digits",
        "",
    ),
    "decisions that are no list": (
        board("a: {}", head="decisions: {}"),
        (5, 14),
        "spec.decisions",
        "found a mapping",
        "",
    ),
    "a decision without a text": (
        board("a: {}", head="decisions: [{agent: cto}]"),
        (5, 15),
        "spec.decisions[0]",
        "no 'decision'",
        "",
    ),
    "an empty decision": (
        board("a: {}", head="decisions: [{decision: ' '}]"),
        (5, 26),
        "spec.decisions[0].decision",
        "an empty text",
        "",
    ),
    "two decisions for one subject": (
        board("a: {}", head="decisions: [{decision: Use it}, {subject: use-it, decision: Not}]"),
        (5, 35),
        "spec.decisions[1]",
        "found the decision 'use-it' twice",
        "",
    ),
    "a superseded decision": (
        board("a: {}", head="decisions: [{decision: x, status: superseded}]"),
        (5, 37),
        "spec.decisions[0].status",
        "no status 'superseded'",
        "",
    ),
    "a node without an agent": (tree("task: x"), (6, 5), "spec.root", "there is no 'agent'", ""),
    "a node without a task": (tree("agent: ceo"), (6, 5), "spec.root", "there is no 'task'", ""),
    "a child without an agent": (
        tree("agent: ceo\ntask: x\nchildren:\n- {task: y}"),
        (9, 7),
        "spec.root.children[0]",
        "there is no 'agent'",
        "",
    ),
    "children that are no list": (
        tree("agent: ceo\ntask: x\nchildren: {agent: a}"),
        (8, 15),
        "spec.root.children",
        "found a mapping",
        "",
    ),
    "a name that stands twice in a tree": (
        tree("agent: ceo\ntask: x\nchildren:\n- {agent: a, task: y, name: n}\n- {agent: b, task: z, name: n}"),
        (10, 7),
        "spec.root.children[1]",
        "found the task 'n' twice",
        "",
    ),
    "a tree without metadata": (
        "apiVersion: agent.ceo/v1\nkind: TaskTree\nspec: {root: {agent: a, task: b}}",
        (1, 1),
        "",
        "no 'metadata'",
        "",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_mistake_is_shown_with_file_line_column_path_and_what_was_expected(case: str) -> None:
    text, position, path, message, remedy = BAD[case]
    with pytest.raises(BadManifest) as refused:
        found(text)
    error = refused.value
    assert (error.details["file"], error.details["line"], error.details["column"]) == ("board.yaml", *position)
    assert error.details["path"] == path
    assert error.message.startswith(f"board.yaml:{position[0]}:{position[1]}: ")
    assert message in error.message
    assert "; expected " in error.message
    assert remedy in error.remedy
    assert error.remedy


def test_content_over_the_limit_is_too_large() -> None:
    with pytest.raises(TooLarge, match="at most 1,048,576") as refused:
        found(board(f"a: {{status: complete, content: {LONG}}}"))
    assert refused.value.details["line"] == 7


def test_a_text_over_its_limit_is_refused() -> None:
    with pytest.raises(BadManifest, match=r"100,000 characters; expected at most 65,536"):
        found(board(f"a: {{title: {'x' * 100_000}}}"))


def test_the_same_task_in_two_files_names_both() -> None:
    texts = [{"source": "one.yaml", "text": "{task_id: same}"}, {"source": "two.yaml", "text": "\n{task_id: same}"}]
    with pytest.raises(BadManifest, match=r"two.yaml:2:1: found the task 'same' twice.*one.yaml:1:1"):
        declared(texts)


def test_more_than_a_post_takes_is_refused() -> None:
    text = board("\n".join(f"a{number}: {{}}" for number in range(10_001)))
    with pytest.raises(BadManifest, match="more than 10,000"):
        found(text)


def test_two_bare_forms_in_one_document_are_told_to_stand_apart() -> None:
    with pytest.raises(BadManifest, match=r"found 'events' beside 'agents'; expected one bare form") as raised:
        found("agents: {}\nevents: []")
    assert raised.value.details["line"] == 2
    assert "`---`" in raised.value.remedy


def test_no_error_is_anything_but_ours() -> None:
    """Each key of each place with a value of each kind: accepted, or refused with its position."""
    values = ["1", "1.5", "true", "text", "[]", "[1]", "{}", "{a: 1}", "null", "[{}]"]
    keys = ["owner", "due", "blocked_by", "status", "content", "max_attempts", "title", "capability", "path"]
    texts = [board(f"a: {{{key}: {value}}}") for key in keys for value in values]
    texts += [
        tree(f"agent: a\ntask: b\n{key}: {value}") for key in ("children", "artifacts", "due") for value in values
    ]
    texts += [f"apiVersion: agent.ceo/v1\nkind: TaskBoard\nmetadata: {one}\nspec: {one}" for one in values]
    for text in texts:
        refused = None
        try:
            found(text)
        except SlateError as error:
            refused = error
        assert refused is None or "line" in refused.details, text
