"""Which gateways a number goes through."""

from __future__ import annotations

import pytest

from nightlatch.domain.sms.routing import Route, gateways_for

ALL = ("a", "b", "c")
ROUTES = (
    Route(country="DE", gateways=("b", "a")),
    Route(prefix="+4915", gateways=("c",)),
    Route(prefix="+49151", gateways=("a", "c")),
    Route(prefix="+1", country="CA", gateways=("c", "b")),
    Route(prefix="+1", gateways=("b",)),
)


@pytest.mark.parametrize(
    ("number", "country", "expected"),
    [
        ("+4915112345678", "DE", ("a", "c")),
        ("+4915212345678", "DE", ("c",)),
        ("+4930123456", "DE", ("b", "a")),
        ("+15145550100", "CA", ("c", "b")),
        ("+12125550100", "US", ("b",)),
        ("+33123456789", "FR", ALL),
        ("+33123456789", None, ALL),
    ],
)
def test_the_closest_route_counts(number: str, country: str | None, expected: tuple[str, ...]) -> None:
    """The longest prefix, then the country, then all in the operator's order."""
    assert tuple(gateways_for(ROUTES, ALL, number, country)) == expected


def test_a_route_without_conditions_is_for_all_others() -> None:
    """Instead of every gateway that there is."""
    routes = (Route(gateways=("c",)), *ROUTES)
    assert tuple(gateways_for(routes, ALL, "+33123456789", "FR")) == ("c",)
    assert tuple(gateways_for(routes, ALL, "+4930123456", "DE")) == ("b", "a")
