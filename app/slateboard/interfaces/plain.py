"""Between the values of the actions and plain ones (JSON values and datetimes), for doors that carry only these."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any, cast

from slateboard.protocol.errors import Invalid, SlateError
from slateboard.protocol.states import FailureClass, Outcome
from slateboard.protocol.work import Beat, Finish, GiveBack, NewArtifact, NewTask, Result


def plain(value: Any) -> Any:
    """Rows, values, enums and errors as dicts, lists, texts and numbers; datetimes stay what they are."""
    if value is None or isinstance(value, (str, int, float, bytes)):
        return value.value if isinstance(value, Enum) else value
    if isinstance(value, SlateError):
        return value.as_dict()
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping) or (hasattr(value, "keys") and hasattr(value, "values")):
        return {str(key): plain(one) for key, one in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(one) for one in cast("list[Any]", value)]
    return value


def typed(operation: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of an operation with the values that its action takes, where they came as plain dicts."""
    shapes = VALUES.get(operation, {})
    return {
        name: [_value(shapes[name], one) for one in argument] if name in shapes else argument
        for name, argument in arguments.items()
    }


def _value(make: Callable[..., Any], given: Any) -> Any:
    if not isinstance(given, Mapping):
        return given
    try:
        return make(**cast("Mapping[str, Any]", given))
    except (TypeError, ValueError) as error:
        words = str(error).replace("__init__() ", "")
        raise Invalid(f"this is not what is expected: {words}", remedy="see docs/guides/worker.md") from error


def _result(given: Any) -> Any:
    return Result() if given is None else _value(Result, given)


def _new_artifact(**given: Any) -> NewArtifact:
    imported = given.pop("imported", None)
    blocked_by = given.pop("blocked_by", ())
    names = (blocked_by,) if isinstance(blocked_by, str) else tuple(blocked_by)
    return NewArtifact(**given, blocked_by=names, imported=None if imported is None else _value(Result, imported))


def _finish(*, item: int, fence: int, result: Any = None) -> Finish:
    return Finish(item=item, fence=fence, result=_result(result))


def _give_back(**given: Any) -> GiveBack:
    outcome = Outcome(given.pop("outcome"))
    failure_class = given.pop("failure_class", None)
    return GiveBack(**given, outcome=outcome, failure_class=FailureClass(failure_class) if failure_class else None)


VALUES: dict[str, dict[str, Callable[..., Any]]] = {
    "post": {"tasks": NewTask, "artifacts": _new_artifact},
    "delegate": {"tasks": NewTask, "artifacts": _new_artifact},
    "heartbeat": {"beats": Beat},
    "finish": {"finishes": _finish},
    "give_back": {"returns": _give_back},
}
"""Operation and argument: what each element of that argument is."""
