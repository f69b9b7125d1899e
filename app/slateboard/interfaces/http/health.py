"""`GET /health`: whether this server can do its work, and if not, why; the one answer that needs no token.

The answer is never empty: `ok`, or `degraded` with the reasons by name. Its status is 503 when the database or its
schema is the reason, since then nothing else can be answered; a server without a leader, whose log lags, or that
fails at a chore, still answers. It is worked out at most twice a second, so that asking costs nothing.
"""

from __future__ import annotations

import asyncio
import time
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Response
from pydantic import BaseModel

from slateboard.protocol.errors import SchemaMismatch, SlateError
from slateboard.store import database as databases

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

KEPT_SECONDS = 0.5
CHECK_SECONDS = 3.0
LAG_SECONDS = 5.0
"""How old the oldest event that is not yet in the log may be."""

STATE = """
SELECT EXISTS (SELECT FROM leaders WHERE name = 'leader' AND expires_at > clock_timestamp()) AS led,
       coalesce((SELECT extract(epoch FROM clock_timestamp() - o.happened_at)
                 FROM event_outbox o ORDER BY o.id LIMIT 1), 0)::float8 AS lag_seconds
"""


class Health(BaseModel):
    """How the server is."""

    status: str
    """`ok` or `degraded`."""
    version: str
    leads: bool
    """Whether this very server runs the chores."""
    log_lag_seconds: float | None
    """The age of the oldest event that is not yet in the log; null when the database does not answer."""
    reasons: dict[str, str]
    """By name (`database`, `schema`, `leader`, `log`, `chores`): what is wrong. Empty when all is well."""

    @property
    def answers(self) -> bool:
        """Whether this server can answer anything else."""
        return not {"database", "schema"} & set(self.reasons)


class Watch:
    """Works the answer out, one at a time, and keeps it for half a second."""

    def __init__(
        self, database: databases.Database, leads: Callable[[], bool], troubles: Mapping[str, str] | None = None
    ) -> None:
        self._database = database
        self._leads = leads
        self._troubles: Mapping[str, str] = {} if troubles is None else troubles
        self._lock = asyncio.Lock()
        self._kept: tuple[float, Health] | None = None

    async def look(self) -> Health:
        """How the server is now, or was half a second ago."""
        async with self._lock:
            now = time.monotonic()
            if self._kept is None or now - self._kept[0] > KEPT_SECONDS:
                self._kept = (now, await self._check())
            return self._kept[1]

    async def _check(self) -> Health:
        reasons: dict[str, str] = {}
        lag: float | None = None
        try:
            async with asyncio.timeout(CHECK_SECONDS), self._database.acquire() as connection:
                await databases.check(connection)
                row: Any = await connection.fetchrow(STATE)
            lag = max(0.0, round(row["lag_seconds"], 3))
            if not row["led"]:
                reasons["leader"] = "no server leads: leases are not taken back and the log does not grow"
            if lag > LAG_SECONDS:
                reasons["log"] = f"the oldest event waits for {lag:.0f} s to get into the log"
        except SchemaMismatch as error:
            reasons["schema"] = error.message
        except SlateError as error:
            reasons["database"] = error.message
        except TimeoutError:
            reasons["database"] = f"the database did not answer within {CHECK_SECONDS:.0f} s"
        if self._troubles and self._leads():
            reasons["chores"] = "; ".join(self._troubles[about] for about in sorted(self._troubles))
        return Health(
            status="degraded" if reasons else "ok",
            version=version("slateboard"),
            leads=self._leads(),
            log_lag_seconds=lag,
            reasons=reasons,
        )


def build(watch: Watch) -> APIRouter:
    """The route."""
    router = APIRouter()

    @router.get("/health", responses={503: {"model": Health}})
    async def health(response: Response) -> Health:
        """How the server is; needs no token."""
        found = await watch.look()
        response.status_code = 200 if found.answers else 503
        response.headers["Cache-Control"] = "no-store"
        return found

    return router
