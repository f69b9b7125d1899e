"""Errors over HTTP: problem documents as in RFC 9457, one for each error of `protocol/errors.py`.

`type` is a URN of the stable code; `code`, `kind`, `remedy` and `details` are the same as at every other door. What
no code of ours expected is answered as a bug without its text, which stays in the server's log.
"""

from __future__ import annotations

import json
import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from slateboard.interfaces.errors import KINDS, Bug, http_status
from slateboard.protocol.errors import Invalid, SlateError

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 1


def problem(error: SlateError, instance: str | None = None) -> Response:
    """The answer that an error is."""
    document: dict[str, Any] = {
        "type": f"urn:slateboard:error:{error.code}",
        "title": KINDS[error.kind].title,
        "status": http_status(error),
        "detail": error.message,
        **error.as_dict(),
    }
    if instance is not None:
        document["instance"] = instance
    return _answer(document)


def install(app: FastAPI) -> None:
    """Make problem documents of everything that a route raises."""
    app.add_exception_handler(SlateError, _of_ours)
    app.add_exception_handler(RequestValidationError, _of_validation)
    app.add_exception_handler(HTTPException, _of_starlette)
    app.add_exception_handler(Exception, _of_a_bug)


async def _of_ours(request: Request, error: Exception) -> Response:
    assert isinstance(error, SlateError)
    return problem(error, request.url.path)


async def _of_validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    wrong = Invalid(f"{where}: {first['msg']}", remedy="see /openapi.json", where=where)
    return problem(wrong, request.url.path)


async def _of_starlette(request: Request, error: Exception) -> Response:
    """A path or method that is not there, in the form of a problem without a code of ours."""
    assert isinstance(error, HTTPException)
    document = {
        "type": "about:blank",
        "title": HTTPStatus(error.status_code).phrase,
        "status": error.status_code,
        "detail": f"{request.method} {request.url.path}: {error.detail}",
        "instance": request.url.path,
    }
    return _answer(document, headers=dict(error.headers or {}))


async def _of_a_bug(request: Request, error: Exception) -> Response:
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    bug = Bug("something unexpected happened; the server's log says what", remedy="please report it, with that log")
    return problem(bug, request.url.path)


def _answer(document: dict[str, Any], headers: dict[str, str] | None = None) -> Response:
    given = dict(headers or {})
    status: int = document["status"]
    if status == HTTPStatus.UNAUTHORIZED:
        given["WWW-Authenticate"] = 'Bearer realm="slateboard"'
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        given["Retry-After"] = str(RETRY_AFTER_SECONDS)
    content = json.dumps(document, default=str, ensure_ascii=False)
    return Response(content, status_code=status, media_type=MEDIA_TYPE, headers=given)
