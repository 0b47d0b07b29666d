"""What waits for a phone, for the phone to fetch: pushes may be late, or not possible at all."""

from __future__ import annotations

from nightlatch.app.context import Ports
from nightlatch.app.networks import network_of
from nightlatch.app.push.caller import Paired, Phone, paired_phone, phone_key
from nightlatch.app.push.messages import AskingApplication, PushChallenge, PushChallenges, SignInPlace
from nightlatch.app.push.nobody import PhoneStore
from nightlatch.app.waiting import look_until
from nightlatch.domain.agents import browser_words
from nightlatch.domain.factors.push import is_open
from nightlatch.domain.records import Challenge
from nightlatch.domain.time import SECOND, moment
from nightlatch.ports.store import Snapshot, UserKey

LONGEST_WAIT = 30 * SECOND


async def list_challenges(ports: Ports, phone: Phone, *, wait: int = 0) -> PushChallenges:
    """What waits for this phone now, or as soon as there is something within ``wait`` µs. Raises ``NotPaired``."""
    found = await _open(ports, phone, phone.seen or await _paired(ports, phone))
    if not found and wait > 0:
        key = phone_key(phone.factor_id)
        found = await look_until(ports, key, lambda: _look(ports, phone), bool, wait=min(wait, LONGEST_WAIT))
    return PushChallenges(challenges=found)


async def _look(ports: Ports, phone: Phone) -> list[PushChallenge]:
    return await _open(ports, phone, await _paired(ports, phone))


async def _paired(ports: Ports, phone: Phone) -> Paired:
    snapshot = await PhoneStore(ports).load(UserKey(factor=phone.factor_id))
    return paired_phone(ports, snapshot, phone.factor_id, _now(ports))


async def _open(ports: Ports, phone: Phone, paired: Paired) -> list[PushChallenge]:
    pending = paired.state.pending
    if pending is None or _now(ports) >= pending.expires_at:
        return []
    snapshot = await PhoneStore(ports).load(UserKey(factor=phone.factor_id, challenge=pending.challenge))
    # What was read first may have changed meanwhile; the second reading decides.
    paired = paired_phone(ports, snapshot, phone.factor_id, _now(ports))
    return [
        await _shown(ports, snapshot, paired, challenge)
        for challenge in snapshot.challenges
        if challenge.factor_id == phone.factor_id and is_open(paired.state, challenge.id, _now(ports))
    ]


async def _shown(ports: Ports, snapshot: Snapshot, paired: Paired, challenge: Challenge) -> PushChallenge:
    asked, attempt = challenge.data, snapshot.authentication
    details = {"action_details": attempt.action_details} if attempt and attempt.action_details is not None else {}
    return PushChallenge(
        id=challenge.id,
        nonce=asked["nonce"],
        factor=paired.factor.id,
        application=await _application(ports, asked["application"]),
        action=asked["action"],
        action_hash=asked["action_hash"],
        place=SignInPlace(network=network_of(attempt.ip)) if attempt else None,
        user_agent=browser_words(attempt.user_agent) if attempt else None,
        created_at=moment(challenge.created_at),
        expires_at=moment(challenge.expires_at),
        **details,
    )


async def _application(ports: Ports, application_id: str | None) -> AskingApplication | None:
    kept = await ports.catalog.application(application_id) if application_id else None
    return AskingApplication(id=kept.application.id, name=kept.application.name) if kept else None


def _now(ports: Ports) -> int:
    return ports.clock.now()
