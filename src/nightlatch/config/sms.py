"""``[sms]``: gateways, which of them serve which numbers, and who may forbid a text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import msgspec
from phonenumbers import SUPPORTED_REGIONS

from nightlatch.adapters.delivery.options import ConsoleOptions, GatewayOptions
from nightlatch.app.texts.caps import Caps
from nightlatch.config.gateways import gateways_of
from nightlatch.config.loopback import is_loopback, unfit
from nightlatch.config.schema import GivenCaps, GivenRoute, GivenSettings, SmsSettings
from nightlatch.config.sources import GATEWAYS, Problem, Sources, nearest
from nightlatch.domain.sms.prices import BadPrices, Prices, read_prices
from nightlatch.domain.sms.routing import Route

ROUTES = "sms.routes"


def sms_of(sources: Sources, given: GivenSettings) -> SmsSettings:
    """Everything of ``[sms]``. What is wrong is added to the problems of ``sources``."""
    gateways = gateways_of(sources)
    problems = sources.problems
    problems += _veto(sources, given)
    problems += _console(sources, given, gateways)
    routes: list[Route] = []
    for number, raw in enumerate(given.sms.routes, start=1):
        route, wrong = _route(number, raw, list(sources.gateways), sources.where(ROUTES))
        problems += wrong
        routes += [route] if route is not None else []
    return SmsSettings(
        sender=given.sms.sender,
        gateways=gateways,
        routes=tuple(routes),
        veto_url=given.sms.veto_url,
        veto_token=given.sms.veto_token,
        caps=_caps(sources, given),
        voip_numbers=given.sms.voip_numbers,
        prices=_prices(sources, given),
    )


def _caps(sources: Sources, given: GivenSettings) -> Caps:
    """The operator's limits in the place of ours."""
    name = "sms.caps"
    try:
        told = msgspec.convert(given.sms.caps, GivenCaps)
    except msgspec.ValidationError as error:
        near = next((nearest(key, Caps.__struct_fields__) for key in given.sms.caps if key not in known_caps()), None)
        sources.problems.append(Problem(sources.where(name), f"{name}: {str(error)[:1].lower()}{str(error)[1:]}", near))
        return Caps()
    limits = {key: value for key in known_caps() if (value := getattr(told, key)) is not None}
    for key, value in limits.items():
        if not 1 <= value.hour <= value.day:
            sources.problems.append(
                Problem(sources.where(name), f"{name}.{key}: at least 1 an hour, and no fewer a day than an hour")
            )
    return msgspec.structs.replace(Caps(), **limits)


def known_caps() -> tuple[str, ...]:
    """The names of all caps."""
    return Caps.__struct_fields__


def _prices(sources: Sources, given: GivenSettings) -> Prices | None:
    name = "sms.price_file"
    if given.sms.price_file is None:
        return None
    path = sources.base_of(name) / given.sms.price_file
    try:
        return read_prices(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        problem = f"{name}: {path} cannot be read ({type(error).__name__})"
    except BadPrices as error:
        problem = f"{name}: {path}, {error}"
    sources.problems.append(Problem(sources.where(name), problem))
    return None


def _route(number: int, raw: dict[str, Any], known: list[str], where: str) -> tuple[Route | None, list[Problem]]:
    shown = f"{ROUTES}, number {number}"
    try:
        given = msgspec.convert(raw, GivenRoute)
    except msgspec.ValidationError as error:
        return None, [Problem(where, f"{shown}: {str(error)[:1].lower()}{str(error)[1:]}")]
    wrong = [
        Problem(where, f"{shown}: unknown gateway {name}", nearest(name, known))
        for name in given.gateways
        if name not in known
    ]
    if given.country is not None and given.country not in SUPPORTED_REGIONS:
        near = nearest(given.country.upper(), sorted(SUPPORTED_REGIONS))
        wrong.append(Problem(where, f"{shown}: {given.country} is no country (ISO 3166, such as DE)", near))
    return Route(gateways=given.gateways, prefix=given.prefix, country=given.country), wrong


def _veto(sources: Sources, given: GivenSettings) -> Iterator[Problem]:
    if (url := given.sms.veto_url) is None:
        return
    if wrong := unfit(url):
        yield Problem(sources.where("sms.veto_url"), f"sms.veto_url {wrong[0]}", wrong[1])


def _console(sources: Sources, given: GivenSettings, gateways: tuple[GatewayOptions, ...]) -> Iterator[Problem]:
    """It shows codes to whoever reads the terminal, so it serves nobody but whoever develops."""
    if given.public_url is None or is_loopback(urlsplit(given.public_url).hostname or ""):
        return
    for gateway in gateways:
        if isinstance(gateway, ConsoleOptions):
            where = sources.gateways[gateway.name]["kind"].where
            yield Problem(
                where, f"{GATEWAYS}{gateway.name} writes codes to the terminal: for a public_url on loopback only"
            )
