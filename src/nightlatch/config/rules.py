"""What single types cannot say: which values fit each other, and what the blanks mean."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote, urlsplit

from nightlatch.adapters.sql.url import (
    BadAddress,
    PostgresAddress,
    SqliteAddress,
    parse_address,
)
from nightlatch.config.loopback import is_loopback
from nightlatch.config.schema import BrandSettings, GivenSettings
from nightlatch.config.sources import Problem, Sources
from nightlatch.domain.brand import (
    MINIMUM_CONTRAST,
    Brand,
    is_color,
    lowest_contrast,
    readable_accent,
)

_SQLITE = "sqlite:///"


def rules(sources: Sources, given: GivenSettings) -> Iterator[Problem]:
    """Everything that is wrong beyond types."""
    yield from _public_url(sources, given)
    yield from _databases(sources, given)
    yield from _networks(sources, given)
    yield from _issuer(sources, given)
    yield from _key(sources, given)
    yield from _brand(sources, given.brand)


def public_url_of(given: str | None, port: int) -> str:
    """``localhost``, not 127.0.0.1: WebAuthn refuses addresses."""
    return (given or f"http://localhost:{port}").rstrip("/")


def database_of(given: str | None, base: Path, data_dir: Path) -> str:
    """The database URL, the path of SQLite absolute."""
    if given is None:
        return _SQLITE + quote(str(data_dir / "nightlatch.db"))
    address = parse_address(given)
    return _SQLITE + quote(str(base / address.path)) if isinstance(address, SqliteAddress) else given


def default_data_dir(environ: Mapping[str, str]) -> Path:
    """``$XDG_DATA_HOME/nightlatch``: the same for the server and the commands beside it,
    whatever directory they are called from.
    """
    home = environ.get("XDG_DATA_HOME")
    return (Path(home) if home else Path.home() / ".local" / "share") / "nightlatch"


def brand_of(given: BrandSettings) -> Brand:
    """The brand that pages show."""
    return Brand(
        name=given.name,
        logo=given.logo,
        accent=given.accent,
        help_url=given.help_url,
        help_phone=given.help_phone,
    )


def _public_url(sources: Sources, given: GivenSettings) -> Iterator[Problem]:
    if given.public_url is None:
        return
    where = sources.where("public_url")
    try:
        parts = urlsplit(given.public_url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        yield Problem(where, f"public_url is no address: {error}")
        return
    if parts.scheme not in ("http", "https") or not host:
        yield Problem(where, "public_url must be https://HOST, or http:// on loopback")
    elif parts.scheme == "http" and not is_loopback(host):
        yield Problem(
            where,
            "public_url must be https except on loopback",
            given.public_url.replace("http:", "https:", 1),
        )
    elif parts.path.strip("/") or parts.query or parts.fragment or parts.username:
        # Our cookies are `__Host-` ones, and those hold for a whole host.
        port = f":{parts.port}" if parts.port else ""
        near = f"{parts.scheme}://{host}{port}"
        yield Problem(where, "public_url is a scheme, a host and a port, no more", near)


def _databases(sources: Sources, given: GivenSettings) -> Iterator[Problem]:
    addresses = {}
    for name in ("database_url", "database_direct_url"):
        try:
            url = getattr(given, name)
            addresses[name] = parse_address(url) if url else None
        except BadAddress as error:
            yield Problem(sources.where(name), f"{name}: {error}")
            return
    sqlite = not isinstance(addresses["database_url"], PostgresAddress)
    if sqlite and given.workers > 1:
        yield Problem(
            sources.where("workers"),
            f"SQLite serves with one worker, not {given.workers}: "
            "set database_url to postgresql://… for more, or workers to 1",
        )
    direct = addresses["database_direct_url"]
    if direct is not None and (sqlite or not isinstance(direct, PostgresAddress)):
        yield Problem(
            sources.where("database_direct_url"),
            "database_direct_url is a postgresql:// address and belongs to another one",
        )
    valkey = given.valkey_url
    if valkey and not valkey.startswith(("valkey://", "valkeys://", "redis://", "rediss://", "unix://")):
        yield Problem(sources.where("valkey_url"), "valkey_url must be valkey://HOST:PORT/NUMBER")


def _networks(sources: Sources, given: GivenSettings) -> Iterator[Problem]:
    for text in given.trusted_proxies:
        try:
            ipaddress.ip_network(text)
        except ValueError as error:
            yield Problem(sources.where("trusted_proxies"), f"trusted_proxies: {error}")


def _issuer(sources: Sources, given: GivenSettings) -> Iterator[Problem]:
    if given.issuer and ":" in given.issuer:
        yield Problem(
            sources.where("issuer"),
            'issuer must be without ":", which ends it in authenticator apps',
            given.issuer.replace(":", " "),
        )


def _key(sources: Sources, given: GivenSettings) -> Iterator[Problem]:
    if given.key and given.key_file:
        yield Problem(sources.where("key"), "give key or key_file, not both")


def _brand(sources: Sources, brand: BrandSettings) -> Iterator[Problem]:
    where = sources.where("brand.accent")
    if not is_color(brand.accent):
        yield Problem(where, f"brand.accent must be #RRGGBB, not {brand.accent!r}")
    elif (ratio := lowest_contrast(brand.accent)) < MINIMUM_CONTRAST:
        yield Problem(
            where,
            f"brand.accent {brand.accent} has a contrast of {ratio:.2f}:1 where people need {MINIMUM_CONTRAST}:1",
            readable_accent(brand.accent),
        )
    for name, schemes in (("logo", ("https://", "data:image/")), ("help_url", ("https://",))):
        value = getattr(brand, name)
        if value and not value.startswith(schemes):
            yield Problem(
                sources.where(f"brand.{name}"),
                f"brand.{name} must begin with {' or '.join(schemes)}",
            )
