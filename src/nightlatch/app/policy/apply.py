"""Put a policy document in force. A bad one never replaces a good one."""

from __future__ import annotations

from nightlatch.app.context import Caller, Ports
from nightlatch.app.events import make_event
from nightlatch.app.messages import PolicyAnswer
from nightlatch.app.policy.check import read_document
from nightlatch.app.policy.read import policy_answer
from nightlatch.domain.errors import PreconditionFailed
from nightlatch.domain.policy.compare import weakens
from nightlatch.domain.policy.defaults import DEFAULT_TEXT, DEFAULT_VERSION
from nightlatch.domain.policy.loader import load
from nightlatch.domain.records import POLICY_ROOT, PolicyVersion
from nightlatch.ports.store import Change, Outcome


async def apply_policy(ports: Ports, caller: Caller, text: str, expected_version: int | None) -> PolicyAnswer:
    """Apply a document as the next version.

    ``expected_version`` is the one that its author read (``If-Match``); None, from the command line, is whichever is in
    force now. Raises ``Invalid`` with every problem and ``PreconditionFailed`` when another was applied meanwhile. The
    answer and the event list what is weaker than before.
    """
    document = await read_document(ports, text)
    newest = await ports.catalog.policy()
    current = newest.version if newest else DEFAULT_VERSION
    if expected_version is not None and expected_version != current:
        raise PreconditionFailed
    now = ports.clock.now()
    weaker = tuple(weakens(load(newest.text if newest else DEFAULT_TEXT), document))
    version = PolicyVersion(version=current + 1, text=text, actor=caller.actor, created_at=now)
    event = make_event(
        ports,
        caller,
        now,
        "policy:applied",
        data={"version": version.version, "replaces": current, "weakens": list(weaker)},
    )
    change = Change(root=POLICY_ROOT, expected=current, new=(version,), events=(event,), shared=True)
    if await ports.store.commit(change) is not Outcome.APPLIED:
        raise PreconditionFailed
    return policy_answer(version, weaker)
