"""Applications as the wire shows them. No key is in here: only its hash is kept."""

from __future__ import annotations

from nightlatch.app.messages import ApplicationAnswer
from nightlatch.app.times import optional_moment
from nightlatch.domain.records import ApiKey
from nightlatch.domain.time import moment
from nightlatch.ports.catalog import KeptApplication


def application_answer(kept: KeptApplication) -> ApplicationAnswer:
    """An application with the scopes of its key."""
    application = kept.application
    return ApplicationAnswer(
        id=application.id,
        name=application.name,
        scopes=list(scopes_of(kept.keys)),
        return_urls=list(application.return_urls),
        first_factor=application.first_factor,
        created_at=moment(application.created_at),
        revoked_at=optional_moment(application.revoked_at),
    )


def scopes_of(keys: tuple[ApiKey, ...]) -> tuple[str, ...]:
    """The scopes of the key in force, or of the last one that was."""
    if not keys:
        return ()
    return max(keys, key=lambda key: (key.revoked_at is None, key.created_at)).scopes
