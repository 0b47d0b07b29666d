"""Why it was decided so, as the demo shows it: from the API's answers alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from nightlatch.web.pages.demo.bank import Session

_DECISIONS = {
    "allow": ("Let in at once", "Policy asked for nothing more."),
    "challenge": ("Asked for a code", "Policy wanted a second lock for this."),
    "enroll": ("Asked to set up a second lock", "Policy wants one, and there is none yet."),
    "deny": ("Refused", "Policy lets nobody in like this."),
}

_ENDS = {
    "cancelled": "They cancelled.",
    "too_many_wrong_answers": "Five wrong codes: this attempt is over.",
    "denied": "It was refused.",
    "expired": "Time ran out.",
}

TOLD = ("acr", "amr", "sub", "preferred_username", "aud", "action", "action_hash", "txn", "auth_time", "exp")
"""The claims that an application looks at, in the order in which it does."""


@dataclass(frozen=True, slots=True)
class Why:
    """One attempt, explained. ``claims`` is empty where nothing was asserted."""

    heading: str
    summary: str
    decision: str
    required: str
    action: str
    reasons: list[dict[str, Any]]
    end: str | None
    claims: list[tuple[str, str]]
    answer: str


def why_of(session: Session) -> Why | None:
    """The last attempt in this browser; None before the first."""
    attempt = session.attempt
    if attempt is None:
        return None
    heading, summary = _DECISIONS.get(attempt.decision, (attempt.decision, ""))
    claims = session.asserted.claims if session.asserted else {}
    return Why(
        heading=heading,
        summary=summary,
        decision=attempt.decision,
        required=str(attempt.answer.get("acr_required", "")),
        action=session.action,
        reasons=attempt.reasons,
        end=end_of(session),
        claims=[(name, _plain(claims[name])) for name in TOLD if name in claims],
        answer=_answer(attempt.answer),
    )


def end_of(session: Session) -> str | None:
    """How the last attempt in this browser ended; None while it is open, and where nothing was asked."""
    if session.refused:
        return _ENDS.get(session.refused, session.refused)
    if session.asserted is None or session.attempt is None or session.attempt.decision == "allow":
        return None
    skipped = session.asserted.acr == "aal1"
    return "They put it off." if skipped else "They proved it."


def _answer(answer: dict[str, Any]) -> str:
    """The API's answer as it came, without what is told once."""
    shown = {name: value for name, value in answer.items() if name not in ("prompt_url", "assertion", "device_token")}
    return msgspec.json.format(msgspec.json.encode(shown), indent=2).decode()


def _plain(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
