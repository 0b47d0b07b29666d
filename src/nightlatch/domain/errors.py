"""Why something was refused. Each refusal names a stable code; no caller reads its prose."""

from __future__ import annotations

import msgspec


class FieldProblem(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is wrong with one field: a JSON pointer (RFC 6901), a code, a sentence."""

    pointer: str
    code: str
    detail: str
    nearest: str | None = None


class Refusal(Exception):
    """A request that cannot be done; ``code`` is stable, ``detail`` says how to mend it."""

    code = "refused"
    detail = "The request was refused."

    def __init__(
        self,
        detail: str | None = None,
        *,
        code: str | None = None,
        fields: tuple[FieldProblem, ...] = (),
        retry_after: int | None = None,
        extra: dict[str, str] | None = None,
    ) -> None:
        self.code = code or type(self).code
        self.detail = detail or type(self).detail
        self.fields = fields
        self.retry_after = retry_after
        self.extra = extra or {}
        super().__init__(f"{self.code}: {self.detail}")


class Invalid(Refusal):
    """The request was understood and some of its fields cannot be accepted (422)."""

    code = "invalid_request"
    detail = "Some fields are not valid."

    @classmethod
    def field(cls, pointer: str, code: str, detail: str, nearest: str | None = None) -> Invalid:
        """A refusal that names one field."""
        return cls(fields=(FieldProblem(pointer, code, detail, nearest),))


class NotFound(Refusal):
    """No such thing, or not one that the caller may see (404)."""

    code = "not_found"
    detail = "There is no such thing here."


class Conflict(Refusal):
    """The thing is not in the state that this needs (409)."""

    code = "conflict"
    detail = "This was changed meanwhile. Read it again and repeat."


class Forbidden(Refusal):
    """The caller is known and may not do this (403)."""

    code = "forbidden"
    detail = "This key may not do that."


class Unauthenticated(Refusal):
    """No good key or session (401)."""

    code = "unauthenticated"
    detail = "Send a valid API key: Authorization: Bearer nlk_…"


class StepUpRequired(Forbidden):
    """A change of factors without its owner's fresh approval (B1, E4)."""

    code = "step_up_required"
    detail = (
        "This person has an active factor. Let them approve action manage_factors first "
        "and pass that authentication's id as approval."
    )


class PreconditionFailed(Refusal):
    """``If-Match`` names another version (412)."""

    code = "version_mismatch"
    detail = "The document was changed meanwhile. Read it again and repeat with its ETag."


class Throttled(Refusal):
    """Too many tries; ``retry_after`` says in whole seconds when the next is judged (429)."""

    code = "throttled"
    detail = "Too many tries. Wait and try again."


class Unavailable(Refusal):
    """A part that this needs does not answer (503). Never taken for a yes."""

    code = "unavailable"
    detail = "A part that this needs does not answer. Nothing was approved. Try again."


class TextsUnavailable(Unavailable):
    """No gateway takes texts (503)."""

    code = "sms_unavailable"
    detail = "No text can be sent here now. Offer the person another way."


class TextsPaused(Throttled):
    """A cap is used up, or nothing is sent to this range of numbers for a while (429)."""

    code = "sms_paused"
    detail = "No text is sent to this number for now. Offer the person another way."


class TextVetoed(Conflict):
    """Who was asked before sending objects to it, or did not answer (409)."""

    code = "sms_vetoed"
    detail = "No text is sent to this number. Offer the person another way."


class Unreadable(Unavailable):
    """What was kept for this was changed or moved in the database, and does not open (503)."""

    code = "unreadable"
    detail = "Something that was kept for this was changed in the database and does not open. Nothing was approved."
