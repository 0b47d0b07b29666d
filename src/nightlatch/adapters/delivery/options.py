"""What each kind of gateway is told in the settings. Plain values: nothing is opened or imported for them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

SECRET = {"secret": True}
"""Marks an option that is taken from the environment or from a file of its own, never from ``nightlatch.toml``."""

Word = Annotated[str, Meta(min_length=1)]


class GatewayOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What all kinds share. ``name`` is the operator's; it stands in metrics, events and receipt addresses."""

    name: str
    sender: Annotated[
        Annotated[str, Meta(pattern=r"^(\+?[0-9]{3,15}|[ -~]{1,11})$")] | None,
        Meta(description="who texts come from, here instead of sms.sender: a number, or at most 11 letters"),
    ] = None

    def __repr__(self) -> str:
        """Without passwords (K3)."""
        return f"{type(self).__name__}(name={self.name!r})"


class SmppOptions(GatewayOptions, frozen=True, kw_only=True):
    """An SMSC over SMPP 3.4."""

    host: Annotated[Word, Meta(description="the SMSC's name or address")]
    port: Annotated[int, Meta(ge=1, le=65535, description="its port, 1 to 65535")] = 2775
    system_id: Annotated[
        Annotated[str, Meta(min_length=1, max_length=15)], Meta(description="who we are to it, at most 15 letters")
    ]
    password: Annotated[
        Annotated[str, Meta(max_length=8)], Meta(description="the password, at most 8 letters", extra=SECRET)
    ]
    system_type: Annotated[Annotated[str, Meta(max_length=12)], Meta(description="if it wants one")] = ""
    tls: Annotated[bool, Meta(description="true for TLS, with its certificate checked")] = False
    ca_file: Annotated[str | None, Meta(description="certificates to trust instead of the system's")] = None
    window: Annotated[int, Meta(ge=1, le=1000, description="texts under way at once, 1 to 1000")] = 50
    enquire_seconds: Annotated[
        int, Meta(ge=1, le=600, description="seconds of silence before it is asked, 1 to 600")
    ] = 30


class KannelOptions(GatewayOptions, frozen=True, kw_only=True):
    """Kannel's ``sendsms``."""

    url: Annotated[Word, Meta(description="the address of sendsms: http://HOST:13013/cgi-bin/sendsms")]
    username: Annotated[Word, Meta(description="the name of its sendsms-user")]
    password: Annotated[Word, Meta(description="the password of its sendsms-user", extra=SECRET)]
    smsc: Annotated[str | None, Meta(description="the smsc-id to go through, if not any")] = None
    receipts_url: Annotated[str | None, Meta(description="where it reaches us, if not at public_url")] = None


class TwilioOptions(GatewayOptions, frozen=True, kw_only=True):
    """Twilio's Messages API."""

    account_sid: Annotated[
        Annotated[str, Meta(pattern="^AC[0-9a-fA-F]{32}$")],
        Meta(description="the account: AC and 32 hexadecimal digits"),
    ]
    auth_token: Annotated[Word, Meta(description="the account's auth token, which also signs receipts", extra=SECRET)]
    messaging_service: Annotated[str | None, Meta(description="MG…, instead of a sender")] = None
    url: Annotated[Word, Meta(description="the API's address")] = "https://api.twilio.com"


class VonageOptions(GatewayOptions, frozen=True, kw_only=True):
    """Vonage's SMS API."""

    api_key: Annotated[Word, Meta(description="the account's key")]
    api_secret: Annotated[Word, Meta(description="the account's secret", extra=SECRET)]
    signature_secret: Annotated[
        Word | None, Meta(description="signs receipts; none are asked for without", extra=SECRET)
    ] = None
    signature_method: Annotated[
        Literal["sha256", "sha512"], Meta(description="how the account signs: sha256 or sha512")
    ] = "sha256"
    url: Annotated[Word, Meta(description="the API's address")] = "https://rest.nexmo.com"


class SnsOptions(GatewayOptions, frozen=True, kw_only=True):
    """Amazon SNS."""

    region: Annotated[
        Annotated[str, Meta(pattern="^[a-z]{2}(-[a-z]+)+-[0-9]$")], Meta(description="such as eu-central-1")
    ]
    access_key_id: Annotated[Word, Meta(description="the key of a user that may sns:Publish and no more")]
    secret_access_key: Annotated[Word, Meta(description="its secret", extra=SECRET)]
    receipts_topic: Annotated[
        str | None, Meta(description="the ARN of the topic that delivery logs are forwarded to")
    ] = None
    url: Annotated[str | None, Meta(description="the endpoint, if not the region's")] = None


class HttpOptions(GatewayOptions, frozen=True, kw_only=True):
    """Any other HTTP API, as a template."""

    url: Annotated[Word, Meta(description="where texts are posted")]
    format: Annotated[Literal["json", "form"], Meta(description="json or form")] = "json"
    fields: Annotated[
        dict[str, Any],
        Meta(
            description='a table: { to = "{to}", text = "{text}" }; also {sender}, {id}, {seconds}, {receipts}, {token}'
        ),
    ]
    headers: Annotated[dict[str, str], Meta(description='a table: { Authorization = "Bearer {token}" }')] = {}
    token: Annotated[Word | None, Meta(description="what {token} stands for", extra=SECRET)] = None
    success: Annotated[
        dict[str, str], Meta(description='what the answer must hold beside 2xx: { "messages.0.status" = "ok" }')
    ] = {}
    reference: Annotated[
        str | None, Meta(description="where the answer holds its own id of the text, such as messages.0.id")
    ] = None
    receipt_secret: Annotated[
        Word | None, Meta(description="signs receipts by HMAC-SHA256; none are taken without", extra=SECRET)
    ] = None


class ConsoleOptions(GatewayOptions, frozen=True, kw_only=True):
    """The terminal of whoever develops."""


KINDS: dict[str, type[GatewayOptions]] = {
    "smpp": SmppOptions,
    "kannel": KannelOptions,
    "twilio": TwilioOptions,
    "vonage": VonageOptions,
    "sns": SnsOptions,
    "http": HttpOptions,
    "console": ConsoleOptions,
}
