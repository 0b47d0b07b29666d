"""British English."""

from __future__ import annotations

from nightlatch.domain.mail.words import Said, Words

_ADDED = (
    "Was it you? Then there is nothing to do.",
    (
        "Was it somebody else? Remove it within 7 days: it stops working at once, and every browser that was remembered "
        "has to prove itself again. Then change your password. {help}"
    ),
)

EN = Words(
    notices={
        "first_way": Said(
            subject="A second lock was set up for you at {org}",
            heading="A second lock was set up.",
            paragraphs=("Since {when} you sign in to {org} with {way} as well.", *_ADDED),
            button="It wasn't me: remove it",
        ),
        "way_added": Said(
            subject="A new way to sign in at {org}",
            heading="A new way to sign in was set up.",
            paragraphs=("Since {when} you can also sign in to {org} with {way}.", *_ADDED),
            button="It wasn't me: remove it",
        ),
        "way_removed": Said(
            subject="A way to sign in was removed at {org}",
            heading="A way to sign in was removed.",
            paragraphs=(
                "On {when} {way} was removed. Every browser that was remembered has to prove itself again.",
                "Was it you? Then there is nothing to do. Was it somebody else? Change your password now. {help}",
            ),
        ),
        "way_unlocked": Said(
            subject="A way to sign in that had stopped works again at {org}",
            heading="A way to sign in works again.",
            paragraphs=(
                ("On {when} somebody who runs the sign-in of {org} let this be used again: {way}. It had stopped after too "
                "many wrong answers, or after a no on the phone."),
                "Did you ask for it? Then there is nothing to do. Did you not? Change your password now. {help}",
            ),
        ),
        "new_codes": Said(
            subject="New backup codes at {org}",
            heading="You have new backup codes.",
            paragraphs=(
                "They were made on {when}. The old ones have stopped working.",
                "Was it somebody else? Sign in, have new ones made, and change your password. {help}",
            ),
        ),
        "code_used": Said(
            subject="A backup code was used at {org}",
            heading="A backup code was used.",
            paragraphs=(
                "It was used on {when} and is used up. You have {left}.",
                "Was it somebody else? Change your password and have new codes made. {help}",
            ),
        ),
        "few_codes": Said(
            subject="A backup code was used at {org}: you have {left}",
            heading="You have {left}.",
            paragraphs=(
                ("A backup code was used on {when}. Have new ones made before the last is gone: open your page from where "
                "you sign in, and choose new backup codes."),
                "Was it somebody else? Change your password and have new codes made now. {help}",
            ),
        ),
        "addresses_changed": Said(
            subject="Your mail addresses at {org} were changed",
            heading="Your mail addresses were changed.",
            paragraphs=(
                ("On {when} the addresses at which {org} reaches you were changed. We tell every address that you had "
                "confirmed, this one too."),
                "Was it somebody else? {help}",
            ),
        ),
        "stolen_browser": Said(
            subject="A remembered browser was forgotten at {org}",
            heading="We forgot a browser.",
            paragraphs=(
                ("On {when} somebody came with a copy of what one of your browsers is recognised by. We recognise that "
                "browser no more; next time it has to prove itself again."),
                ("If you did not restore a backup, look for harmful software on that device, and change your password. "
                "{help}"),
            ),
        ),
        "refused": Said(
            subject="Somebody could not sign in as you at {app}",
            heading="Your password was right, the second step was not.",
            paragraphs=(
                ("On {when} somebody gave your password at {app}, and then a wrong code ({browser}). Nobody was signed in "
                "by that."),
                ("Was it you? Then there is nothing to do. Was it somebody else? They know your password: change it now. "
                "{help}"),
            ),
        ),
        "phone_rests": Said(
            subject="Somebody asked your phone to sign in at {app}",
            heading="Your phone is asked no more for now.",
            paragraphs=(
                ("On {when} somebody gave your password at {app}, and your phone was asked. It was not approved, and your "
                "phone rests now."),
                ("Was it you? Use another way to sign in, and your phone is asked again. Was it somebody else? They know "
                "your password: change it now. {help}"),
            ),
        ),
        "confirm_address": Said(
            subject="Confirm your mail address for {org}",
            heading="Is this your address?",
            paragraphs=(
                ("Somebody, probably you, gave {org} this address. Confirm it within 24 hours, and {org} can tell you of "
                "changes to how you sign in."),
                "If it wasn't you, leave this mail alone: nothing happens.",
            ),
            button="Confirm this address",
        ),
    },
    ways={
        "totp": "a code from an authenticator app",
        "hotp": "a code from a key fob",
        "push": "a phone that approves",
        "sms": "a code by text",
        "webauthn": "a passkey",
        "backup_codes": "a backup code",
        "other": "another way",
    },
    labelled="{way} (“{label}”)",
    when="{0.day} {month} {0.year} at {0:%H:%M} UTC",
    months=(
        "January", "February", "March", "April", "May", "June",
        "July", "August", "September", "October", "November", "December",
    ),
    unknown_browser="an unknown browser",
    none_left="no backup codes left",
    one_left="1 backup code left",
    some_left="{left} backup codes left",
    help="Help: {help}.",
    no_help="Ask {org} for help.",
    ending="This mail was written by {org}'s sign-in service, which never asks for a code or a password by mail.",
)  # fmt: skip
