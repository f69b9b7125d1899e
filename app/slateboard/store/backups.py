"""Backups of one database into one file, and back.

A backup is a consistent snapshot in `pg_dump`'s custom format; the file appears whole, readable by its owner only, or
not at all. A restore is one transaction: into an empty database, or (`replace`) into a fresh one that then takes the
old one's name in one step, so a restore that fails leaves everything as it was. Roles, and settings or privileges of
the database itself, are not part of a backup.
"""

from __future__ import annotations

import io
import os
import secrets
import subprocess
import tempfile
from pathlib import Path
from typing import IO

from slateboard.protocol.errors import Conflict, DatabaseUnreachable, Invalid, ServerProblem, SlateError
from slateboard.store.binaries import client_command, find, problem, problem_from_os, query, with_database
from slateboard.store.run_file import read_run_file, sync_folder

LOCK_WAIT_SECONDS = 60
SWAP_ATTEMPTS = 5

_MARK = "made by `slate restore`"
_CHUNK_BYTES = 1 << 20
# pg_restore 18 writes this for every server, and servers before 17 do not know it.
_NEW_SETTING = b"SET transaction_timeout = 0;\n"

_COUNT = """\
SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
  AND NOT EXISTS (
    SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.classid = 'pg_class'::regclass AND d.deptype = 'e');
"""


def backup(source: Path | str, file: Path) -> int:
    """Write a backup of the database (a home whose server runs, or the owner's URL) and return its size in bytes.

    A file of that name is replaced. Raises `ServerProblem` with what `pg_dump` said, `DatabaseFull` when the disk
    is, `DatabaseUnreachable` when no server runs for that home.
    """
    url = _owner_url(source)
    fresh = file.with_name(f".{file.name}.{secrets.token_hex(4)}.part")
    options = ("--format=custom", f"--lock-wait-timeout={LOCK_WAIT_SECONDS}s", f"--file={fresh}")
    command, environment = client_command("pg_dump", url, *options)
    try:
        os.close(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False, env=environment)
        if done.returncode != 0:
            raise problem("the backup failed, and nothing was written", done.stderr)
        size = fresh.stat().st_size
        fresh.replace(file)
        sync_folder(file.parent)
    except OSError as error:
        raise problem_from_os(f"the backup cannot be written to {file}", error) from error
    finally:
        fresh.unlink(missing_ok=True)
    return size


def restore(file: Path, target: Path | str, *, replace: bool = False, afterwards: str = "") -> None:
    """Load a backup into the database (a home whose server runs, or the owner's URL), all of it or nothing.

    Raises `Invalid` if the file is no backup, `Conflict` if the database holds anything and `replace` is not set,
    `ServerProblem` with what PostgreSQL said. `replace` ends all other sessions of the database; its role must be
    allowed to create databases. `afterwards` is SQL that is run in the transaction of the restore, at its end.
    """
    url = _owner_url(target)
    _check_archive(file)
    if not replace:
        held = int(query(url, _COUNT, what="looking at the database")[0])
        if held:
            message = f"the database is not empty: it holds {held} tables, views and sequences"
            raise Conflict(message, remedy="restore with `--replace`, or into an empty database", held=held)
        _load(file, url, afterwards)
        return
    name = query(url, "SELECT current_database();", what="looking at the database")[0]
    fresh = f"{name}_new"
    maintenance = with_database(url, "postgres")
    _create_fresh(url, maintenance, fresh)
    try:
        _load(file, with_database(url, fresh), afterwards)
        _swap(maintenance, name, fresh)
    except BaseException:
        query(maintenance, f"DROP DATABASE IF EXISTS {_quoted(fresh)} WITH (FORCE);", what="removing what was restored")
        raise


def _owner_url(source: Path | str) -> str:
    if isinstance(source, str):
        return source
    run = read_run_file(source)
    if run is None:
        message = f"no embedded Postgres is running for {source}"
        raise DatabaseUnreachable(message, remedy="start it with `slate up`")
    return run.owner_url


def _check_archive(file: Path) -> None:
    command = [str(find() / "pg_restore"), "--list", str(file.absolute())]
    done = subprocess.run(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace", check=False
    )
    if done.returncode != 0:
        message = f"{file} cannot be read as a backup: {done.stderr.strip()}"
        raise Invalid(message, remedy="give a file that `slate backup` wrote")


def _load(file: Path, url: str, afterwards: str) -> None:
    """Run the archive's statements in one transaction: `pg_restore` writes them, `psql` executes them."""
    options = ("--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--single-transaction", "--output=/dev/null")
    command, environment = client_command("psql", url, *options, "--file=-")
    reader = [str(find() / "pg_restore"), "--no-owner", "--file=-", str(file.absolute())]
    with tempfile.TemporaryFile() as reader_said, tempfile.TemporaryFile() as writer_said:
        with (
            subprocess.Popen(reader, stdout=subprocess.PIPE, stderr=reader_said) as statements,
            subprocess.Popen(command, stdin=subprocess.PIPE, stderr=writer_said, env=environment) as session,
        ):
            try:
                taken = _pipe(_opened(statements.stdout), _opened(session.stdin))
                if not taken:
                    statements.kill()
                whole = statements.wait() == 0
                if taken and whole:
                    taken = _pipe(io.BytesIO(afterwards.encode()), _opened(session.stdin))
                # The end of its input makes psql commit, so it sees that end only after a whole archive.
                if taken and not whole:
                    session.kill()
            except BaseException:
                statements.kill()
                session.kill()
                raise
        if session.returncode == 0 and whole:
            return
        raise _failure(writer_said if not taken or whole else reader_said)


def _opened(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        message = "a pipe was asked for"
        raise ServerProblem(message)
    return stream


def _failure(said: IO[bytes]) -> SlateError:
    said.seek(0)
    return problem("the restore failed, and nothing was changed", said.read().decode(errors="replace"))


def _pipe(source: IO[bytes], sink: IO[bytes]) -> bool:
    """Copy the statements, without the setting that old servers do not know; False if the reader of them is gone."""
    try:
        for line in source:
            sink.write(b"\n" if line == _NEW_SETTING else line)
            if line == _NEW_SETTING:
                break
        while chunk := source.read(_CHUNK_BYTES):
            sink.write(chunk)
        sink.flush()
    except BrokenPipeError:
        return False
    return True


def _create_fresh(url: str, maintenance: str, fresh: str) -> None:
    what = "making a fresh database for the restore"
    described = f"SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = {_literal(fresh)};"
    # No row, or an empty line that query leaves out, or the mark; only the count tells the first two apart.
    there = query(maintenance, f"SELECT count(*) FROM pg_database WHERE datname = {_literal(fresh)};", what=what)
    if there != ["0"]:
        if query(maintenance, described, what=what) != [_MARK]:
            message = f"a database named {fresh} is there already, and no restore is known to have made it"
            raise Conflict(message, remedy=f"if nobody needs it: DROP DATABASE {_quoted(fresh)}")
        query(maintenance, f"DROP DATABASE {_quoted(fresh)} WITH (FORCE);", what=what)
    locale = (
        "SELECT quote_literal(datcollate), quote_literal(datctype) FROM pg_database WHERE datname = current_database();"
    )
    collate, ctype = query(url, locale, what=what)[0].split("|")
    options = f"TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE {collate} LC_CTYPE {ctype}"
    query(maintenance, f"CREATE DATABASE {_quoted(fresh)} {options};", what=what)
    query(maintenance, f"COMMENT ON DATABASE {_quoted(fresh)} IS {_literal(_MARK)};", what=what)


def _swap(maintenance: str, name: str, fresh: str) -> None:
    """Give the fresh database the old one's name, in one transaction, and drop the old one.

    Renaming waits a few seconds for other sessions to leave and keeps new ones out meanwhile; one that came in
    between the ending of the sessions and the renaming makes it fail, so it is tried a few times. Autovacuum leaves
    by itself when a database is renamed; only a superuser might end it.
    """
    old = f"{name}_old_{secrets.token_hex(4)}"
    statements = f"""\
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname IN ({_literal(name)}, {_literal(fresh)}) AND pid <> pg_backend_pid() AND backend_type = 'client backend';
BEGIN;
ALTER DATABASE {_quoted(name)} RENAME TO {_quoted(old)};
ALTER DATABASE {_quoted(fresh)} RENAME TO {_quoted(name)};
COMMENT ON DATABASE {_quoted(name)} IS NULL;
COMMIT;
"""
    for attempt in range(1, SWAP_ATTEMPTS + 1):
        try:
            query(maintenance, statements, what="putting the restored database in place")
            break
        except ServerProblem as error:
            if attempt == SWAP_ATTEMPTS or "is being accessed by other users" not in error.message:
                raise
    query(maintenance, f"DROP DATABASE {_quoted(old)} WITH (FORCE);", what=f"the restore is done; dropping {old}")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
