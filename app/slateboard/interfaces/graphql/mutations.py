"""The mutations: each field is one operation of the catalogue, with the words and rights that it has at every door."""

from __future__ import annotations

from typing import Any, cast

import strawberry
from strawberry.scalars import JSON

from slateboard.interfaces.graphql import prefetch
from slateboard.interfaces.graphql.answers import (
    Blocked,
    Claim,
    Depended,
    Ended,
    Finished,
    GivenBack,
    NewToken,
    Pinned,
    Posted,
    Renewed,
    Revised,
)
from slateboard.interfaces.graphql.boards import BoardEndMutation
from slateboard.interfaces.graphql.breakers import BreakerMutation
from slateboard.interfaces.graphql.choreography import ChoreographyMutation
from slateboard.interfaces.graphql.compensation import CompensationMutation
from slateboard.interfaces.graphql.delegation import DelegationMutation
from slateboard.interfaces.graphql.directory import DirectoryMutation
from slateboard.interfaces.graphql.escalations import EscalationMutation
from slateboard.interfaces.graphql.inputs import (
    ArtifactInput,
    BeatInput,
    DeadLettersInput,
    DocumentInput,
    FinishInput,
    GiveBackInput,
    TaskInput,
)
from slateboard.interfaces.graphql.meetings import MeetingMutation
from slateboard.interfaces.graphql.peers import PeerMutation
from slateboard.interfaces.graphql.proof import ProofMutation
from slateboard.interfaces.graphql.queries import Ask
from slateboard.interfaces.graphql.scalars import BigInt, plain_json
from slateboard.interfaces.graphql.types import Decision
from slateboard.interfaces.graphql.usage import UsageMutation
from slateboard.interfaces.graphql.verification import VerificationMutation
from slateboard.protocol.names import BoardId
from slateboard.protocol.work import SHELL_LEASE_SECONDS


def _given(**arguments: Any) -> dict[str, Any]:
    """The arguments that were given; the others are the action's to choose."""
    return {name: value for name, value in arguments.items() if value is not None}


@strawberry.type
class WorkMutation:
    """Claims, and how they end."""

    @strawberry.mutation
    async def claim(
        self,
        info: Ask,
        worker: str,
        limit: int = 1,
        lease_seconds: float = SHELL_LEASE_SECONDS,
        agent: str | None = None,
        board: str | None = None,
    ) -> list[Claim] | None:
        """Claim the ready items with the highest rating; empty if there are none. `worker` names the process."""
        number = await info.context.agent(board, agent)
        arguments = {"agent": number, "worker": worker, "limit": limit, "lease_seconds": lease_seconds}
        return await info.context.perform("claim", board, arguments)

    @strawberry.mutation
    async def claim_one(
        self,
        info: Ask,
        item: BigInt,
        worker: str,
        lease_seconds: float = SHELL_LEASE_SECONDS,
        agent: str | None = None,
        board: str | None = None,
    ) -> Claim | None:
        """Claim this very item; where it cannot be had, the error says who holds it and until when."""
        number = await info.context.agent(board, agent)
        arguments = {"agent": number, "worker": worker, "item": item, "lease_seconds": lease_seconds}
        return await info.context.perform("claim_one", board, arguments)

    @strawberry.mutation
    async def heartbeat(
        self, info: Ask, beats: list[BeatInput], lease_seconds: float | None = None, board: str | None = None
    ) -> list[Renewed] | None:
        """Renew claims, with progress; one answer for each."""
        arguments = {"beats": [one.value() for one in beats], "lease_seconds": lease_seconds}
        return await info.context.perform("heartbeat", board, arguments)

    @strawberry.mutation
    async def checkpoint(
        self,
        info: Ask,
        item: BigInt,
        fence: BigInt,
        data: JSON | None = None,
        note: str | None = None,
        board: str | None = None,
    ) -> bool | None:
        """Keep data or a note for the attempt that follows; renews the lease."""
        arguments = {"item": item, "fence": fence, "data": data, "note": note}
        await info.context.perform("checkpoint", board, arguments)
        return True

    @strawberry.mutation
    async def finish(self, info: Ask, finishes: list[FinishInput], board: str | None = None) -> list[Finished] | None:
        """Hand in results; one answer for each, which may be a refusal."""
        return await info.context.perform("finish", board, {"finishes": [one.value() for one in finishes]})

    @strawberry.mutation
    async def give_back(
        self, info: Ask, returns: list[GiveBackInput], board: str | None = None
    ) -> list[GivenBack] | None:
        """End claims without a result; one answer for each."""
        return await info.context.perform("give_back", board, {"returns": [one.value() for one in returns]})

    @strawberry.mutation
    async def block_on(
        self, info: Ask, item: BigInt, fence: BigInt, on: list[str], note: str | None = None, board: str | None = None
    ) -> Blocked | None:
        """Give a claim back, gated by other artifacts."""
        arguments = {"item": item, "fence": fence, "on": on, "note": note}
        return await info.context.perform("block_on", board, arguments)


@strawberry.type
class BoardMutation(WorkMutation):
    """What is wanted, and what was decided."""

    @strawberry.mutation
    async def post(
        self,
        info: Ask,
        tasks: list[TaskInput] | None = None,
        artifacts: list[ArtifactInput] | None = None,
        board: str | None = None,
    ) -> Posted | None:
        """Post tasks and artifacts, all or nothing."""
        arguments = {
            "tasks": [one.value() for one in tasks or ()],
            "artifacts": [one.value() for one in artifacts or ()],
        }
        posted = await info.context.perform("post", board, arguments)
        made = [{"reference": reference, "item": item} for reference, item in posted.items.items()]
        return cast("Posted", {"tasks": list(posted.tasks), "artifacts": made})

    @strawberry.mutation
    async def apply(
        self,
        info: Ask,
        documents: list[DocumentInput],
        dry_run: bool = False,
        strict: bool = False,
        board: str | None = None,
    ) -> JSON | None:
        """Make the board what manifests declare, all or nothing; gives what changed, as `slate apply --json` does."""
        arguments = {"documents": [one.value() for one in documents], "dry_run": dry_run, "strict": strict}
        return plain_json(await info.context.perform("apply", board, arguments))

    @strawberry.mutation
    async def depend(self, info: Ask, reference: str, on: list[str], board: str | None = None) -> Depended | None:
        """Block an artifact that has not started on others."""
        return await info.context.perform("depend", board, {"reference": reference, "on": on})

    @strawberry.mutation
    async def revise(
        self,
        info: Ask,
        reference: str,
        reason: str = "",
        expect_version: int | None = None,
        board: str | None = None,
    ) -> Revised | None:
        """Ask for a new version of a complete artifact."""
        arguments = {"reference": reference, "reason": reason, "expect_version": expect_version}
        return await info.context.perform("revise", board, arguments)

    @strawberry.mutation
    async def cancel(
        self,
        info: Ask,
        reference: str,
        reason: str = "",
        cascade: bool = False,
        waive: bool = False,
        board: str | None = None,
    ) -> Ended | None:
        """Cancel an unfinished artifact. `cascade` ends what waits for it too, `waive` lets it go on without."""
        arguments = {"reference": reference, "reason": reason, "cascade": cascade, "waive": waive}
        return _ended(await info.context.perform("cancel", board, arguments), "cancelled")

    @strawberry.mutation
    async def redrive(
        self,
        info: Ask,
        items: list[BigInt] | None = None,
        where: DeadLettersInput | None = None,
        dry_run: bool = False,
        board: str | None = None,
    ) -> list[str] | None:
        """Bring dead letters back, by their items or up to 1,000 that fit; gives their references."""
        arguments = {"items": items or [], "dry_run": dry_run, **(where.value() if where else {})}
        answer = await info.context.perform("redrive", board, arguments)
        return answer["redriven"]

    @strawberry.mutation
    async def discard(
        self,
        info: Ask,
        reason: str,
        items: list[BigInt] | None = None,
        where: DeadLettersInput | None = None,
        cascade: bool = False,
        waive: bool = False,
        dry_run: bool = False,
        board: str | None = None,
    ) -> Ended | None:
        """Give dead letters up for good, by their items or up to 1,000 that fit."""
        arguments = {"items": items or [], "reason": reason, "cascade": cascade, "waive": waive, "dry_run": dry_run}
        arguments |= where.value() if where else {}
        return _ended(await info.context.perform("discard", board, arguments), "discarded")

    @strawberry.mutation
    async def pin(self, info: Ask, item: BigInt, rating: int | None = None, board: str | None = None) -> Pinned | None:
        """Fix the rating of an unfinished item; without one it is worked out again."""
        return await info.context.perform("pin", board, {"item": item, "rating": rating})

    @strawberry.mutation
    async def decide(
        self,
        info: Ask,
        decision: str,
        subject: str | None = None,
        rationale: str | None = None,
        context: str | None = None,
        drivers: list[str] | None = None,
        options: JSON | None = None,
        consequences: str | None = None,
        confirmation: str | None = None,
        status: str | None = None,
        agent: str | None = None,
        task: str | None = None,
        supersedes: str | None = None,
        board: str | None = None,
    ) -> Decision | None:
        """Record a decision; `supersedes` names the accepted one that it replaces."""
        row = await info.context.perform(
            "decide",
            board,
            _given(
                decision=decision,
                subject=subject,
                rationale=rationale,
                context=context,
                drivers=drivers,
                options=options,
                consequences=consequences,
                confirmation=confirmation,
                status=status,
                agent=agent,
                task=task,
                supersedes=supersedes,
            ),
        )
        row |= {"task": task, "superseded_by": None}
        where = await info.context.board(board)
        await prefetch.load(info.context, where, "Decision", [row], info.context.selected(info).below)
        return row


@strawberry.type
class Mutation(
    BreakerMutation,
    DelegationMutation,
    DirectoryMutation,
    EscalationMutation,
    MeetingMutation,
    PeerMutation,
    UsageMutation,
    CompensationMutation,
    VerificationMutation,
    ChoreographyMutation,
    ProofMutation,
    BoardEndMutation,
    BoardMutation,
):
    """Changes. `board` is the token's own, or the server's default, where it is left out."""

    @strawberry.mutation
    async def create_board(self, info: Ask, name: str, prefix: str | None = None) -> BigInt | None:
        """Make a board; gives its id."""
        return await info.context.perform("create_board", BoardId(0), _given(name=name, prefix=prefix))

    @strawberry.mutation
    async def pause(
        self,
        info: Ask,
        agent: str | None = None,
        everything: bool = False,
        reason: str | None = None,
        board: str | None = None,
    ) -> str | None:
        """Stop new claims of an agent, of the board, or of everything; gives what is paused."""
        arguments = {"agent": agent, "everything": everything, "reason": reason}
        answer = await info.context.perform("pause", board, arguments)
        return answer["paused"]

    @strawberry.mutation
    async def resume(
        self, info: Ask, agent: str | None = None, everything: bool = False, board: str | None = None
    ) -> str | None:
        """Take a pause back; gives what goes on."""
        answer = await info.context.perform("resume", board, {"agent": agent, "everything": everything})
        return answer["resumed"]

    @strawberry.mutation
    async def add_agent(
        self,
        info: Ask,
        name: str,
        kind: str | None = None,
        role: str | None = None,
        capabilities: list[str] | None = None,
        manager: str | None = None,
        right: str | None = None,
        board: str | None = None,
    ) -> BigInt | None:
        """Add an agent to the board; gives its id."""
        arguments = _given(name=name, kind=kind, role=role, capabilities=capabilities, manager=manager, right=right)
        return await info.context.perform("add_agent", board, arguments)

    @strawberry.mutation
    async def issue_token(
        self, info: Ask, agent: str, expires_in_seconds: float | None = None, board: str | None = None
    ) -> NewToken | None:
        """Make a token for an agent; it is shown this once."""
        arguments = {"agent": agent, "expires_in_seconds": expires_in_seconds}
        return await info.context.perform("issue_token", board, arguments)

    @strawberry.mutation
    async def rotate_token(
        self, info: Ask, token_id: BigInt, overlap_seconds: float | None = None, board: str | None = None
    ) -> NewToken | None:
        """Replace a token; the old one works until the overlap is over."""
        arguments = _given(token_id=token_id, overlap_seconds=overlap_seconds)
        return await info.context.perform("rotate_token", board, arguments)

    @strawberry.mutation
    async def revoke_token(self, info: Ask, token_id: BigInt, board: str | None = None) -> bool | None:
        """End a token at once."""
        await info.context.perform("revoke_token", board, {"token_id": token_id})
        return True


def _ended(answer: dict[str, Any], name: str) -> Ended:
    return cast("Ended", {"references": answer[name], "waived": answer["waived"]})
