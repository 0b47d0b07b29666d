"""Every error code that an answer can carry, what it means and how to mend it.

The page of a code (``type`` of a problem document) and the reference of errors are made of this.
"""

from __future__ import annotations

from typing import NamedTuple


class ErrorCode(NamedTuple):
    """One code: its HTTP status, its title, and what to do about it."""

    status: int
    title: str
    remedy: str


ERROR_CODES: dict[str, ErrorCode] = {
    "malformed": ErrorCode(
        400, "The request cannot be read", "Send valid UTF-8, and a path and headers as HTTP defines them."
    ),
    "malformed_json": ErrorCode(
        400,
        "The body is not valid JSON",
        "Let a JSON library write the body. It must be complete, UTF-8, without NaN, and not nested very deeply.",
    ),
    "malformed_query": ErrorCode(
        400, "The query string cannot be read", "Percent-encode parameters as UTF-8, and send at most 32 of them."
    ),
    "unauthenticated": ErrorCode(
        401,
        "No valid API key",
        "Send the header `Authorization: Bearer nlk_…` with a key that was not revoked. "
        "`nightlatch app list` shows the applications, `nightlatch app rotate` makes a new key.",
    ),
    "phone_not_paired": ErrorCode(
        401,
        "No paired phone signed this",
        "The factor was removed, its owner may not sign in, or the request was not signed as the push protocol says, "
        "within a minute, once. A phone that lost its account pairs anew.",
    ),
    "forbidden": ErrorCode(403, "This is not allowed", "The caller is known and may not do this. `detail` says why."),
    "missing_scope": ErrorCode(
        403,
        "The key lacks a scope",
        "`scope` names the one that this call needs. Make an application with it: `nightlatch app create NAME --scope …`.",
    ),
    "step_up_required": ErrorCode(
        403,
        "The person must approve this first",
        "A key alone never changes how somebody signs in. Start an authentication for action `manage_factors`, let the "
        "person approve it with the strongest factor they have, and pass its id as `approval` within five minutes. "
        "An approval works once; one that was given in the hosted prompt works once its result was fetched.",
    ),
    "not_found": ErrorCode(
        404,
        "There is no such thing here",
        "Check the id and the path. What another application made is not shown, so it looks the same.",
    ),
    "method_not_allowed": ErrorCode(405, "This method does nothing here", "The header `Allow` lists those that do."),
    "not_acceptable": ErrorCode(406, "No acceptable type", "`detail` lists the types that are offered for `Accept`."),
    "body_too_slow": ErrorCode(408, "The body did not arrive in time", "Send the request again, all at once."),
    "conflict": ErrorCode(
        409,
        "The thing is not in the state that this needs",
        "It was decided, ended or changed meanwhile. Read it again, and repeat only what still makes sense.",
    ),
    "username_taken": ErrorCode(
        409,
        "The user name is taken",
        "User names are never given out twice, not even after deletion, so that nobody inherits another's access.",
    ),
    "user_disabled": ErrorCode(409, "The user is disabled", "Set `status` to `active` first."),
    "already_active": ErrorCode(409, "The factor is active already", "There is nothing left to do."),
    "enrollment_expired": ErrorCode(
        409, "The time to activate this factor is over", "A pending factor dies after ten minutes. Begin a new one."
    ),
    "confirmation_required": ErrorCode(
        409,
        "The first factor needs a confirmation",
        "The policy in force wants a first factor to be confirmed, which an API call cannot do.",
    ),
    "secret_in_use": ErrorCode(
        409, "Another factor has this secret", "Import each secret once, or let Nightlatch make it."
    ),
    "too_many_factors": ErrorCode(409, "The user has too many factors", "Remove one that is not used any more."),
    "too_many_pending_factors": ErrorCode(
        409, "Too many factors wait for their first code", "Activate one of them, or wait until they expire."
    ),
    "no_active_factor": ErrorCode(
        409, "Backup codes need a factor beside them", "Activate a factor; the answer to the first brings the codes."
    ),
    "pairing_unfinished": ErrorCode(
        409,
        "The phone did not answer yet",
        "Wait until `pairing` of the factor is `answered`: the person types the number beside the picture on the phone.",
    ),
    "pairing_failed": ErrorCode(
        409, "The pairing is over", "Another number was typed on the phone, or its owner said no. Begin a new factor."
    ),
    "push_locked": ErrorCode(
        409,
        "This person's phone is not asked now",
        "Its owner said no to a sign-in, or that it was not them. It is asked again once they prove another factor: "
        "offer them another way.",
    ),
    "kind_not_allowed": ErrorCode(409, "The policy does not allow this", "Ask who keeps the policy, or use another."),
    "sms_needs_alternative": ErrorCode(
        409,
        "Texts are allowed only beside something better",
        "The policy in force has `factors: {sms: {only_with_alternative: true}}`. Let the person set up an authenticator "
        "app first.",
    ),
    "number_in_use": ErrorCode(
        409, "This person has this number already", "A number is set up once. Another number is another factor."
    ),
    "not_texted": ErrorCode(
        409,
        "This factor waits for no text",
        "Only a number that is not active yet is sent another code here. Inside a sign-in, open its challenge again.",
    ),
    "too_many_texts": ErrorCode(
        409,
        "Five texts were sent for this",
        "Offer the person another way, or start again. If texts do not arrive, more of them will not either.",
    ),
    "sms_vetoed": ErrorCode(
        409,
        "No text is sent to this number",
        "The service that is asked before each text objects, or did not answer: perhaps the SIM card was changed lately. "
        "Offer the person another way to sign in.",
    ),
    "not_resynchronizable": ErrorCode(
        409, "This factor has no counter to move", "Only an active HOTP factor is resynchronized."
    ),
    "not_skippable": ErrorCode(
        409, "This cannot be put off any more", "The grace period is over, or the action is sensitive. Set a factor up."
    ),
    "hosted": ErrorCode(
        409,
        "The person answers this one in the hosted prompt",
        "Send the person to `prompt_url` and redeem the code that comes back at `…/result`.",
    ),
    "not_hosted": ErrorCode(
        409, "This authentication has no result to redeem", "Only one with a `return_url` has. Read the answer instead."
    ),
    "already_created": ErrorCode(
        409,
        "This was created by an earlier request",
        "Its answer held a secret, which is told once and never stored. `id` names what was made. If the secret is "
        "lost, remove it and begin again with a new `Idempotency-Key`.",
    ),
    "idempotency_running": ErrorCode(
        409, "The first request with this key still runs", "Repeat in a moment with the same key and body."
    ),
    "idempotency_interrupted": ErrorCode(
        409,
        "The first request with this key ended without an answer",
        "Nobody knows whether it created anything. Look, and then use a new `Idempotency-Key`.",
    ),
    "version_mismatch": ErrorCode(
        412, "The document was changed meanwhile", "Read it again, merge, and repeat with the new `ETag` in `If-Match`."
    ),
    "body_too_large": ErrorCode(
        413, "The body is too large", "64 KiB are accepted, and 256 KiB for a policy document."
    ),
    "unsupported_media_type": ErrorCode(
        415, "The body is of another type", "Name one of the accepted types in `Content-Type`; never compress the body."
    ),
    "invalid_request": ErrorCode(
        422,
        "Some fields are not valid",
        "`errors` names every one by its JSON pointer, with a code, a sentence, and the nearest valid word where there "
        "is one. Parameters of the query string are named the same way.",
    ),
    "invalid_policy": ErrorCode(
        422,
        "The policy document is not valid",
        "`errors` names every problem with line and column. The policy in force did not change.",
    ),
    "invalid_idempotency_key": ErrorCode(
        422,
        "The Idempotency-Key is not valid",
        "Use 1 to 255 printable ASCII characters without spaces, such as a UUID.",
    ),
    "idempotency_mismatch": ErrorCode(
        422, "The Idempotency-Key came with another body before", "Use a new key for a new request."
    ),
    "service_account_has_no_factors": ErrorCode(
        422, "A service account has no factors", "It is let in by its networks until it expires. Use a person instead."
    ),
    "service_account_has_no_portal": ErrorCode(
        422, "A service account has no page", "Links to the portal are for people."
    ),
    "if_match_required": ErrorCode(
        428,
        "Say which version this replaces",
        "Read the document, and send its `ETag` as `If-Match`, so that nobody's change is lost.",
    ),
    "throttled": ErrorCode(429, "Too many tries", "Wait as many seconds as `Retry-After` says."),
    "sms_paused": ErrorCode(
        429,
        "No text is sent to this number for now",
        "A cap is used up, or texts to this range of numbers are paused. Offer the person another way to sign in; their "
        "other ways are not touched by it.",
    ),
    "internal_error": ErrorCode(
        500, "Something failed on our side", "Nothing was approved. The log knows more under the `Request-Id`."
    ),
    "unavailable": ErrorCode(
        503,
        "A part that this needs does not answer",
        "Nothing was approved, and what was asked may or may not have been stored. Wait as `Retry-After` says; repeat "
        "creations with the same `Idempotency-Key`. `nightlatch doctor` tells which part it is.",
    ),
    "sms_unavailable": ErrorCode(
        503,
        "No text can be sent",
        "No gateway is set up, or none answers. Offer the person another way to sign in. `nightlatch doctor` tells more.",
    ),
    "unreadable": ErrorCode(
        503,
        "Something that was kept does not open",
        "A sealed value was changed, or moved to another row, in the database itself. Nothing was approved. The log "
        "names the request; restore the row from a backup, and find out who can write to the database.",
    ),
}


def title_of(code: str) -> str:
    """The title of a code's page; the code in words where it has none."""
    known = ERROR_CODES.get(code)
    return known.title if known else code.replace("_", " ").capitalize()
