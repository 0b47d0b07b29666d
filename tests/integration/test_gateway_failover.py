"""Two gateways of different kinds: one dies in the middle, both die, both lie about the order of things."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from nightlatch.app.audit_events import export_events
from nightlatch.bootstrap.doctor import diagnose
from nightlatch.domain.errors import TextVetoed
from nightlatch.domain.records import MessageStatus
from nightlatch.domain.time import SECOND
from nightlatch.ports.directory import EventFilter
from nightlatch.ports.texting import SendRequest
from tests.support.installation import Installation
from tests.support.kannel import PASSWORD, USER, kannel
from tests.support.kept import free_port
from tests.support.listener import Answer, listening
from tests.support.sms_site import CALLER, NUMBER, SmsSite, sms_settings, sms_site
from tests.support.smsc import Smsc

CARRIER = {"NIGHTLATCH_SMS__CARRIER__PASSWORD": "secret"}
BOTH = CARRIER | {"NIGHTLATCH_SMS__OFFICE__PASSWORD": PASSWORD}
SENT = (MessageStatus.SENT, MessageStatus.DELIVERED)


def carrier(port: int) -> str:
    """An SMSC as the first gateway."""
    return f"""
[sms]
sender = "Meridian"

[sms.gateways.carrier]
kind = "smpp"
host = "127.0.0.1"
port = {port}
system_id = "nightlatch"
"""


def office(url: str) -> str:
    """Kannel as another."""
    return f"""
[sms.gateways.office]
kind = "kannel"
url = "{url}"
username = "{USER}"
"""


@asynccontextmanager
async def apart() -> AsyncIterator[tuple[int, asyncio.subprocess.Process]]:
    """An SMSC in a process of its own, which can be killed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.smsc", stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
    )
    assert process.stdout is not None
    try:
        yield int(await process.stdout.readline()), process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def told(site: SmsSite, type_: str) -> list[dict[str, object]]:
    """The data of audit events of a type."""
    await site.opened.sequencer.drain()
    events = [event async for event in export_events(site.opened.ports, CALLER, EventFilter())]
    return [event.data for event in events if event.type == type_]


async def test_a_gateway_is_killed_in_the_middle_and_the_next_one_delivers(sqlite_url: str, tmp_path: Path) -> None:
    """Forty texts, of which none is lost; the first gateway takes them again when it is back."""
    with kannel(tmp_path / "kannel") as network:
        async with apart() as (port, process):
            configuration = carrier(port) + office(network.url)
            async with sms_site(sqlite_url, tmp_path / "site", configuration, BOTH) as site:
                first = [await site.text(f"code {number:06d}") for number in range(10)]
                for message in first:
                    assert (await site.becomes(message, MessageStatus.DELIVERED)).gateway == "carrier"
                queued = [asyncio.create_task(site.text(f"code {number:06d}")) for number in range(10, 40)]
                process.send_signal(signal.SIGKILL)
                later = [await site.becomes(await message, *SENT) for message in queued]
                assert "office" in {message.gateway for message in later}
                by_office = [message for message in later if message.gateway == "office"]
                async with asyncio.timeout(30):
                    while len({text for _, _, text in network.texts()}) < len(by_office):  # noqa: ASYNC110 (it lies in a file)
                        await asyncio.sleep(0.05)  # Kannel says yes before it sends
                async with Smsc(port=port).running() as back:
                    async with asyncio.timeout(60):
                        while not back.taken:
                            await site.becomes(await site.text(), *SENT)
                            await asyncio.sleep(0.2)


async def test_all_gateways_down_nothing_is_marked_as_sent(sqlite_url: str, tmp_path: Path) -> None:
    """It waits, says why, expires; and an expired code does not go out when a gateway comes back."""
    port = free_port()
    configuration = carrier(port) + office(f"http://127.0.0.1:{free_port()}/cgi-bin/sendsms")
    async with sms_site(sqlite_url, tmp_path / "site", configuration, BOTH) as site:
        message = await site.text(ttl=5 * SECOND)
        async with asyncio.timeout(20):
            while not (await site.becomes(message, MessageStatus.WAITING, MessageStatus.EXPIRED)).error:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        stands = await site.becomes(message, MessageStatus.EXPIRED)
        assert stands.error in ("not_connected", "unreachable", "gateway_down")
        assert stands.sealed is None
        async with Smsc(port=port).running() as back:
            await asyncio.sleep(2)
            assert back.taken == []
        assert not await told(site, "message:sent")
        expired = {("sms", "DE", "", "expired"): 1}
        assert await site.counts("nightlatch_messages_total", expired) == expired


@pytest.mark.parametrize("early", [False, True])
async def test_receipts_come_before_and_after_the_answer(database_url: str, tmp_path: Path, early: bool) -> None:
    """Both end in the same."""
    async with Smsc(early=early).running() as smsc:
        async with sms_site(database_url, tmp_path / "site", carrier(smsc.port), CARRIER) as site:
            messages = [await site.text() for _ in range(5)]
            for message in messages:
                await site.becomes(message, MessageStatus.DELIVERED)
            assert len(await told(site, "message:delivered")) == 5
            await site.counts("nightlatch_messages_total", {("sms", "DE", "carrier", "delivered"): 5})
        assert len(smsc.taken) == 5


async def test_a_text_that_did_not_arrive_is_dead(sqlite_url: str, tmp_path: Path) -> None:
    """The receipt says so, and the reason is kept."""
    async with (
        Smsc(state="UNDELIV").running() as smsc,
        sms_site(sqlite_url, tmp_path / "site", carrier(smsc.port), CARRIER) as site,
    ):
        stands = await site.becomes(await site.text(), MessageStatus.DEAD)
        assert stands.error == "smpp_undeliv"


async def test_a_route_decides_which_gateway_serves_a_number(sqlite_url: str, tmp_path: Path) -> None:
    """By the longest prefix, else by country, else in the order of the settings."""
    async with Smsc().running() as smsc, listening() as api:
        api.answer = Answer(200, b"{}")
        configuration = (
            carrier(smsc.port)
            + f"""
[sms.gateways.api]
kind = "http"
url = "{api.url}"
fields = {{ to = "{{to}}", text = "{{text}}" }}

[[sms.routes]]
country = "US"
gateways = ["api", "carrier"]

[[sms.routes]]
prefix = "+49171"
gateways = ["api"]
"""
        )
        async with sms_site(sqlite_url, tmp_path / "site", configuration, CARRIER) as site:
            cases = (("+491713920001", "DE", "api"), ("+4915112345", "DE", "carrier"), ("+12025550123", "US", "api"))
            for number, country, gateway in cases:
                message = await site.text(to=number, country=country)
                assert (await site.becomes(message, *SENT)).gateway == gateway


@pytest.mark.requirement("S8")
@pytest.mark.parametrize("answer", [b'{"send": false, "reason": "sim_swap"}', b"<html>"])
async def test_a_veto_is_asked_before_a_text_is_permitted(
    sqlite_url: str, tmp_path: Path, answer: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """As the settings wire it; an answer that cannot be read is a no, and the log says why."""
    request = SendRequest(
        user_id="usr_1", number=NUMBER, prefix="+49171", country="DE", application_id=None, trusted=True
    )
    async with Smsc().running() as smsc, listening() as service:
        vetoed = carrier(smsc.port).replace("[sms]", f'[sms]\nveto_url = "{service.url}"', 1)
        async with sms_site(sqlite_url, tmp_path / "site", vetoed, CARRIER) as site:
            service.answer = Answer(200, b'{"send": true}')
            await site.opened.ports.texting.permit(request)
            service.answer = Answer(200, answer)
            with pytest.raises(TextVetoed):
                await site.opened.ports.texting.permit(request)
        assert NUMBER.encode() in service.requests[0].body
    assert ("sim_swap" if b"sim_swap" in answer else "veto_unreadable") in caplog.text
    assert NUMBER not in caplog.text


async def test_a_receipt_of_an_api_comes_back_over_http(sqlite_url: str, tmp_path: Path) -> None:
    """Through the server, signed; unsigned it is refused and moves nothing."""
    async with listening() as api:
        api.answer = Answer(200, b"{}")
        configuration = f"""
[sms.gateways.api]
kind = "http"
url = "{api.url}"
fields = {{ to = "{{to}}", text = "{{text}}", id = "{{id}}", callback = "{{receipts}}" }}
"""
        secrets = {"NIGHTLATCH_SMS__API__RECEIPT_SECRET": "receipt-secret"}
        async with (
            sms_site(sqlite_url, tmp_path / "site", configuration, secrets) as site,
            httpx.AsyncClient(timeout=30) as http,
        ):
            message = await site.text()
            await site.becomes(message, MessageStatus.SENT)
            url = f"{site.url}/v1/sms/receipts/api"
            body = b'{"id": "%s", "status": "delivered"}' % message.id.encode()
            assert url.rpartition("/v1")[2].encode() in api.requests[0].body
            assert (await http.post(url, content=body, headers={"content-type": "application/json"})).status_code == 403
            await site.becomes(message, MessageStatus.SENT)
            signature = "sha256=" + hmac.new(b"receipt-secret", body, hashlib.sha256).hexdigest()
            headers = {"content-type": "application/json", "nightlatch-signature": signature}
            assert (await http.post(url, content=body, headers=headers)).status_code == 204
            await site.becomes(message, MessageStatus.DELIVERED)


async def test_doctor_asks_every_gateway(sqlite_url: str, tmp_path: Path) -> None:
    """One that answers, one that does not, one whose template is wrong; nothing is sent to anybody."""
    async with Smsc().running() as smsc:
        configuration = (
            carrier(smsc.port)
            + office(f"http://127.0.0.1:{free_port()}/cgi-bin/sendsms")
            + """
[sms.gateways.api]
kind = "http"
url = "https://sms.example/send"
fields = { to = "{to}", text = "{words}" }
"""
        )
        settings = sms_settings(sqlite_url, tmp_path / "site", configuration, BOTH)
        async with sms_site(sqlite_url, tmp_path / "other", "", {}):
            pass
        found = {finding.name: finding async for finding in diagnose(settings)}
        assert smsc.taken == []
    assert (found["sms carrier"].status, found["sms carrier"].detail) == ("ok", "smpp answers")
    assert (found["sms office"].status, found["sms office"].detail) == ("warn", "kannel does not answer")
    assert found["sms api"].status == "fail"
    assert "{words}" in found["sms api"].detail


async def test_a_server_of_its_own_takes_receipts_for_the_gateways_of_its_settings(tmp_path: Path) -> None:
    """As people start it: what is forged is refused, and a gateway that is none is not there."""
    gateway = {"KIND": "kannel", "URL": "http://127.0.0.1:9/cgi-bin/sendsms", "USERNAME": USER, "PASSWORD": PASSWORD}
    variables = {f"NIGHTLATCH_SMS__OFFICE__{name}": text for name, text in gateway.items()}
    with Installation(tmp_path / "data", environ=variables).serving() as server:
        async with httpx.AsyncClient(base_url=server.url, timeout=30) as http:
            forged = await http.get("/v1/sms/receipts/office", params={"id": "msg_1", "mac": "0", "status": "1"})
            assert (forged.status_code, forged.json()["code"]) == (403, "forbidden")
            assert (await http.get("/v1/sms/receipts/nobody")).status_code == 404
            assert (await http.get("/v1/sms/receipts/nobody?id=1")).status_code == 404
        assert "a receipt was refused" in server.log.read_text("utf-8")
        assert PASSWORD not in server.log.read_text("utf-8")
