"""releaser: releases version 42 in steps, and knows how to undo each of them.

Production is two files: the schema of the database, and what runs on it. The smoke test really compares them.
"""

from __future__ import annotations

import json
from typing import Any

from agents import LEASE_SECONDS, out
from slateboard import LogicFailure, Result, Work, Worker

worker = Worker(agent="releaser", lease_seconds=LEASE_SECONDS)

SCHEMA = {"version": 7, "orders": ["id", "price"]}
RUNNING = {"version": 41, "reads": ["id", "price"]}


@worker.artifact("update_database_schema")
def migrate(_work: Work) -> Result:
    """The schema gets a column; before that, production is what it was yesterday."""
    for name, value in (("schema", SCHEMA), ("running", RUNNING)):
        _write(name, value)
    _write("schema", {"version": 8, "orders": [*SCHEMA["orders"], "discount"]})
    return Result(path=str(out("production", "schema.json")), summary="schema 7 → 8: orders.discount")


@worker.artifact("deploy_to_production")
def deploy(_work: Work) -> Result:
    """Version 42 runs; it reads one column more than the schema has."""
    _write("running", {"version": 42, "reads": ["id", "price", "discount", "currency"]})
    return Result(path=str(out("production", "running.json")), summary="version 41 → 42")


@worker.artifact("smoke_test")
def test(_work: Work) -> Result:
    """Everything that is read must be there; trying again cannot change it."""
    running, schema = _read("running"), _read("schema")
    if missing := [column for column in running["reads"] if column not in schema["orders"]]:
        named = ", ".join(f"orders.{column}" for column in missing)
        raise LogicFailure(
            f"version {running['version']} reads {named}, which schema {schema['version']} does not have"
        )
    return Result(summary=f"version {running['version']} fits")


@worker.compensation("rollback_deployment")
def roll_back(_work: Work) -> Result:
    """The version of yesterday runs again; doing it twice changes nothing more."""
    _write("running", RUNNING)
    return Result(summary="version 42 → 41")


@worker.compensation("run_down_migration")
def migrate_down(_work: Work) -> Result:
    """The schema of yesterday; never while something runs that needs the new one."""
    if _read("running")["version"] != RUNNING["version"]:
        raise LogicFailure("version 42 still runs on this schema")
    _write("schema", SCHEMA)
    return Result(summary="schema 8 → 7")


def _write(name: str, value: dict[str, Any]) -> None:
    out("production", f"{name}.json").write_text(json.dumps(value), encoding="utf-8")


def _read(name: str) -> dict[str, Any]:
    return json.loads(out("production", f"{name}.json").read_text(encoding="utf-8"))
