"""The API: a small HTTP server that serves what a description describes, and nothing else.

It stands alone (the standard library only, one file), so that a deployment is this file, `openapi.json` and `data.json`
in one folder. Routes, parameters and their bounds come from the description; a request that it does not describe is
refused. It binds to loopback, and no request is answered without the token from `RELEASE_ANALYTICS_TOKEN`.
"""

from __future__ import annotations

import argparse
import hmac
import json
import os
import re
import sys
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

TOKEN_VARIABLE = "RELEASE_ANALYTICS_TOKEN"
REQUEST_SECONDS = 10


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A status and the JSON value that goes with it."""

    status: int
    body: dict[str, Any]


class Refusal(Exception):
    """A request that cannot be answered, with the status that says why."""

    def __init__(self, status: int, title: str, detail: str) -> None:
        super().__init__(detail)
        self.answer = Answer(status=status, body={"title": title, "status": status, "detail": detail})


class Api:
    """The description and its rows; `answer` is the whole behaviour, without a socket."""

    def __init__(self, description: dict[str, Any], tables: dict[str, list[dict[str, Any]]], token: str) -> None:
        self._tables = tables
        self._token = token
        self._routes = [
            (re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(path))), item)
            for path, item in description["paths"].items()
        ]

    def answer(self, method: str, target: str, authorization: str) -> Answer:
        """What the API says to one request; `target` is its path with the query, as sent."""
        try:
            if not hmac.compare_digest(authorization.encode(), f"Bearer {self._token}".encode()):
                raise Refusal(401, "Unauthorized", "send the header `Authorization: Bearer <token>`")
            url = urlsplit(target)
            item, in_path = self._route(url.path)
            if method.lower() not in item:
                raise Refusal(405, "Method not allowed", f"{url.path} does not take {method}")
            return Answer(status=200, body=self._rows(item[method.lower()], in_path, url.query))
        except Refusal as refusal:
            return refusal.answer

    def _route(self, path: str) -> tuple[dict[str, Any], dict[str, str]]:
        for pattern, item in self._routes:
            if match := pattern.fullmatch(path):
                return item, {name: unquote(value) for name, value in match.groupdict().items()}
        raise Refusal(404, "Not found", f"{path} is not described")

    def _rows(self, operation: dict[str, Any], in_path: dict[str, str], query: str) -> dict[str, Any]:
        values = _parameters(operation, in_path, dict(parse_qsl(query, keep_blank_values=True)))
        rows = self._tables[operation["x-table"]]
        if operation["x-shape"] == "single":
            return rows[0]
        filters = {name: value for name, value in values.items() if name not in ("limit", "offset")}
        rows = [row for row in rows if all(row[name] == value for name, value in filters.items())]
        if operation["x-shape"] == "item":
            if not rows:
                raise Refusal(
                    404, "Not found", f"there is no row with {', '.join(f'{k} {v}' for k, v in filters.items())}"
                )
            return rows[0]
        first = values["offset"]
        return {"items": rows[first : first + values["limit"]], "total": len(rows)}


def _parameters(operation: dict[str, Any], in_path: dict[str, str], in_query: dict[str, str]) -> dict[str, Any]:
    """The values of an operation's parameters, checked against their schemas, with the defaults filled in."""
    declared = {parameter["name"]: parameter["schema"] for parameter in operation["parameters"]}
    given = in_query | in_path
    if unknown := [name for name in given if name not in declared]:
        raise Refusal(400, "Bad request", f"no such parameter: {', '.join(unknown)}")
    values = {name: schema["default"] for name, schema in declared.items() if "default" in schema}
    return values | {name: _value(name, text, declared[name]) for name, text in given.items()}


def _value(name: str, text: str, schema: dict[str, Any]) -> int | str:
    if schema["type"] == "integer":
        if not re.fullmatch(r"[0-9]{1,9}", text) or not schema["minimum"] <= int(text) <= schema["maximum"]:
            raise Refusal(400, "Bad request", f"{name} must be between {schema['minimum']} and {schema['maximum']}")
        return int(text)
    if not re.search(schema["pattern"], text):
        raise Refusal(400, "Bad request", f"{name} must match {schema['pattern']}")
    return text


def server(api: Api, port: int) -> ThreadingHTTPServer:
    """A server on loopback; port 0 takes a free one. The caller runs it and closes it."""

    class Handler(BaseHTTPRequestHandler):
        timeout = REQUEST_SECONDS

        def _respond(self) -> None:
            answer = api.answer(self.command, self.path, self.headers.get("Authorization", ""))
            body = json.dumps(answer.body).encode()
            self.send_response(answer.status)
            kind = "application/json" if answer.status == 200 else "application/problem+json"
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.send_header("X-Content-Type-Options", "nosniff")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        # The names are those that http.server looks for.
        do_GET = do_HEAD = do_POST = _respond  # noqa: N815
        do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _respond  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the name of http.server)
            """Say nothing: the addresses of callers are nobody's business."""

    return ThreadingHTTPServer(("127.0.0.1", port), Handler)


def main() -> int:
    """Serve the folder's `openapi.json` and `data.json` until interrupted; the first line says on which address."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--folder", type=Path, default=Path(__file__).parent)
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--stop-with-parent", action="store_true", help="stop when standard input ends")
    arguments = parser.parse_args()
    token = os.environ.get(TOKEN_VARIABLE, "")
    if not token:
        print(f"{TOKEN_VARIABLE} is not set: choose a token and put it there", file=sys.stderr)
        return 2
    description = json.loads((arguments.folder / "openapi.json").read_text(encoding="utf-8"))
    tables = json.loads((arguments.folder / "data.json").read_text(encoding="utf-8"))
    with server(Api(description, tables, token), arguments.port) as listening:
        print(f"listening on http://127.0.0.1:{listening.server_address[1]}", flush=True)
        if arguments.stop_with_parent:
            threading.Thread(target=_stop_at_end_of_input, args=(listening,), daemon=True).start()
        try:
            listening.serve_forever(poll_interval=0.1)
        except KeyboardInterrupt:
            return 0
    return 0


def _stop_at_end_of_input(listening: ThreadingHTTPServer) -> None:
    """End the server when whoever started it is gone, also when that was killed."""
    sys.stdin.read()
    listening.shutdown()


if __name__ == "__main__":
    sys.exit(main())
