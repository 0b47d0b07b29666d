"""Kannel itself: texts reach the network behind it, and its delivery reports come back proved."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from nightlatch.adapters.delivery.kannel import KannelGateway
from nightlatch.adapters.delivery.options import KannelOptions
from nightlatch.adapters.system import SystemClock
from nightlatch.domain.records import MessageStatus
from nightlatch.domain.time import MINUTE
from nightlatch.ports.delivery import Callback, Forged, NotSent, Text
from nightlatch.ports.outbox import Receipt
from tests.support.kannel import PASSWORD, USER, Kannel, kannel
from tests.support.kept import free_port
from tests.support.sms_site import NUMBER, WORDS, sms_site

RECEIPTS = "https://mfa.example/v1/sms/receipts/office"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kannel]:
    """One for these tests."""
    with kannel(tmp_path_factory.mktemp("kannel")) as started:
        yield started


def gateway_to(url: str, **options: str) -> KannelGateway:
    """A gateway by itself."""
    given = {"name": "office", "url": url, "username": USER, "password": PASSWORD} | options
    return KannelGateway(KannelOptions(**given), SystemClock(), sender="Meridian", receipts_url=RECEIPTS)


def a_text(words: str = WORDS) -> Text:
    """A text for five minutes."""
    return Text(id="msg_1", to=NUMBER, text=words, expires_at=SystemClock().now() + 5 * MINUTE)


def configuration(running: Kannel) -> str:
    """The settings that name it."""
    return f"""
[sms]
sender = "Meridian"

[sms.gateways.office]
kind = "kannel"
url = "{running.url}"
username = "{USER}"
"""


async def test_a_text_goes_through_kannel_and_its_report_comes_back(
    running: Kannel, database_url: str, tmp_path: Path
) -> None:
    """From the outbox to the network, and from the network to the message; both are counted."""
    secrets = {"NIGHTLATCH_SMS__OFFICE__PASSWORD": PASSWORD}
    async with sms_site(database_url, tmp_path / "site", configuration(running), secrets) as site:
        message = await site.text()
        stands = await site.becomes(message, MessageStatus.DELIVERED)
        assert (stands.gateway, stands.reference, stands.sealed) == ("office", message.id, None)
        counted = {("sms", "DE", "office", "sent"): 1, ("sms", "DE", "office", "delivered"): 1}
        assert await site.counts("nightlatch_messages_total", counted) == counted
        took = {("sms", "office"): 1}
        assert await site.counts("nightlatch_delivery_seconds_count", took) == took
    assert ("Meridian", NUMBER, WORDS) in running.texts()


@pytest.mark.parametrize("words", ["602931 & 50 % = 5 $? Grüße", "验证码 602931, 5 €+1", "long " * 60 + "602931"])
async def test_every_character_arrives(running: Kannel, words: str) -> None:
    """In whichever alphabet and how many parts Kannel sends it."""
    gateway = gateway_to(running.url)
    before = len(running.texts())
    await gateway.send(a_text(words))
    await gateway.close()
    async with asyncio.timeout(30):
        while "".join(text for _, _, text in running.texts()[before:]) != words:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_a_wrong_password_is_the_gateways_fault(running: Kannel) -> None:
    """Another gateway may have the text at once."""
    gateway = gateway_to(running.url, password="wrong")
    with pytest.raises(NotSent) as caught:
        await gateway.send(a_text())
    await gateway.close()
    assert (caught.value.reason, caught.value.permanent, caught.value.uncertain) == ("kannel_403", False, False)


async def test_a_kannel_that_is_not_there_did_not_take_it() -> None:
    """And is not healthy."""
    gateway = gateway_to(f"http://127.0.0.1:{free_port()}/cgi-bin/sendsms")
    with pytest.raises(NotSent) as caught:
        await gateway.send(a_text())
    assert (caught.value.reason, caught.value.uncertain) == ("unreachable", False)
    assert not await gateway.healthy()
    await gateway.close()


async def test_a_report_proves_which_text_it_is_of(running: Kannel) -> None:
    """Its MAC is of one gateway and one text; Kannel fills in the rest."""
    gateway = gateway_to(running.url)
    query = gateway._report_url(a_text()).partition("?")[2]

    async def read(query: str, by: KannelGateway = gateway) -> list[Receipt]:
        return list(await by.read(Callback(url=f"{RECEIPTS}?{query}", query=query, headers={}, body=b"")))

    delivered = Receipt(gateway="office", reference="msg_1", delivered=True)
    failed = Receipt(gateway="office", reference="msg_1", delivered=False, error="kannel_dlr_16")
    assert await read(query.replace("%d", "1")) == [delivered]
    assert await read(query.replace("%d", "16")) == [failed]
    assert await read(query.replace("%d", "8")) == []
    for forged in (query.replace("msg_1", "msg_2"), query.replace("mac=", "mac=0"), "status=1", "", "id=msg_1&mac=é"):
        with pytest.raises(Forged):
            await read(forged)
    with pytest.raises(Forged):
        await read(query, gateway_to(running.url, name="branch"))
    with pytest.raises(Forged):
        await read(query, gateway_to(running.url, password="other"))


async def test_over_http_a_forged_report_moves_nothing(running: Kannel, sqlite_url: str, tmp_path: Path) -> None:
    """403, and 404 for a gateway that is none; the message stands where it stood."""
    secrets = {"NIGHTLATCH_SMS__OFFICE__PASSWORD": PASSWORD}
    async with (
        sms_site(sqlite_url, tmp_path / "site", configuration(running), secrets) as site,
        httpx.AsyncClient(base_url=site.url, timeout=30) as http,
    ):
        message = await site.text()
        await site.becomes(message, MessageStatus.DELIVERED)
        forged = {"id": message.id, "mac": "0" * 64, "status": "2"}
        assert (await http.get("/v1/sms/receipts/office", params=forged)).status_code == 403
        assert (await http.post("/v1/sms/receipts/office", json=forged)).status_code == 403
        assert (await http.get("/v1/sms/receipts/nobody", params=forged)).status_code == 404
        await site.becomes(message, MessageStatus.DELIVERED)
