"""The audit events that there are. The reference in the documentation is made from this table.

The grammar is ``thing:what_happened``. Pages, exports and alerts rely on these names: they are added, never changed.
"""

from __future__ import annotations

EVENT_TYPES: dict[str, str] = {
    "user:created": "A user was created.",
    "user:changed": "A user's fields were changed; `data.fields` names them.",
    "user:disabled": "A user was disabled, and all devices were revoked.",
    "user:enabled": "A disabled user may sign in again.",
    "user:deleted": "A user was deleted: factors, devices and personal data are gone, the name stays taken.",
    "factor:enrolled": "A factor was begun; it does not count before it is activated.",
    "factor:activated": "A factor was proved for the first time, and counts from now on.",
    "factor:activation_failed": "A pending factor was answered wrongly; `reason` says how.",
    "factor:renamed": "A factor's label was changed.",
    "factor:removed": "A factor was removed, and all devices were revoked.",
    "factor:resynchronized": "A HOTP factor's counter was moved on by two codes in a row.",
    "factor:resynchronization_failed": "Two codes in a row did not match a HOTP factor.",
    "backup_codes:created": "A set of backup codes was made; an earlier set is dead.",
    "approval:refused": "A change of factors was asked for without its owner's fresh approval.",
    "device:revoked": "A device was revoked; `data.devices` names those that were revoked together.",
    "device:stolen_token": "The predecessor of a device token was used after its time: the device was revoked.",
    "application:created": "An application was registered, with its first key.",
    "application:revoked": "An application was revoked, with its keys.",
    "key:rotated": "An application got a new key; the old one is dead.",
    "policy:applied": "A policy document was put in force; `data.weakens` lists what it makes weaker.",
    "prompt:opened": "A hosted prompt was opened; `data.peer_differs` tells whether from another network than told.",
    "portal:opened": "A person's own page was opened by its one-time link.",
    "portal:proved": "A factor was proved on a person's own page; changes are permitted for five minutes.",
    "portal:answer_refused": "A code was refused on a person's own page; `reason` says why.",
    "portal_link:created": "A one-time link to a person's own page was made.",
    "authentication:decided": "A sign-in was asked for; `data` holds what policy decided, and why.",
    "authentication:approved": "A factor was proved, and the sign-in approved.",
    "authentication:answer_refused": "An answer was not accepted; `reason` says how.",
    "authentication:skipped": "Setting up a factor was put off, within the time that policy grants.",
    "authentication:cancelled": "A sign-in was given up.",
    "authentication:result_redeemed": "An application fetched the result of a hosted sign-in.",
    "challenge:opened": "One use of a factor inside a sign-in was begun.",
    "message:sent": "A gateway took a message; `data` says which. `data.repeated`: it may have taken it twice.",
    "message:delivered": "A gateway told that a message arrived.",
    "message:dead": "A message was given up, or a gateway told that it did not arrive; `reason` says why.",
    "message:expired": "A message became too old before any gateway took it; `reason` tells of the last try.",
    "keys:created": "The first keys of this installation were made.",
    "keys:rotated": "New keys seal and sign from now on.",
    "keys:rewrapped": "Every data key was wrapped under another key-encryption key.",
    "keys:retired": "Older keys are no longer used: nothing is sealed under them any more.",
}
