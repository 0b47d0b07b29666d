"""Read the policy: the one in force, and those before it."""

from __future__ import annotations

from nightlatch.app.context import Caller, Ports
from nightlatch.app.messages import Page, PolicyAnswer
from nightlatch.app.paging import checked_limit
from nightlatch.domain.errors import Invalid, NotFound
from nightlatch.domain.policy.defaults import DEFAULT_TEXT, DEFAULT_VERSION
from nightlatch.domain.records import PolicyVersion
from nightlatch.domain.time import moment

_LONGEST_CURSOR = 9


async def read_policy(ports: Ports, _caller: Caller, version: int | None = None) -> PolicyAnswer:
    """A version of the policy, or the one in force; version 0 is the built-in default. Raises ``NotFound``."""
    if version == DEFAULT_VERSION:
        return policy_answer(None)
    kept = await ports.catalog.policy(version)
    if kept is None and version is not None:
        raise NotFound("There is no such version of the policy.")
    return policy_answer(kept)


async def list_policy_versions(
    ports: Ports, _caller: Caller, cursor: str | None = None, limit: int = 50
) -> Page[PolicyAnswer]:
    """The versions that were applied, newest first; the cursor is the last version. Raises ``Invalid``."""
    limit = checked_limit(limit)
    versions = await ports.catalog.policy_versions(before=_before(cursor), limit=limit + 1)
    page = versions[:limit]
    return Page(
        data=[policy_answer(kept) for kept in page],
        next_cursor=str(page[-1].version) if len(versions) > limit else None,
    )


def policy_answer(kept: PolicyVersion | None, weakens: tuple[str, ...] = ()) -> PolicyAnswer:
    """A version as the wire shows it; None is the built-in default."""
    if kept is None:
        return PolicyAnswer(version=DEFAULT_VERSION, document=DEFAULT_TEXT, created_at=None, actor=None)
    return PolicyAnswer(
        version=kept.version,
        document=kept.text,
        created_at=moment(kept.created_at),
        actor=kept.actor,
        weakens=list(weakens),
    )


def _before(cursor: str | None) -> int | None:
    if cursor is None:
        return None
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= _LONGEST_CURSOR):
        raise Invalid.field("/cursor", "invalid_cursor", "Pass next_cursor of the page before, as it is.")
    return int(cursor)
