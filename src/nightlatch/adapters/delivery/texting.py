"""Texts are permitted where there is a gateway to send them."""

from __future__ import annotations

from nightlatch.domain.errors import TextsUnavailable
from nightlatch.ports.texting import SendRequest


class PlainTexting:
    """See ``ports.texting.Texting``. No budget is asked."""

    def __init__(self, *, gateways: bool, voip_numbers: bool = False) -> None:
        self._gateways = gateways
        self._voip_numbers = voip_numbers

    @property
    def voip_numbers(self) -> bool:
        """Whether numbers that lie on the Internet will do."""
        return self._voip_numbers

    async def permit(self, _request: SendRequest, /) -> None:
        """Raises ``TextsUnavailable`` where nothing could be sent to anybody."""
        if not self._gateways:
            raise TextsUnavailable
