"""Whether a text may be sent: a gateway, no pause, no objection, and a budget (S8, S11)."""

from __future__ import annotations

from dataclasses import dataclass

from nightlatch.app.texts.caps import Caps, block_of, caps_for
from nightlatch.domain.errors import TextsPaused, TextsUnavailable, TextVetoed
from nightlatch.domain.time import SECOND, whole_seconds
from nightlatch.ports.budgets import Budgets, Cap
from nightlatch.ports.delivery import SmsVeto
from nightlatch.ports.keys import Sealer
from nightlatch.ports.texting import SendRequest
from nightlatch.ports.texts import TextRecords
from nightlatch.ports.world import Clock


@dataclass(frozen=True, slots=True)
class BudgetedTexting:
    """See ``ports.texting.Texting``. Asked in the order of what a no costs: nothing, a look, a question, a budget.

    Questions may be paid for, so nobody has more of them than texts: none is asked where a budget is used up, and what
    is objected to uses up the person's own.
    """

    budgets: Budgets
    records: TextRecords
    sealer: Sealer
    clock: Clock
    caps: Caps
    gateways: bool
    voip_numbers: bool = False
    veto: SmsVeto | None = None

    async def permit(self, request: SendRequest, /) -> None:
        """Raises ``TextsUnavailable``, ``TextsPaused``, ``TextVetoed``."""
        if not self.gateways:
            raise TextsUnavailable
        await self._require_no_pause(request)
        caps = caps_for(
            self.caps,
            request,
            number=self._digest("sms-number", request.number),
            block=self._digest("sms-block", block_of(request.number)),
        )
        if self.veto is not None:
            self._require_left(await self.budgets.full(caps))
            if await self.veto.objection(request.number) is not None:
                await self.budgets.reserve([cap for cap in caps if not cap.shared])
                raise TextVetoed
        self._require_left(await self.budgets.reserve(caps))

    def _require_left(self, used_up: Cap | None) -> None:
        if used_up is not None:
            now = self.clock.now()
            raise TextsPaused(retry_after=whole_seconds(used_up.window - now % used_up.window))

    async def _require_no_pause(self, request: SendRequest) -> None:
        """A pause is for numbers that nobody knows yet: those who were texted there for a week still are."""
        if request.trusted:
            return
        pause = await self.records.pause(request.prefix)
        now = self.clock.now()
        if pause is not None and pause.paused_at - SECOND <= now < pause.until:
            raise TextsPaused(retry_after=whole_seconds(pause.until - now))

    def _digest(self, purpose: str, text: str) -> str:
        return self.sealer.digest(purpose, text.encode()).hex()
