"""What gateways tell of texts that they took. Each proves itself its own way; who cannot is told nothing."""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from nightlatch.app.deliver.receipts import receive_receipts
from nightlatch.domain.errors import Forbidden, NotFound
from nightlatch.ports.delivery import Callback, Forged, ReceiptReader
from nightlatch.web.common.body import JSON
from nightlatch.web.common.endpoint import Call, Endpoints, Text

PATH = "/v1/sms/receipts/{gateway}"
ACCEPTS = (JSON, "application/x-www-form-urlencoded", "text/plain")
"""Amazon SNS sends JSON and calls it text/plain."""

EXAMPLE = {"id": "msg_019b2dcd7c0071899e87245420439a6f", "status": "delivered"}

log = structlog.get_logger("nightlatch.web")


def receipt_endpoints(readers: Mapping[str, ReceiptReader]) -> Endpoints:
    """One address a gateway, by its name in the settings."""
    made = Endpoints("Texts")

    @made.get(PATH, scope=None, status=204, foreign=True, refusals=(Forbidden,))
    async def report_receipt(call: Call, gateway: str) -> None:
        """Tell what became of a text, in the query.

        For the gateways of the settings only: each proves itself by its own signature.
        """
        await _taken(readers, call, gateway, b"")

    @made.post(PATH, scope=None, status=204, foreign=True, accepts=ACCEPTS, refusals=(Forbidden,), example=EXAMPLE)
    async def post_receipt(call: Call, gateway: str, body: Text) -> None:
        """Tell what became of a text.

        For the gateways of the settings only: each proves itself by its own signature.
        """
        await _taken(readers, call, gateway, body.text.encode())

    return made


async def _taken(readers: Mapping[str, ReceiptReader], call: Call, gateway: str, body: bytes) -> None:
    reader = readers.get(gateway)
    if reader is None:
        raise NotFound
    query = call.query_string.decode("ascii", "replace")
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in call.headers.items()}
    # The address as the gateway knows it: whoever stands in between may have changed Host.
    url = call.public_url + PATH.format(gateway=gateway) + (f"?{query}" if query else "")
    try:
        receipts = await reader.read(Callback(url=url, query=query, headers=headers, body=body))
    except Forged as error:
        log.warning("a receipt was refused", gateway=gateway, reason=str(error))
        raise Forbidden("This does not prove that it comes from the gateway.") from None
    if receipts:
        await receive_receipts(call.ports, receipts)
