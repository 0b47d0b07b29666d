"""Factors of a user: enrol, activate, list, rename, remove; backup codes."""

from __future__ import annotations

from nightlatch.app.factors.activate import activate_factor as activate
from nightlatch.app.factors.backup_codes import new_backup_codes
from nightlatch.app.factors.change import rename_factor as rename
from nightlatch.app.factors.enroll import enroll_factor as enroll
from nightlatch.app.factors.find import get_factor as find
from nightlatch.app.factors.find import list_factors as list_
from nightlatch.app.factors.remove import remove_factor as remove
from nightlatch.app.factors.resynchronize import resynchronize
from nightlatch.app.factors.sms import send_again
from nightlatch.app.messages import (
    ActivatedFactor,
    Activation,
    BackupCodes,
    CodeSent,
    EnrolledFactor,
    FactorAnswer,
    FactorPatch,
    NewBackupCodes,
    NewFactor,
    Page,
    Resynchronization,
)
from nightlatch.domain.errors import Conflict, StepUpRequired
from nightlatch.web.common.endpoint import Call, Endpoints, always
from nightlatch.web.common.query import Query

endpoints = Endpoints("Factors")

FACTORS = "/v1/users/{user}/factors"
FACTOR = "/v1/users/{user}/factors/{factor}"


class RemovalQuery(Query, frozen=True, kw_only=True):
    """``approval``: the id of the owner's own approved authentication for ``manage_factors``."""

    approval: str | None = None


@endpoints.post(
    FACTORS,
    scope="enroll",
    status=201,
    creates=True,
    secret=always,
    refusals=(Conflict, StepUpRequired),
    example={"kind": "totp", "label": "Phone"},
)
async def enroll_factor(call: Call, user: str, body: NewFactor) -> EnrolledFactor:
    """Enrol a factor.

    The answer shows the secret, its `otpauth://` address and its QR picture this once. The factor stays pending
    until it is activated, and dies after 10 minutes. For a user who has an active factor, `approval` names their
    own approved authentication for action `manage_factors`. With `secret` (Base32, 128 bits or more) an existing
    authenticator moves in. `{"kind":"sms","phone":"+49151…"}` texts a code to the number; tell the person what
    `enrollment.notice` says. `{"kind":"push"}` pairs a phone: show the picture with `enrollment.number` beside it.
    """
    return await enroll(call.ports, call.caller, user, body)


@endpoints.get(FACTORS, scope="users:read")
async def list_factors(call: Call, user: str) -> Page[FactorAnswer]:
    """List a user's factors.

    Never with their secrets.
    """
    return await list_(call.ports, call.caller, user)


@endpoints.get(FACTOR, scope="users:read")
async def get_factor(call: Call, user: str, factor: str) -> FactorAnswer:
    """Read a factor."""
    return await find(call.ports, call.caller, user, factor)


@endpoints.patch(FACTOR, scope="enroll", refusals=(Conflict,), example={"label": "Old phone"})
async def rename_factor(call: Call, user: str, factor: str, body: FactorPatch) -> FactorAnswer:
    """Rename a factor."""
    return await rename(call.ports, call.caller, user, factor, body)


@endpoints.delete(FACTOR, scope="enroll", refusals=(Conflict, StepUpRequired))
async def remove_factor(call: Call, user: str, factor: str, query: RemovalQuery) -> None:
    """Remove a factor.

    An active one needs its owner's `approval`. All of the user's devices are revoked with it.
    """
    await remove(call.ports, call.caller, user, factor, query.approval)


@endpoints.post(
    "/v1/users/{user}/factors/{factor}/activation",
    scope="enroll",
    refusals=(Conflict,),
    example={"code": "482913"},
)
async def activate_factor(call: Call, user: str, factor: str, body: Activation) -> ActivatedFactor:
    """Activate a factor by its first code.

    A phone that is being paired takes no code: call without one once `pairing` of the factor is `answered`. Only the
    application that began it may.
    The answer to a user's first activation also carries ten backup codes, shown this once. The code counts as used.
    """
    return await activate(call.ports, call.caller, user, factor, body)


@endpoints.post(
    "/v1/users/{user}/factors/{factor}/challenges", scope="enroll", status=201, creates=True, refusals=(Conflict,)
)
async def send_code_again(call: Call, user: str, factor: str) -> CodeSent:
    """Send a number that is not active yet another code.

    The code before it is dead. Wait `resend_after` seconds between two; five are sent at most.
    """
    return await send_again(call.ports, call.caller, user, factor)


@endpoints.post(
    "/v1/users/{user}/factors/{factor}/resynchronization",
    scope="enroll",
    refusals=(Conflict,),
    example={"code": "755224", "next_code": "287082"},
)
async def resynchronize_factor(call: Call, user: str, factor: str, body: Resynchronization) -> FactorAnswer:
    """Resynchronize a HOTP factor.

    Needs two codes that follow each other; one is never enough.
    """
    return await resynchronize(call.ports, call.caller, user, factor, body)


@endpoints.post(
    "/v1/users/{user}/backup-codes",
    scope="enroll",
    status=201,
    creates=True,
    secret=always,
    refusals=(Conflict, StepUpRequired),
    example={"approval": "atn_018f6b1c2d3e7a4b8c5d6e7f80910203"},
)
async def create_backup_codes(call: Call, user: str, body: NewBackupCodes) -> BackupCodes:
    """Make ten new backup codes.

    Shown this once; the old set is dead. Needs its owner's `approval`.
    """
    return await new_backup_codes(call.ports, call.caller, user, body)
