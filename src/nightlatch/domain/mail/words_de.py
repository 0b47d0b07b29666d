"""German."""

from __future__ import annotations

from nightlatch.domain.mail.words import Said, Words

_ADDED = (
    "Waren Sie das? Dann ist nichts zu tun.",
    (
        "War es jemand anderes? Entfernen Sie es innerhalb von 7 Tagen: Es wirkt sofort nicht mehr, und jeder gemerkte "
        "Browser muss sich neu ausweisen. Ändern Sie dann Ihr Passwort. {help}"
    ),
)

DE = Words(
    notices={
        "first_way": Said(
            subject="Ein zweites Schloss wurde bei {org} für Sie eingerichtet",
            heading="Ein zweites Schloss wurde eingerichtet.",
            paragraphs=("Seit {when} melden Sie sich bei {org} auch an mit: {way}.", *_ADDED),
            button="Das war ich nicht: entfernen",
        ),
        "way_added": Said(
            subject="Ein neuer Weg zur Anmeldung bei {org}",
            heading="Ein neuer Weg zur Anmeldung wurde eingerichtet.",
            paragraphs=("Seit {when} können Sie sich bei {org} auch anmelden mit: {way}.", *_ADDED),
            button="Das war ich nicht: entfernen",
        ),
        "way_removed": Said(
            subject="Ein Weg zur Anmeldung bei {org} wurde entfernt",
            heading="Ein Weg zur Anmeldung wurde entfernt.",
            paragraphs=(
                "Entfernt am {when}: {way}. Jeder gemerkte Browser muss sich neu ausweisen.",
                "Waren Sie das? Dann ist nichts zu tun. War es jemand anderes? Ändern Sie jetzt Ihr Passwort. {help}",
            ),
        ),
        "way_unlocked": Said(
            subject="Ein gesperrter Weg zur Anmeldung bei {org} geht wieder",
            heading="Ein Weg zur Anmeldung geht wieder.",
            paragraphs=(
                ("Am {when} hat jemand, der die Anmeldung von {org} betreibt, dies wieder zugelassen: {way}. Nach zu vielen "
                "falschen Antworten oder einem Nein auf dem Telefon war es gesperrt."),
                "Haben Sie darum gebeten? Dann ist nichts zu tun. Wenn nicht: Ändern Sie jetzt Ihr Passwort. {help}",
            ),
        ),
        "new_codes": Said(
            subject="Neue Ersatzcodes bei {org}",
            heading="Sie haben neue Ersatzcodes.",
            paragraphs=(
                "Sie wurden am {when} erzeugt. Die alten gelten nicht mehr.",
                "War es jemand anderes? Melden Sie sich an, lassen Sie neue erzeugen und ändern Sie Ihr Passwort. {help}",
            ),
        ),
        "code_used": Said(
            subject="Ein Ersatzcode wurde bei {org} benutzt",
            heading="Ein Ersatzcode wurde benutzt.",
            paragraphs=(
                "Er wurde am {when} benutzt und ist verbraucht. Sie haben {left}.",
                "War es jemand anderes? Ändern Sie Ihr Passwort und lassen Sie neue Codes erzeugen. {help}",
            ),
        ),
        "few_codes": Said(
            subject="Ein Ersatzcode wurde bei {org} benutzt: Sie haben {left}",
            heading="Sie haben {left}.",
            paragraphs=(
                ("Am {when} wurde ein Ersatzcode benutzt. Lassen Sie neue erzeugen, bevor der letzte weg ist: Öffnen Sie "
                "Ihre Seite dort, wo Sie sich anmelden, und wählen Sie neue Ersatzcodes."),
                "War es jemand anderes? Ändern Sie jetzt Ihr Passwort und lassen Sie neue Codes erzeugen. {help}",
            ),
        ),
        "addresses_changed": Said(
            subject="Ihre Mailadressen bei {org} wurden geändert",
            heading="Ihre Mailadressen wurden geändert.",
            paragraphs=(
                ("Am {when} wurden die Adressen geändert, unter denen {org} Sie erreicht. Wir sagen es jeder Adresse, die "
                "Sie bestätigt hatten, auch dieser."),
                "War es jemand anderes? {help}",
            ),
        ),
        "stolen_browser": Said(
            subject="Ein gemerkter Browser wurde bei {org} vergessen",
            heading="Wir haben einen Browser vergessen.",
            paragraphs=(
                ("Am {when} kam jemand mit einer Kopie dessen, woran wir einen Ihrer Browser erkennen. Diesen Browser "
                "erkennen wir nicht mehr; er muss sich beim nächsten Mal neu ausweisen."),
                ("Wenn Sie keine Sicherung eingespielt haben, suchen Sie auf diesem Gerät nach Schadsoftware und ändern Sie "
                "Ihr Passwort. {help}"),
            ),
        ),
        "refused": Said(
            subject="Jemand konnte sich bei {app} nicht als Sie anmelden",
            heading="Ihr Passwort stimmte, der zweite Schritt nicht.",
            paragraphs=(
                ("Am {when} nannte jemand bei {app} Ihr Passwort und dann einen falschen Code ({browser}). Damit wurde "
                "niemand angemeldet."),
                ("Waren Sie das? Dann ist nichts zu tun. War es jemand anderes? Dann ist Ihr Passwort bekannt: Ändern Sie "
                "es jetzt. {help}"),
            ),
        ),
        "phone_rests": Said(
            subject="Jemand hat Ihr Telefon um eine Anmeldung bei {app} gefragt",
            heading="Ihr Telefon wird vorerst nicht mehr gefragt.",
            paragraphs=(
                ("Am {when} hat jemand bei {app} Ihr Passwort angegeben, und Ihr Telefon wurde gefragt. Es wurde nicht "
                "zugestimmt, und Ihr Telefon hat jetzt Ruhe."),
                ("Waren Sie es? Melden Sie sich auf einem anderen Weg an, dann wird Ihr Telefon wieder gefragt. War es "
                "jemand anders? Diese Person kennt Ihr Passwort: Ändern Sie es jetzt. {help}"),
            ),
        ),
        "confirm_address": Said(
            subject="Bestätigen Sie Ihre Mailadresse für {org}",
            heading="Ist das Ihre Adresse?",
            paragraphs=(
                ("Jemand, wahrscheinlich Sie, hat {org} diese Adresse genannt. Bestätigen Sie sie innerhalb von 24 Stunden, "
                "dann kann {org} Ihnen sagen, wenn sich an Ihrer Anmeldung etwas ändert."),
                "Wenn Sie es nicht waren, lassen Sie diese Mail liegen: Es geschieht nichts.",
            ),
            button="Diese Adresse bestätigen",
        ),
    },
    ways={
        "totp": "Code aus einer Authenticator-App",
        "hotp": "Code von einem Schlüsselanhänger",
        "push": "ein Telefon, das zustimmt",
        "sms": "Code per SMS",
        "webauthn": "Passkey",
        "backup_codes": "Ersatzcode",
        "other": "ein anderer Weg",
    },
    labelled="{way} („{label}“)",
    when="{0.day}. {month} {0.year}, {0:%H:%M} UTC",
    months=(
        "Januar", "Februar", "März", "April", "Mai", "Juni",
        "Juli", "August", "September", "Oktober", "November", "Dezember",
    ),
    unknown_browser="ein unbekannter Browser",
    none_left="keine Ersatzcodes mehr",
    one_left="noch 1 Ersatzcode",
    some_left="noch {left} Ersatzcodes",
    help="Hilfe: {help}.",
    no_help="Fragen Sie {org} um Hilfe.",
    ending="Diese Mail schrieb der Anmeldedienst von {org}, der niemals per Mail nach einem Code oder Passwort fragt.",
)  # fmt: skip
