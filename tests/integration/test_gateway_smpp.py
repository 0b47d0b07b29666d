"""SMPP against another implementation's SMSC: what is sent, what comes back, and what happens when the line breaks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import smpp34

from nightlatch.adapters.delivery import smpp, smpp_session
from nightlatch.adapters.delivery.options import SmppOptions
from nightlatch.adapters.delivery.smpp import SmppGateway
from nightlatch.adapters.system import SystemClock
from nightlatch.domain.errors import Unavailable
from nightlatch.domain.time import MINUTE
from nightlatch.ports.delivery import NotSent, Text
from nightlatch.ports.outbox import Receipt
from tests.support.certificates import certificate_for
from tests.support.kept import free_port
from tests.support.smsc import (
    BAD_DESTINATION,
    BAD_LENGTH,
    BAD_SOURCE,
    QUEUE_FULL,
    RECEIPT,
    SYSTEM_ERROR,
    THROTTLED,
    Smsc,
    encrypted,
)

NUMBER = "+491713920001"
WORDS = "602931 is your Meridian code."


@dataclass
class Told:
    """Receipts as they are stored; ``failures`` of the next batches are not."""

    receipts: list[Receipt] = field(default_factory=list)
    failures: int = 0

    async def receive(self, receipts: Sequence[Receipt]) -> None:
        """Store them, or not."""
        if self.failures:
            self.failures -= 1
            raise Unavailable
        self.receipts += receipts


def a_text(words: str = WORDS, to: str = NUMBER) -> Text:
    """A text for five minutes."""
    return Text(id="msg_1", to=to, text=words, expires_at=SystemClock().now() + 5 * MINUTE)


@asynccontextmanager
async def gateway_to(port: int, told: Told | None = None, **options: Any) -> AsyncIterator[SmppGateway]:
    """A gateway that is started, and closed at the end."""
    given: dict[str, Any] = {"name": "smsc", "host": "127.0.0.1", "port": port, "system_id": "nl", "password": "secret"}
    made = SmppOptions(**(given | options))
    gateway = SmppGateway(made, SystemClock(), (told or Told()).receive, sender="Meridian")
    gateway.start()
    try:
        yield gateway
    finally:
        await gateway.close()


async def until(true: Callable[[], bool], within: float = 30) -> None:
    """Wait until it is so."""
    async with asyncio.timeout(within):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def refusal(gateway: SmppGateway, text: Text | None = None) -> NotSent:
    """Why it did not send."""
    with pytest.raises(NotSent) as caught:
        await gateway.send(text or a_text())
    return caught.value


async def test_a_text_arrives_and_its_receipt_comes_back() -> None:
    """To an international number in digits, from a name, with a validity, in the SMSC's own alphabet."""
    told = Told()
    async with Smsc().running() as smsc, gateway_to(smsc.port, told) as gateway:
        accepted = await gateway.send(a_text())
        await until(lambda: bool(told.receipts))
        assert await gateway.healthy()
    (taken,) = smsc.taken
    assert (taken.destination_addr, taken.dest_addr_ton, taken.dest_addr_npi) == (NUMBER[1:], 1, 1)
    assert (taken.source_addr, taken.source_addr_ton, taken.source_addr_npi) == ("Meridian", 5, 0)
    assert (taken.short_message, taken.data_coding, taken.esm_class) == (WORDS.encode(), 0, 0)
    assert accepted.reference == "p1"
    assert told.receipts == [Receipt(gateway="smsc", reference="p1", delivered=True)]


@pytest.mark.parametrize(
    ("sender", "address"),
    [
        ("+4915112345678", ("4915112345678", 1, 1)),
        ("4915112345678", ("4915112345678", 1, 1)),
        ("70707", ("70707", 3, 0)),
        ("Bank", ("Bank", 5, 0)),
    ],
)
async def test_a_sender_has_the_type_that_it_looks_like(sender: str, address: tuple[str, int, int]) -> None:
    """SMPP 3.4 §5.2.5."""
    async with Smsc().running() as smsc, gateway_to(smsc.port, sender=sender) as gateway:
        await gateway.send(a_text())
    (taken,) = smsc.taken
    assert (taken.source_addr, taken.source_addr_ton, taken.source_addr_npi) == address


async def test_what_the_gsm_alphabet_lacks_goes_as_ucs2() -> None:
    """Chinese and a face; and what it has escaped does not."""
    async with Smsc().running() as smsc, gateway_to(smsc.port) as gateway:
        await gateway.send(a_text("验证码 602931 🙂"))
        await gateway.send(a_text("602931 kostet 5 € [Grüße]"))
    chinese, german = smsc.taken
    assert (chinese.data_coding, chinese.short_message.decode("utf-16-be")) == (8, "验证码 602931 🙂")
    assert (german.data_coding, german.short_message) == (0, b"602931 kostet 5 \x1b\x65 \x1b\x3cGr\x7e\x1ee\x1b\x3e")


@pytest.mark.parametrize("words", ["a" * 306 + "€", "码" * 140])
async def test_a_long_text_goes_in_parts_that_the_phone_puts_together(words: str) -> None:
    """One receipt for the last, whose name is the text's; no escaped character is torn apart."""
    told = Told()
    async with Smsc().running() as smsc, gateway_to(smsc.port, told) as gateway:
        accepted = await gateway.send(a_text(words))
        await until(lambda: bool(told.receipts))
    parts = sorted(smsc.taken, key=lambda one: one.short_message[5])
    assert [one.short_message[:6] for one in parts] == [bytes((5, 0, 3, 1, 3, place)) for place in (1, 2, 3)]
    assert {one.esm_class for one in parts} == {0x40}
    assert max(len(one.short_message) for one in parts) <= (140 if "码" in words else 160)
    assert [one.registered_delivery for one in parts] == [0, 0, 1]
    body = b"".join(one.short_message[6:] for one in parts)
    assert body == (words.encode("utf-16-be") if "码" in words else b"a" * 306 + b"\x1b\x65")
    assert [receipt.reference for receipt in told.receipts] == [accepted.reference]


@pytest.mark.parametrize(
    ("status", "reason", "permanent"),
    [
        (THROTTLED, "throttled", False),
        (QUEUE_FULL, "throttled", False),
        (SYSTEM_ERROR, "smpp_0x8", False),
        (BAD_DESTINATION, "bad_number", True),
        (BAD_LENGTH, "too_long", True),
        (BAD_SOURCE, "smpp_0xa", False),
    ],
)
async def test_a_refusal_says_whether_another_gateway_may_try(status: int, reason: str, permanent: bool) -> None:
    """Only the number's and the text's own faults are everybody's."""
    async with Smsc(status=lambda _: status).running() as smsc, gateway_to(smsc.port) as gateway:
        failure = await refusal(gateway)
    assert (failure.reason, failure.permanent, failure.uncertain) == (reason, permanent, False)


async def test_who_was_told_to_slow_down_waits_before_it_asks_again() -> None:
    """What comes meanwhile is left to other gateways, unasked."""
    asked: list[int] = []

    def throttled(_: smpp34.SubmitSmEvent) -> int:
        asked.append(1)
        return THROTTLED if len(asked) == 1 else 0

    async with Smsc(status=throttled).running() as smsc, gateway_to(smsc.port) as gateway:
        for _ in range(5):
            assert (await refusal(gateway)).reason == "throttled"
        assert len(asked) == 1
        await asyncio.sleep(smpp.HELD_BACK)
        await gateway.send(a_text())
    assert len(smsc.taken) == 1


async def test_an_answer_that_is_lost_leaves_it_uncertain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody else may send this text now: it may be on its way."""
    async with Smsc().running() as smsc, gateway_to(smsc.port) as gateway:
        await gateway.send(a_text())
        monkeypatch.setattr(smpp_session, "ANSWER_SECONDS", 0.3)
        smsc.status = lambda _: None
        failure = await refusal(gateway)
        assert (failure.reason, failure.uncertain) == ("timeout", True)


async def test_a_line_that_breaks_is_mended_and_says_what_was_under_way() -> None:
    """What was written is uncertain; what comes while there is no line certainly was not sent."""
    smsc = Smsc()
    async with smsc.running(), gateway_to(smsc.port) as gateway:
        await gateway.send(a_text())
        smsc.status = lambda _: None
        under_way = asyncio.create_task(refusal(gateway))
        await until(lambda: len(smsc.taken) == 2)
        await smsc.unbind()
        assert (await under_way).uncertain
        failure = await refusal(gateway)
        assert (failure.reason, failure.uncertain) == ("not_connected", False)
        smsc.status = lambda _: 0
        await until(lambda: smsc.bound == 2)
        await until(lambda: gateway._session is not None)
        await gateway.send(a_text())


async def test_an_smsc_that_comes_late_is_found() -> None:
    """Until then every text is refused at once, and nobody waits."""
    port = free_port()
    async with gateway_to(port) as gateway:
        assert (await refusal(gateway)).reason == "not_connected"
        assert not await gateway.healthy()
        async with Smsc(port=port).running():
            await until(lambda: gateway._session is not None)
            await gateway.send(a_text())


async def test_a_silent_line_is_asked_and_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """enquire_link: an SMSC that answers keeps its session, one that hangs loses it."""
    monkeypatch.setattr(smpp_session, "ANSWER_SECONDS", 2.0)
    async with Smsc().running() as smsc, gateway_to(smsc.port, enquire_seconds=1) as gateway:
        await asyncio.sleep(2.5)
        assert smsc.bound == 1
        await gateway.send(a_text())

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        bind = await reader.readexactly(int.from_bytes(await reader.readexactly(4), "big") - 4)
        writer.write(bytes.fromhex("00000014") + bytes.fromhex("80000009") + bytes(4) + bind[8:12] + b"HNG\0")
        await reader.read()
        writer.close()

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    async with gateway_to(server.sockets[0].getsockname()[1], enquire_seconds=1) as gateway:
        await until(lambda: gateway._session is not None)
        await until(lambda: gateway._session is None)
    server.close()


async def test_a_receipt_that_could_not_be_stored_comes_again() -> None:
    """It is acknowledged only once it is kept."""
    told = Told(failures=2)
    async with Smsc().running() as smsc, gateway_to(smsc.port, told) as gateway:
        await gateway.send(a_text())
        await until(lambda: smsc.told == 1)
    assert smsc.refused == 2
    assert [receipt.reference for receipt in told.receipts] == ["p1"]


@pytest.mark.parametrize(
    ("receipt", "state", "outcome"),
    [
        (RECEIPT, "UNDELIV", [(False, "smpp_undeliv")]),
        (RECEIPT, "EXPIRED", [(False, "smpp_expired")]),
        (RECEIPT, "ACCEPTD", []),
        (RECEIPT, "UNKNOWN", []),
        ("id:{id} sub:001 dlvrd:001 submit date:260101000059 done date:260101000159 stat:{stat} err:0A1 text:hi",
         "DELIVRD", [(True, None)]),
        ("stat:{stat}", "DELIVRD", []),
        ("\x00\xff nonsense", "DELIVRD", []),
    ],
)  # fmt: skip
async def test_receipts_of_every_kind_are_read(
    receipt: str, state: str, outcome: list[tuple[bool, str | None]]
) -> None:
    """States on the way move nothing, odd dates are no matter, and what cannot be read does not end the receiving."""
    told = Told()
    async with Smsc(state=state, receipt=receipt).running() as smsc, gateway_to(smsc.port, told) as gateway:
        await gateway.send(a_text())
        await until(lambda: smsc.told == 1)
        smsc.receipt, smsc.state = RECEIPT, "DELIVRD"
        await gateway.send(a_text())
        await until(lambda: bool(told.receipts) and told.receipts[-1].reference == "p2")
    assert [(one.delivered, one.error) for one in told.receipts[:-1]] == outcome


async def test_no_more_are_under_way_than_the_window_holds() -> None:
    """The others wait for their turn."""
    most = now = 0

    async with Smsc().running() as smsc, gateway_to(smsc.port, window=3) as gateway:
        answer = smsc._submitted

        async def slowly(event: smpp34.SubmitSmEvent) -> None:
            nonlocal most, now
            now += 1
            most = max(most, now)
            await asyncio.sleep(0.05)
            now -= 1
            await answer(event)

        smsc._submitted = slowly  # type: ignore[method-assign]
        await asyncio.gather(*(gateway.send(a_text()) for _ in range(12)))
    assert most == 3
    assert len(smsc.taken) == 12


async def test_tls_checks_whose_certificate_it_is(tmp_path: Path) -> None:
    """With an authority that the settings name; without it, and with another name, nothing is sent."""
    authority, key = certificate_for("localhost", tmp_path)
    async with Smsc().running() as smsc, encrypted(smsc.port, str(authority), str(key)) as port:
        async with gateway_to(port, host="localhost", tls=True, ca_file=str(authority)) as gateway:
            await gateway.send(a_text())
        for host, trusted in (("localhost", None), ("127.0.0.1", str(authority))):
            async with gateway_to(port, tls=True, host=host, ca_file=trusted) as gateway:
                assert (await refusal(gateway)).reason == "not_connected"
    assert smsc.bound == 1


@pytest.mark.requirement("K3")
async def test_neither_number_nor_code_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Whatever goes wrong."""
    caplog.set_level("DEBUG")
    async with Smsc(receipt="\x00nonsense").running() as smsc, gateway_to(smsc.port) as gateway:
        await gateway.send(a_text())
        await until(lambda: smsc.told == 1)
        smsc.status = lambda _: SYSTEM_ERROR
        await refusal(gateway)
        await smsc.unbind()
        await until(lambda: smsc.bound == 2)
    assert caplog.text
    assert NUMBER[1:] not in caplog.text
    assert "602931" not in caplog.text
