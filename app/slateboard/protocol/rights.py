"""Who may do what: four rights, each including the ones before it, and the actor that carries one."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Right(IntEnum):
    """Least first; `reader < agent < operator < admin`."""

    READER = 1
    AGENT = 2
    OPERATOR = 3
    ADMIN = 4

    @property
    def word(self) -> str:
        """The right as users write it."""
        return self.name.lower()


@dataclass(frozen=True, kw_only=True, slots=True)
class Actor:
    """Who acts, and how we know.

    `agent` is the agent's id on the board, or None for an administrator who is no agent; `authenticated_by`
    is `database` (a database URL) or `token:<id>`; `system` acts for the server's own chores.
    """

    name: str
    right: Right
    agent: int | None = None
    board: int | None = None
    authenticated_by: str = "database"

    @property
    def limited_to(self) -> int | None:
        """The only agent whose claims it may touch; None for an administrator, who may touch all.

        Whoever acts for an agent by way of a database URL (`--as`) is held to that agent's claims, like the agent.
        """
        acts_for = self.agent is not None and self.authenticated_by == "database"
        return (self.agent or 0) if acts_for or self.right < Right.ADMIN else None


ADMINISTRATOR = Actor(name="admin", right=Right.ADMIN)
SYSTEM = Actor(name="system", right=Right.ADMIN, authenticated_by="system")
