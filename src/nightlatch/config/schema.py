"""What may be written in a configuration, and what passed every check."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from nightlatch.adapters.delivery.options import GatewayOptions
from nightlatch.adapters.delivery.smtp import SmtpOptions, Tls
from nightlatch.app.texts.caps import Caps, Limits
from nightlatch.domain.brand import Brand
from nightlatch.domain.sms.prices import Prices
from nightlatch.domain.sms.routing import Route


class BrandSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The ``[brand]`` section."""

    name: Annotated[str, Meta(min_length=1, max_length=60, description="what people read on our pages")] = "Nightlatch"
    logo: Annotated[str | None, Meta(description="an https:// or data:image/… address of a square picture")] = None
    accent: Annotated[str, Meta(description="#RRGGBB, at least 4.5:1 on the light surfaces")] = "#1D4E89"
    help_url: Annotated[str | None, Meta(description="an https:// page that helps people")] = None
    help_phone: Annotated[
        Annotated[str, Meta(max_length=40)] | None,
        Meta(description="a phone number that helps people"),
    ] = None


class GivenRoute(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One ``[[sms.routes]]``."""

    gateways: Annotated[tuple[str, ...], Meta(min_length=1)]
    prefix: Annotated[str, Meta(pattern=r"^\+[0-9]{1,15}$")] | None = None
    country: str | None = None


class GivenSms(msgspec.Struct, frozen=True, kw_only=True):
    """The ``[sms]`` section, without the gateways."""

    sender: Annotated[
        Annotated[str, Meta(pattern=r"^(\+?[0-9]{3,15}|[ -~]{1,11})$")] | None,
        Meta(description="who texts come from: a number, or at most 11 letters where that is allowed"),
    ] = None
    routes: Annotated[
        tuple[dict[str, Any], ...],
        Meta(description='tables of gateways (a list of names) for a prefix ("+49") or a country ("DE")'),
    ] = ()
    caps: Annotated[
        dict[str, Any],
        Meta(description="a table: { user = [8, 20], all = [3000, 15000] }, texts in an hour and in a day"),
    ] = {}
    voip_numbers: Annotated[bool, Meta(description="true lets numbers that lie on the Internet get codes")] = False
    price_file: Annotated[
        str | None, Meta(description="lines of country,price,currency, for the estimates of sms report")
    ] = None
    veto_url: Annotated[str | None, Meta(description="a service that is asked before each text")] = None
    veto_token: Annotated[
        Annotated[str, Meta(min_length=16)] | None,
        Meta(description="the bearer token that it is sent, from 16 letters"),
    ] = None


class GivenCaps(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[sms] caps``: at most so many texts in an hour and in a day, as ``[hour, day]``."""

    user: Limits | None = None
    number: Limits | None = None
    block: Limits | None = None
    prefix: Limits | None = None
    country: Limits | None = None
    application: Limits | None = None
    all: Limits | None = None


class GivenPush(msgspec.Struct, frozen=True, kw_only=True):
    """The ``[push]`` section."""

    services: Annotated[
        tuple[str, ...], Meta(description="push services that phones may name, instead of those of the known browsers")
    ] = ()
    contact: Annotated[str | None, Meta(description="mailto: or https: for the people who run the push services")] = (
        None
    )
    ntfy_servers: Annotated[tuple[str, ...], Meta(description="ntfy or UnifiedPush servers that phones may name")] = ()
    ntfy_token: Annotated[str | None, Meta(description="the access token of the ntfy servers")] = None
    fcm_account_file: Annotated[str | None, Meta(description="a service account's JSON, for Firebase")] = None
    fcm_url: Annotated[str, Meta(description="Firebase's address")] = "https://fcm.googleapis.com"
    apns_key_file: Annotated[str | None, Meta(description="the .p8 file of an APNs key, for Apple")] = None
    apns_key_id: Annotated[str | None, Meta(description="the id of that key")] = None
    apns_team_id: Annotated[str | None, Meta(description="the team it belongs to")] = None
    apns_topic: Annotated[str | None, Meta(description="the bundle id of your app")] = None
    apns_url: Annotated[str, Meta(description="Apple's address")] = "https://api.push.apple.com"

    def __repr__(self) -> str:
        """Without tokens (K3)."""
        return "GivenPush()"


class GivenMail(msgspec.Struct, frozen=True, kw_only=True):
    """The ``[mail]`` section. Without a host no mail is written."""

    host: Annotated[str | None, Meta(description="the mail server that takes notices; without one none are sent")] = (
        None
    )
    port: Annotated[
        Annotated[int, Meta(ge=1, le=65535)] | None,
        Meta(description="its port; by default 587, 465 with tls, 25 with none"),
    ] = None
    tls: Annotated[
        Tls, Meta(description="starttls, tls (from the first byte), or none (a server on this machine only)")
    ] = Tls.STARTTLS
    username: Annotated[str | None, Meta(description="who signs in there")] = None
    password: Annotated[str | None, Meta(description="that account's password; environment only")] = None
    password_file: Annotated[str | None, Meta(description="the file that holds that password")] = None
    sender: Annotated[
        str | None, Meta(description="who mails come from: no-reply@example.org, or Example <no-reply@example.org>")
    ] = None
    reply_to: Annotated[str | None, Meta(description="where answers go")] = None
    ca_file: Annotated[
        str | None, Meta(description="certificates (PEM) of further authorities that may have signed the server's")
    ] = None

    def __repr__(self) -> str:
        """Without the password (K3)."""
        return f"GivenMail(host={self.host!r})"


class GivenSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What may be written, with what is meant where nothing is."""

    database_url: Annotated[str | None, Meta(description="sqlite:///PATH or postgresql://USER@HOST/NAME")] = None
    database_direct_url: Annotated[
        str | None,
        Meta(description="the same PostgreSQL past PgBouncer, for LISTEN and migrations"),
    ] = None
    valkey_url: Annotated[str | None, Meta(description="valkey://HOST:PORT/NUMBER, for several nodes")] = None
    data_dir: Annotated[str | None, Meta(description="where SQLite and the key file are kept")] = None
    public_url: Annotated[
        str | None, Meta(description="where people reach us: https://HOST, http on loopback only")
    ] = None
    issuer: Annotated[
        Annotated[str, Meta(min_length=1, max_length=60)] | None,
        Meta(description="what authenticator apps show; without ':'"),
    ] = None
    trusted_proxies: Annotated[tuple[str, ...], Meta(description="networks whose X-Forwarded-For counts")] = ()
    host: Annotated[str, Meta(min_length=1, description="the address to listen on")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="a port, 0 to 65535")] = 8080
    workers: Annotated[int, Meta(ge=1, le=256, description="server processes, 1 to 256")] = 1
    key_file: Annotated[str | None, Meta(description="the file of the key-encryption key")] = None
    key: Annotated[str | None, Meta(description="the key-encryption key itself; environment only")] = None
    metrics_token: Annotated[
        Annotated[str, Meta(min_length=16)] | None,
        Meta(description="the bearer token of /metrics, from 16 letters"),
    ] = None
    brand: BrandSettings = BrandSettings()
    sms: GivenSms = GivenSms()
    mail: GivenMail = GivenMail()
    push: GivenPush = GivenPush()

    def __repr__(self) -> str:
        """Without passwords and keys, as ``Settings``."""
        return f"GivenSettings(data_dir={self.data_dir!r}, public_url={self.public_url!r})"


class SmsSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How texts leave, and how many. Gateways are in the order in which they are tried."""

    sender: str | None = None
    gateways: tuple[GatewayOptions, ...] = ()
    routes: tuple[Route, ...] = ()
    veto_url: str | None = None
    veto_token: str | None = None
    caps: Caps = Caps()
    voip_numbers: bool = False
    prices: Prices | None = None


class ApnsSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How Apple's service knows us."""

    key: str
    key_id: str
    team_id: str
    topic: str
    url: str

    def __repr__(self) -> str:
        """Without the key (K3)."""
        return "ApnsSettings()"


class PushSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How phones are rung."""

    services: tuple[str, ...] = ()
    contact: str | None = None
    ntfy_servers: tuple[str, ...] = ()
    ntfy_token: str | None = None
    fcm_account: Mapping[str, Any] | None = None
    fcm_url: str = ""
    apns: ApnsSettings | None = None

    def __repr__(self) -> str:
        """Without tokens and keys (K3)."""
        return "PushSettings()"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings that passed every check. Paths are absolute; ``public_url`` has no final slash."""

    database_url: str
    database_direct_url: str | None
    valkey_url: str | None
    data_dir: Path
    public_url: str
    issuer: str
    trusted_proxies: tuple[str, ...]
    host: str
    port: int
    workers: int
    key_file: Path
    key: str | None
    metrics_token: str | None
    brand: Brand
    sms: SmsSettings = SmsSettings()
    mail: SmtpOptions | None = None
    push: PushSettings = PushSettings()
    file: Path | None = None

    @property
    def sqlite(self) -> bool:
        """Whether the database is SQLite."""
        return self.database_url.startswith("sqlite:")

    def __repr__(self) -> str:
        """Without passwords and keys, since settings end up in logs and tracebacks (K3)."""
        return f"Settings(data_dir={str(self.data_dir)!r}, public_url={self.public_url!r})"
