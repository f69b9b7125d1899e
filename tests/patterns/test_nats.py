"""Subjects and patterns fit each other exactly as in NATS: thousands of generated pairs, asked of a real server."""

from __future__ import annotations

import asyncio
import random
import re
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from slateboard.protocol.errors import BadSubject
from slateboard.protocol.subjects import check_subject, expression

PAIRS = 80
SECONDS = 20.0
LISTENING = re.compile(rb"Listening for client connections on 127\.0\.0\.1:(\d+)")
TOKENS = ("a", "b", "ab", "A", "a*", "*a", "a>", ">>", "**", "é", "a+b", "[a]", "$x", "a-b_c", "0")


def program() -> str | None:
    """The server's program, from the environment of these tests or the path."""
    beside = Path(sys.executable).with_name("nats-server")
    return str(beside) if beside.exists() else shutil.which("nats-server")


@pytest_asyncio.fixture
async def port(tmp_path: Path) -> AsyncIterator[int]:
    """A NATS server of this test's own, on a port that it chose."""
    path = program()
    if path is None:
        pytest.skip("nats-server is not installed")
    log = tmp_path / "nats.log"
    process = await asyncio.create_subprocess_exec(
        path, "-a", "127.0.0.1", "-p", "-1", stderr=asyncio.subprocess.PIPE, cwd=log.parent
    )
    assert process.stderr is not None
    try:
        async with asyncio.timeout(SECONDS):
            while not (found := LISTENING.search(await process.stderr.readline())):
                assert process.returncode is None
            while b"Server is ready" not in await process.stderr.readline():
                assert process.returncode is None
        drained = asyncio.create_task(process.stderr.read())
        yield int(found[1])
    finally:
        process.terminate()
        await process.wait()
    await drained


async def fits_in_nats(port: int, patterns: list[str], subjects: list[str]) -> set[tuple[int, int]]:
    """Which pattern gets which subject, by their numbers: each subscribed to, each published once."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    lines = ['CONNECT {"verbose":false}']
    lines += [f"SUB {pattern} {number}" for number, pattern in enumerate(patterns)]
    for number, subject in enumerate(subjects):
        lines += [f"PUB {subject} {len(str(number))}", str(number)]
    writer.write("".join(line + "\r\n" for line in [*lines, "PING"]).encode())
    found: set[tuple[int, int]] = set()
    async with asyncio.timeout(SECONDS):
        while (line := await reader.readline()) != b"PONG\r\n":
            assert line, "the server closed the connection"
            assert not line.startswith(b"-ERR"), line
            if line.startswith(b"MSG"):
                found.add((int(line.split()[-2]), int(await reader.readline())))
    writer.close()
    await writer.wait_closed()
    return found


def some(chance: random.Random, *, pattern: bool) -> str:
    """A subject, or a pattern, of a few tokens that are alike enough to meet."""
    tokens = [chance.choice(TOKENS[: chance.choice((2, 3, len(TOKENS)))]) for _ in range(chance.randint(1, 4))]
    if pattern:
        tokens = [chance.choice((token, token, "*")) for token in tokens]
        if chance.random() < 0.4:
            tokens[-1] = ">"
    return ".".join(tokens)


@pytest.mark.parametrize("seed", range(3))
async def test_generated_pairs_fit_as_a_real_server_says(port: int, seed: int) -> None:
    chance = random.Random(seed)
    patterns = sorted({some(chance, pattern=True) for _ in range(PAIRS)})
    subjects = sorted({some(chance, pattern=False) for _ in range(PAIRS)})
    ours = {
        (one, other)
        for one, pattern in enumerate(patterns)
        for other, subject in enumerate(subjects)
        if re.search(expression(pattern), subject)
    }
    theirs = await fits_in_nats(port, patterns, subjects)
    assert ours == theirs
    assert len(patterns) * len(subjects) > 2_000
    assert 100 < len(ours) < len(patterns) * len(subjects) / 2


@pytest.mark.parametrize("subject", ["", ".", "a.", ".a", "a..b", "a b", "a\tb", "*", "a.*", ">", "a.>", "a." * 200])
def test_malformed_subject_is_refused(subject: str) -> None:
    with pytest.raises(BadSubject):
        check_subject(subject)
