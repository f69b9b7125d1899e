"""notary: signs what is handed out. Its key has expired, and it may not make itself another one."""

from __future__ import annotations

import hashlib
import hmac

from agents import LEASE_SECONDS, out
from slateboard import LogicFailure, Result, Work, Worker

worker = Worker(agent="notary", lease_seconds=LEASE_SECONDS)


@worker.artifact("signature")
def sign(work: Work) -> Result:
    """A keyed hash of the name of what is signed."""
    key = out("key")
    if not key.exists():
        raise LogicFailure("the signing key of 2026 has expired, and only a person may renew it")
    digest = hmac.new(key.read_bytes(), work.reference.encode(), hashlib.sha256).hexdigest()
    path = out("signature.txt")
    path.write_text(f"{digest}\n", encoding="utf-8")
    return Result(path=str(path), summary=f"signed with the key of {key.read_text(encoding='utf-8').strip()}")
