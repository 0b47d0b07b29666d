"""``Idempotency-Key``: a POST that creates, repeated because its answer got lost, creates nothing twice.

An entry is made before the work, and is the work's lock: whoever finds it running is told to wait. It is scoped to
the application, the route and the key; the body must be the same. Where the process died between the work and the
answer, nobody knows whether something was created. After ``TAKE_OVER_AFTER`` the next try does the work again, if
that harms nobody (``repeatable``): a user name cannot be taken twice, an approval not used twice, and a second pending
factor, authentication or link grants nothing. Otherwise the client is told to look first.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from msgspec.structs import replace

from nightlatch.app.context import Caller, Ports
from nightlatch.domain.crypto.fields import encode_fields
from nightlatch.domain.errors import Conflict, Invalid, Refusal, Unavailable
from nightlatch.domain.keys import answer_place
from nightlatch.domain.records import IdempotentAnswer
from nightlatch.domain.time import HOUR, SECOND
from nightlatch.ports.store import Change, Outcome

KEPT_FOR = 24 * HOUR
TAKE_OVER_AFTER = 60 * SECOND

_KEY = re.compile(r"[\x21-\x7e]{1,255}")


@dataclass(frozen=True, slots=True)
class Made:
    """What the work answered. ``secret``: the body holds something that is told once, and must not be kept."""

    status: int
    body: bytes
    created_id: str | None = None
    secret: bool = False


@dataclass(frozen=True, slots=True)
class Once:
    """One request as idempotency sees it. ``route`` is method and path, ``body`` the bytes as they came."""

    application_id: str
    route: str
    key: str
    body: bytes
    repeatable: bool = True

    @property
    def id(self) -> str:
        """The entry's id."""
        fields = encode_fields("idempotency", self.application_id, self.route, self.key)
        return f"idk_{hashlib.sha256(fields).hexdigest()}"


async def once(
    ports: Ports,
    caller: Caller,
    *,
    route: str,
    key: str | None,
    body: bytes,
    work: Callable[[], Awaitable[Made]],
    repeatable: bool = True,
) -> Made:
    """Do the work, or give the answer that was given to this key before.

    Without a key, or without an application whose key it could be, the work is simply done. A refusal is not kept:
    nothing was created, and the next try is judged anew. Raises ``Invalid`` ``idempotency_mismatch`` for another body,
    and ``Conflict``: ``idempotency_running``, ``idempotency_interrupted``, or ``already_created`` with ``id`` where the
    answer held a secret.
    """
    if key is None or caller.application is None:
        return await work()
    if not _KEY.fullmatch(key):
        raise Invalid("An Idempotency-Key is 1 to 255 printable ASCII characters.", code="invalid_idempotency_key")
    request = Once(caller.application.id, route, key, body, repeatable)
    started = await _begin(ports, request)
    if isinstance(started, Made):
        return started
    entry, version = started
    try:
        made = await work()
    except Unavailable:
        # Perhaps it was created, perhaps not: the entry goes on running, so that nobody tries again at once.
        raise
    except Refusal:
        await _store(ports, replace(entry, expires_at=entry.created_at), version)
        raise
    await _store(ports, _finished(ports, entry, made), version)
    return made


async def _begin(ports: Ports, request: Once) -> Made | tuple[IdempotentAnswer, int]:
    """The kept answer, or the entry that now runs for us with its root's version."""
    now = ports.clock.now()
    body_hash = hashlib.sha256(request.body).digest()
    found = await ports.catalog.idempotent_answer(request.id)
    version = found[1] if found else 0
    if found and now < found[0].expires_at:
        answer = _answered(ports, found[0], request, body_hash, now)
        if answer is not None:
            return answer
    entry = IdempotentAnswer(id=request.id, body_hash=body_hash, created_at=now, expires_at=now + KEPT_FOR)
    if await ports.store.commit(Change(root=entry.id, expected=version, puts=(entry,))) is not Outcome.APPLIED:
        raise _running()
    return entry, version + 1


def _answered(ports: Ports, entry: IdempotentAnswer, request: Once, body_hash: bytes, now: int) -> Made | None:
    """The kept answer; None where the work may be done, by whom it is asked now."""
    if entry.body_hash != body_hash:
        raise Invalid("This Idempotency-Key came with another body before.", code="idempotency_mismatch")
    if entry.status == 0:
        if now - entry.created_at < TAKE_OVER_AFTER:
            raise _running()
        if request.repeatable:
            return None
        raise Conflict(
            "The first request with this Idempotency-Key ended without an answer. Look whether it created what you "
            "wanted, then use a new key.",
            code="idempotency_interrupted",
        )
    if entry.sealed is None:
        raise Conflict(
            "This was created by an earlier request, whose answer held a secret and is told once.",
            code="already_created",
            extra={"id": entry.created_id} if entry.created_id else {},
        )
    return Made(entry.status, ports.sealer.open(entry.sealed, answer_place(entry)), entry.created_id)


def _finished(ports: Ports, entry: IdempotentAnswer, made: Made) -> IdempotentAnswer:
    done = replace(entry, status=made.status, created_id=made.created_id)
    if made.secret:
        return done
    return replace(done, sealed=ports.sealer.seal(made.body, answer_place(done)))


async def _store(ports: Ports, entry: IdempotentAnswer, version: int) -> None:
    """Store what became of the work. If that fails, or somebody took over, the work is done all the same."""
    try:
        await ports.store.commit(Change(root=entry.id, expected=version, puts=(entry,)))
    except Unavailable:
        return


def _running() -> Conflict:
    return Conflict(
        "The first request with this Idempotency-Key still runs. Try again in a moment.",
        code="idempotency_running",
        retry_after=1,
    )
