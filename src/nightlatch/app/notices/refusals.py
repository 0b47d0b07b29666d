"""The password was right, the second factor was not: somebody may know the password, and its owner is told (N2).

At most once an hour: whoever knows the password could otherwise fill a mailbox. What was told is noted after the commit,
so that a lost race, or a process that dies, tells twice rather than never.
"""

from __future__ import annotations

from nightlatch.app.context import Ports
from nightlatch.app.judging import Judged
from nightlatch.app.notices.notices import told, verified
from nightlatch.domain.agents import browser_words
from nightlatch.domain.mail.letters import Notice, Subject
from nightlatch.domain.records import Authentication, AuthenticationStatus, Record, User
from nightlatch.domain.time import HOUR


async def sign_in_refused(
    ports: Ports, user: User | None, settled: Authentication, judged: Judged, now: int
) -> tuple[Record, ...]:
    """The mails for one wrong answer; none where no password came before it, or within an hour of the last.

    None either where no code could have been right: who has no factor must cost what nobody costs (H6), and is told
    when one is set up.
    """
    if ports.mailing is None or user is None or not judged.answerable or not verified(user):
        return ()
    if not judged.counted or settled.status is AuthenticationStatus.APPROVED or settled.first_factor != "pwd":
        return ()
    if await ports.ephemeral.increment(_key(user.id), by=0, ttl=HOUR):
        return ()
    application = await ports.catalog.application(settled.application_id)
    about = Subject(
        notice=Notice.REFUSED,
        at=now,
        app=application.application.name if application else None,
        browser=browser_words(settled.user_agent) if settled.user_agent else None,
    )
    return told(ports, user, about, now, event=settled.id)


async def note_refused(ports: Ports, user: User | None, told_of: bool) -> None:
    """Once those mails are stored: none more for this hour."""
    if told_of and user is not None:
        await ports.ephemeral.increment(_key(user.id), ttl=HOUR)


def _key(user_id: str) -> str:
    return f"notice:refused:{user_id}"
