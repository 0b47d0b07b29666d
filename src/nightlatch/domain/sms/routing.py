"""Which gateways a text may go through, in which order."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers that begin with ``prefix`` (E.164, with ``+``) or lie in ``country`` (ISO 3166) and their gateways.

    A route with neither is for all other numbers.
    """

    gateways: tuple[str, ...]
    prefix: str | None = None
    country: str | None = None


def gateways_for(routes: Sequence[Route], everything: Sequence[str], number: str, country: str | None) -> Sequence[str]:
    """The names to try, in order: those of the longest prefix that fits, else of the country, else of the route for
    all others, else ``everything``.
    """
    fitting = [route for route in routes if _fits(route, number, country)]
    if not fitting:
        return everything
    return max(fitting, key=_closeness).gateways


def _fits(route: Route, number: str, country: str | None) -> bool:
    if route.prefix is not None and not number.startswith(route.prefix):
        return False
    return route.country is None or route.country == country


def _closeness(route: Route) -> tuple[int, bool]:
    return len(route.prefix or ""), route.country is not None
