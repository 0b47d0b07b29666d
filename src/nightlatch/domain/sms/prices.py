"""What texts cost, by country, from a file that the operator keeps."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

import msgspec

_COUNTRY = re.compile(r"[A-Z]{2}|\*")


class Prices(msgspec.Struct, frozen=True, kw_only=True):
    """A price a text, in one currency. ``*`` is for every country that is not named."""

    currency: str
    by_country: Mapping[str, Decimal]

    def of(self, country: str) -> Decimal | None:
        """The price of a text to a country; None where the file says nothing."""
        return self.by_country.get(country, self.by_country.get("*"))


class BadPrices(ValueError):
    """Why a price file cannot be used; ``line`` is from 1."""

    def __init__(self, line: int, detail: str) -> None:
        super().__init__(f"line {line}: {detail}")
        self.line = line


def read_prices(text: str) -> Prices:
    """Read lines of ``country,price,currency``, such as ``DE,0.0775,EUR``. Raises ``BadPrices``."""
    prices: dict[str, Decimal] = {}
    currency = ""
    for number, row in enumerate(csv.reader(text.splitlines()), 1):
        cells = [cell.strip() for cell in row]
        if not any(cells) or cells[0].startswith("#") or cells[0].lower() == "country":
            continue
        if len(cells) != 3:
            raise BadPrices(number, "write country, price, currency, such as DE,0.0775,EUR")
        country, price, of = cells
        if not _COUNTRY.fullmatch(country):
            raise BadPrices(number, f"{country!r} is no country; two capital letters, or * for all others")
        if country in prices:
            raise BadPrices(number, f"{country} has a price already")
        if currency not in ("", of):
            raise BadPrices(number, f"all prices are in one currency: {currency}, not {of}")
        prices[country], currency = _price(number, price), of
    return Prices(currency=currency, by_country=prices)


def _price(line: int, text: str) -> Decimal:
    try:
        price = Decimal(text)
    except InvalidOperation:
        raise BadPrices(line, f"{text!r} is no price") from None
    if not price.is_finite() or price < 0:
        raise BadPrices(line, f"{text!r} is no price")
    return price
