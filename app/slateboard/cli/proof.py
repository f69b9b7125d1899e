"""`slate log verify`, `export`, `erase` and `rotate-key`: that the log is what happened, and that nobody changed it.

The chain is worked out where the log is; what was signed is read here, from the home, and never asked of the database.
"""

from __future__ import annotations

import gzip
import sys
from bisect import bisect_left, bisect_right
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from slateboard.cli import parameters, proof_files
from slateboard.cli.output import Invocation, pass_invocation
from slateboard.protocol.errors import Archived, Denied, Invalid, NotFound, WrongLog
from slateboard.protocol.export import Export, end_line

if TYPE_CHECKING:
    from collections.abc import Collection, Generator, Mapping

    from slateboard import Client

VERIFY_EVENTS = 100_000
"""Of one call, so that none takes long."""
VERIFY_CHECKPOINTS = 10_000
BOARDS = 1_000
FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command()
@click.option("--file", "export_file", type=click.Path(path_type=Path, exists=True, dir_okay=False, allow_dash=True),
              metavar="FILE", help="Prove an export instead, without a database; - is standard input.")  # fmt: skip
@click.option("--since-checkpoint", metavar="POSITION", help="Begin after a signed checkpoint; `last` is the last one.")
@click.option("--checkpoints", "checkpoint_files", type=FILE, multiple=True, metavar="FILE",
              help="Signed checkpoints from elsewhere; else those in SLATE_HOME.")  # fmt: skip
@click.option("--no-checkpoints", is_flag=True, help="Check the chain alone.")
@pass_invocation
def verify(
    invocation: Invocation,
    export_file: Path | None,
    since_checkpoint: str | None,
    checkpoint_files: tuple[Path, ...],
    no_checkpoints: bool,
) -> None:
    """Prove the log: that its chain is whole, ends at its head, and fits every checkpoint signed in this home.

    The first position that does not fit is named, with what was done there as far as it can be told.

    Example: slate log verify --file log.jsonl
    """
    if no_checkpoints and (checkpoint_files or since_checkpoint):
        raise Invalid("with or without checkpoints?", remedy="leave --no-checkpoints out")

    deleted: set[str] = set()

    def signed(name: str, log: str) -> dict[int, bytes]:
        return {} if no_checkpoints else _signed(invocation, name, log, checkpoint_files, deleted)

    if export_file is not None:
        if since_checkpoint is not None:
            raise Invalid("an export is proved from its beginning", remedy="leave --since-checkpoint out")
        answer = proof_files.verify(export_file, signed)
    else:

        async def ask() -> dict[str, Any]:
            async with invocation.client() as client:
                known = await client.call("export_log", limit=1)
                header = Export([known["header"] + "\n"]).header
                deleted.update(await _deleted_logs(client))
                known_hashes = signed(header.name, header.log)
                answer = await _verify(client, known_hashes, since_checkpoint)
                if since_checkpoint is None:
                    folder = invocation.home_folder() / proof_files.ARCHIVES
                    answer["archives"] = proof_files.verify_archives(folder, header, known_hashes)
                return answer

        answer = invocation.run(ask())
    invocation.answer(answer, _said(answer))


@click.command()
@click.option("--from", "first", type=click.IntRange(1), metavar="POSITION", help="The first; else of the database.")
@click.option("--to", "last", type=click.IntRange(1), metavar="POSITION", help="The last; else the newest there is.")
@click.option("--output", "-o", type=click.Path(path_type=Path, dir_okay=False), help="A file (.gz: compressed).")
@pass_invocation
def export(invocation: Invocation, first: int | None, last: int | None, output: Path | None) -> None:
    """Write the log as JSON Lines, with everything that its chain needs. docs/proof.md says what they hold.

    What was moved into archives is left where it is: each of their files is an export as well.

    Example: slate log export -o log.jsonl
    """
    if output is None and invocation.as_json:
        raise Invalid("an export is no answer in an envelope", remedy="leave --json out, or give --output")

    async def write() -> dict[str, Any]:
        async with invocation.client() as client:
            with _writing(output) as file:
                return await _export(client, file, first, last)

    answer = invocation.run(write())
    if answer["archived"]:
        invocation.say(f"positions 1 to {answer['archived']:,} are in archives: each of their files is an export too")
    if output is not None:
        invocation.answer(answer, f"{events_of(answer)}, up to position {answer['position']:,}, in {output}")


@click.command()
@click.argument("position", type=click.IntRange(1))
@click.option("--reason", required=True, metavar="TEXT", help="Why; it is kept in the log, so without the secret.")
@pass_invocation
def erase(invocation: Invocation, position: int, reason: str) -> None:
    """Take the payload of one event out of the log, for good: a secret that got into it.

    The chain stays whole, and the log says who did it. Versions, attempts, exports and backups are not touched.

    Example: slate log erase 4711 --reason "an API key in the summary"
    """
    answer = parameters.call(invocation, "erase_event", position=position, reason=reason)
    invocation.answer(answer, f"the payload of position {position} ({answer['subject']}) is erased")


@click.command("rotate-key")
@pass_invocation
def rotate_key(invocation: Invocation) -> None:
    """Sign checkpoints with a new key from now on; what the old one signed stays good. Run it where the home is.

    The old key signs the new one, and every board's log says so.

    Example: slate log rotate-key
    """
    from slateboard import connect
    from slateboard.log import signing

    async def rotate() -> dict[str, Any]:
        async with invocation.client() as client:
            page = await client.call("list_boards", first=BOARDS)
            entry = asdict(signing.rotate(invocation.home_folder()))
            names = [row["name"] for row in page["rows"]]
            for name in names:
                async with connect(invocation.url(), board=name, agent=None) as one:
                    await one.call("record_key", **entry)
            return {"key": entry["key"], "previous": entry["previous"], "boards": names}

    answer = invocation.run(rotate())
    invocation.answer(answer, f"checkpoints are signed by the key {answer['key']} from now on")


async def _verify(client: Client, signed: Mapping[int, bytes], since: str | None) -> dict[str, Any]:
    """Page by page, each with the checkpoints that lie in it."""
    positions = sorted(signed)
    after, digest = 0, None
    if since is not None:
        after = _since(positions, since)
        digest = signed[after].hex()
    began, count, compared = after, 0, 0
    while True:
        begin = bisect_left(positions, after)
        end = bisect_right(positions, after + VERIFY_EVENTS)
        limit = VERIFY_EVENTS
        if end - begin > VERIFY_CHECKPOINTS:
            end = begin + VERIFY_CHECKPOINTS
            limit = max(1, positions[end - 1] - after)
        here = [{"position": one, "hash": signed[one].hex()} for one in positions[begin:end]]
        if positions and positions[-1] not in positions[begin:end]:
            # Whether the log is shorter than what was signed is seen at once.
            here = [*here[: VERIFY_CHECKPOINTS - 1], {"position": positions[-1], "hash": signed[positions[-1]].hex()}]
        answer = await client.call("verify_log", after=after, hash=digest, limit=limit, checkpoints=here)
        if count == 0:
            began = answer["after"]
        count += answer["count"]
        compared = bisect_right(positions, answer["position"]) - bisect_left(positions, began)
        if fault := answer["fault"]:
            raise proof_files.broken(answer["name"], fault)
        if answer["whole"]:
            last = [one for one in positions[: bisect_right(positions, answer["position"])] if one >= began]
            return {
                "board": answer["name"],
                "log": answer["log"],
                "first": began + 1,
                "last": answer["position"],
                "count": count,
                "hash": answer["hash"],
                "checkpoints": compared,
                "signed_up_to": last[-1] if last else None,
            }
        after, digest = answer["position"], answer["hash"]


def _since(positions: list[int], since: str) -> int:
    if not positions:
        raise NotFound("there is no checkpoint of this log", remedy="leave --since-checkpoint out")
    if since == "last":
        return positions[-1]
    if not since.isdecimal() or int(since) not in positions:
        raise NotFound(f"no checkpoint was signed at position {since[:40]}", remedy=f"the last one is {positions[-1]}")
    return int(since)


async def _export(client: Client, file: IO[str], first: int | None, last: int | None) -> dict[str, Any]:
    """Page by page, up to what was the newest event at the beginning; what is archived is not asked for unnoticed."""
    count, digest, position, begins_after = 0, "", -1, 0
    after = (first or 1) - 1
    while last is None or position < last:
        arguments = {} if last is None or position < 0 else {"limit": min(5_000, last - position)}
        if position < 0 and last is not None:
            arguments = {"limit": max(1, min(5_000, last - after))}
        page = await client.call("export_log", after=after if position < 0 else position, **arguments)
        if position < 0:
            begins_after = page["after"]
            if first is not None and after < begins_after:
                message = f"the positions {first} to {begins_after} are in archives, and no longer in the database"
                raise Archived(
                    message, remedy=f"take them from their files, and the rest with --from {begins_after + 1}"
                )
            if last is not None and not page["after"] < last <= page["head"]:
                message = f"there are positions {page['after'] + 1} to {page['head']}, and the range ends at {last}"
                raise Invalid(message, remedy="ask for what is there; the rest is in archives, or not yet there")
            last = last or page["head"]
            file.write(page["header"] + "\n")
        lines = page["lines"][: last - page["after"]]
        file.writelines(line + "\n" for line in lines)
        count += len(lines)
        position, digest = page["position"], page["hash"]
        if not lines:
            break
    file.write(end_line(position=position, count=count, digest=bytes.fromhex(digest)) + "\n")
    archived = begins_after if first is None else 0
    return {"position": position, "count": count, "hash": digest, "archived": archived}


async def _deleted_logs(client: Client) -> set[str]:
    """The logs of boards that were deleted, whose checkpoints are still there; none for who may not know."""
    try:
        return {row["log"] for row in await client.call("list_deleted_boards")}
    except Denied:
        return set()


def _signed(
    invocation: Invocation, name: str, log: str, given: tuple[Path, ...], deleted: Collection[str]
) -> dict[int, bytes]:
    """The checkpoints of this log, their signatures checked."""
    from slateboard.log import checkpoints, signing

    home = invocation.home_folder()
    found = list(given) or checkpoints.files(home, name, log)
    if not found and any(path.name.split(".")[1] not in deleted for path in checkpoints.files(home, name)):
        message = f"the checkpoints of the board {name} in {home} are of another log: of another database"
        raise WrongLog(message, remedy="name the right home (--home), or check without them (--no-checkpoints)")
    if not found:
        return {}
    return checkpoints.hashes(checkpoints.read(found, signing.public_keys(home), log=log))


def _said(answer: Mapping[str, Any]) -> str:
    name, count = answer["board"], answer["count"]
    if not count:
        return f"the log of {name} is whole: there is nothing after position {answer['last']:,}"
    line = (
        f"the log of {name} is whole: {events_of(answer)}, positions {answer['first']:,} to {answer['last']:,},"
        f" hash {answer['hash']}"
    )
    if answer["first"] > 1 and "archives" in answer:
        archives = answer["archives"]
        line += "\n" + (
            f"{events_of(archives)} in the archives before them ({archives['files']:,}) are whole too"
            if archives
            else "the archives before them are not in this home: prove each with --file"
        )
    if answer["signed_up_to"] is None:
        return f"{line}\nit was compared with no signed checkpoint"
    fit = (
        "1 signed checkpoint fits"
        if answer["checkpoints"] == 1
        else f"{answer['checkpoints']:,} signed checkpoints fit"
    )
    return f"{line}\n{fit}, the last at position {answer['signed_up_to']:,}"


def events_of(answer: Mapping[str, Any]) -> str:
    """How many events it is about, in words."""
    return "1 event" if answer["count"] == 1 else f"{answer['count']:,} events"


@contextmanager
def _writing(path: Path | None) -> Generator[IO[str]]:
    """Standard output, or a file that appears whole or not at all."""
    if path is None:
        yield sys.stdout
        return
    fresh = path.with_name(f".{path.name}.part")
    opened: Any = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(fresh, "wt", encoding="utf-8", newline="\n") as file:
            yield file
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
