"""Whoever knows the name of a topic makes us fetch certificates: seldom, one after the other, and none that we have."""

from __future__ import annotations

import asyncio

import pytest

from nightlatch.adapters.delivery.sns_certificates import FETCHES, KEPT, Certificates
from nightlatch.ports.delivery import Forged, NotSent
from tests.support.certificates import self_signed

PEM, _ = self_signed("sns.amazonaws.com")
HOST = "https://sns.eu-central-1.amazonaws.com"


class Amazon:
    """Answers with one certificate where there is one, and counts."""

    def __init__(self) -> None:
        self.fetched: list[str] = []
        self.answering = 0
        self.most = 0
        self.seconds = 0.0

    async def fetch(self, url: str) -> bytes:
        self.fetched.append(url)
        self.answering += 1
        self.most = max(self.most, self.answering)
        await asyncio.sleep(0)
        self.answering -= 1
        if "bad" in url:
            raise NotSent("amazon_404")
        return b"no certificate" if "odd" in url else PEM

    def now(self) -> float:
        return self.seconds

    def certificates(self) -> Certificates:
        return Certificates(self.fetch, self.now)


def named(name: str) -> str:
    return f"{HOST}/SimpleNotificationService-{name}.pem"


async def refused(certificates: Certificates, url: str) -> str:
    with pytest.raises(Forged) as why:
        await certificates.key(url)
    return str(why.value)


async def test_a_crowd_fetches_once() -> None:
    """A burst of receipts after a start."""
    amazon = Amazon()
    certificates = amazon.certificates()
    keys = await asyncio.gather(*(certificates.key(named("a")) for _ in range(50)))
    assert (len(amazon.fetched), len({id(key) for key in keys})) == (1, 1)


@pytest.mark.parametrize("name", ["bad", "odd"])
async def test_what_is_not_there_is_asked_for_once_a_minute(name: str) -> None:
    """By however many posts."""
    amazon = Amazon()
    certificates = amazon.certificates()
    for _ in range(50):
        await refused(certificates, named(name))
    assert len(amazon.fetched) == 1
    amazon.seconds = 61
    await refused(certificates, named(name))
    assert len(amazon.fetched) == 2


async def test_many_names_fetch_little_and_one_at_a_time() -> None:
    """Fifty posts, each with a name of its own."""
    amazon = Amazon()
    certificates = amazon.certificates()
    done = await asyncio.gather(*(certificates.key(named(f"bad{n}")) for n in range(50)), return_exceptions=True)
    assert all(isinstance(one, Forged) for one in done)
    assert (len(amazon.fetched), amazon.most) == (FETCHES, 1)
    assert "too many" in await refused(certificates, named("a"))
    amazon.seconds = 61
    await certificates.key(named("a"))


async def test_what_signed_something_stays() -> None:
    """However many others strangers name."""
    amazon = Amazon()
    certificates = amazon.certificates()
    await certificates.key(named("ours"))
    certificates.proved(named("ours"))
    for n in range(3 * KEPT):
        amazon.seconds += 60
        await certificates.key(named(f"other{n}"))
    amazon.fetched.clear()
    await certificates.key(named("ours"))
    assert amazon.fetched == []
    await certificates.key(named("other0"))
    assert len(amazon.fetched) == 1


@pytest.mark.parametrize("rest", ["?n=1", "#1", "/x", ";x"])
async def test_one_certificate_has_one_address(rest: str) -> None:
    """Else each is another."""
    assert "not at Amazon's" in await refused(Amazon().certificates(), named("a") + rest)
