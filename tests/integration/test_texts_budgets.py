"""Caps hold across workers, known numbers keep their half, and a range whose codes nobody types is paused (S11)."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, replace
from decimal import Decimal

import pytest

from nightlatch.adapters.sql.budgets import SqlBudgets
from nightlatch.adapters.sql.engine import open_database
from nightlatch.app.texts.caps import Caps, Limits
from nightlatch.app.texts.permit import BudgetedTexting
from nightlatch.app.texts.statistics import text_statistics
from nightlatch.app.texts.watch import lift_pause, look_for_pumping
from nightlatch.domain.errors import NotFound, TextsPaused, TextsUnavailable, TextVetoed
from nightlatch.domain.records import SmsSend
from nightlatch.domain.sms.prices import BadPrices, read_prices
from nightlatch.domain.time import DAY, HOUR, MINUTE
from nightlatch.ports.budgets import Cap
from nightlatch.ports.store import Change, UserKey
from nightlatch.ports.texting import SendRequest
from tests.support.ports import OPERATOR, World, open_world

WIDE = Limits(1_000_000, 1_000_000)
OPEN = Caps(user=WIDE, number=WIDE, block=WIDE, prefix=WIDE, country=WIDE, application=WIDE, all=WIDE)


def request(number: int = 0, *, user: int = 0, trusted: bool = False, prefix: str = "+49151") -> SendRequest:
    return SendRequest(
        user_id=f"usr_{user}",
        number=f"{prefix}{number:07d}",
        prefix=prefix,
        country="DE",
        application_id="app_1",
        trusted=trusted,
    )


def texting(world: World, budgets: SqlBudgets | None = None, /, **caps: Limits) -> BudgetedTexting:
    return BudgetedTexting(
        budgets=budgets or SqlBudgets(world.database, world.clock),
        records=world.ports.texts,
        sealer=world.ports.sealer,
        clock=world.clock,
        caps=Caps(**{name: caps.get(name, WIDE) for name in Caps.__struct_fields__}),
        gateways=True,
    )


@dataclass
class Paid:
    """A veto that is paid for by the question."""

    objects: bool = False
    asked: int = 0

    async def objection(self, number: str) -> str | None:
        self.asked += 1
        return "ported" if self.objects else None

    async def close(self) -> None: ...


@pytest.mark.requirement("S8", "S11")
@pytest.mark.parametrize("objects", [False, True])
async def test_nobody_asks_more_questions_than_they_may_send_texts(each_world: World, objects: bool) -> None:
    """Of many numbers, whether they may be texted or not."""
    veto = Paid(objects)
    texts = replace(texting(each_world, user=Limits(8, 20)), veto=veto)
    refused = 0
    for number in range(40):
        try:
            await texts.permit(request(number * 1000))
        except (TextsPaused, TextVetoed):
            refused += 1
    assert (veto.asked, refused) == (8, 40 if objects else 32)


@pytest.mark.requirement("S8", "S11")
async def test_objections_use_up_nothing_that_others_share(world: World) -> None:
    """Else whoever knows bad numbers would silence everybody. And a block that is held is not used up."""
    texts = texting(world, all=Limits(4, 4), user=Limits(8, 20))
    for user in range(6):
        with pytest.raises(TextVetoed):
            await replace(texts, veto=Paid(objects=True)).permit(request(user * 1000, user=user))
    paid = Paid()
    asking = replace(texts, veto=paid)
    assert await permitted(asking, *(request(n * 1000, user=n, trusted=True) for n in range(6))) == 4
    assert paid.asked == 4


async def permitted(texts: BudgetedTexting, *requests: SendRequest) -> int:
    count, waits = 0, []
    for one in requests:
        try:
            await texts.permit(one)
        except TextsPaused as paused:
            waits.append(paused.retry_after)
        else:
            count += 1
    assert all(wait is not None and 0 < wait <= 86_400 for wait in waits)
    return count


@pytest.mark.requirement("S11", "H3")
async def test_fifty_at_once_take_what_is_left_and_no_more(each_world: World, database_url: str) -> None:
    """Of many parallel takers from four processes' budgets, exactly as many as the cap allows get one."""
    database = open_database(database_url)
    workers = [
        SqlBudgets(each_world.database, each_world.clock),
        *(SqlBudgets(database, each_world.clock) for _ in "123"),
    ]
    own = [Cap(key="user:1", limit=7, window=HOUR)]
    shared = [Cap(key="all", limit=40, window=HOUR, shared=True)]
    over = await asyncio.gather(*(workers[n % 4].reserve(own) for n in range(50)))
    assert Counter(cap is None for cap in over) == {True: 7, False: 43}
    over = await asyncio.gather(*(workers[n % 4].reserve(shared) for n in range(200)))
    assert sum(cap is None for cap in over) == 40
    assert await workers[0].used(shared) == [40]
    each_world.clock.advance(HOUR)
    assert await workers[1].reserve(own) is None
    await database.close()


async def test_none_of_a_persons_caps_is_taken_where_one_is_used_up(world: World) -> None:
    """A no costs the others nothing."""
    budgets = SqlBudgets(world.database, world.clock)
    small, large = Cap(key="b", limit=1, window=HOUR), Cap(key="a", limit=9, window=HOUR)
    assert await budgets.reserve([large, small]) is None
    assert await budgets.reserve([large, small]) == small
    assert await budgets.used([large]) == [1]


@pytest.mark.requirement("S11")
@pytest.mark.parametrize("name", ["user", "number", "block", "prefix", "country", "application", "all"])
async def test_every_cap_caps(world: World, name: str) -> None:
    """Each by itself; numbers in a row count as one block."""
    texts = texting(world, None, **{name: Limits(4, 4)})
    apart = {"number": 0, "block": 1}.get(name, 5_000)
    asked = [request(7 + n * apart, user=1 if name == "user" else n) for n in range(12)]
    # Half of what many share is kept for numbers that are known.
    assert await permitted(texts, *asked) == (2 if name in ("prefix", "country", "application", "all") else 4)


@pytest.mark.requirement("S11")
async def test_draining_it_silences_no_known_number(world: World) -> None:
    """Whoever uses up the shared caps with new numbers leaves the other half to those known for a week."""
    texts = texting(world, all=Limits(100, 100))
    assert await permitted(texts, *(request(n, user=n) for n in range(200))) == 50
    assert await permitted(texts, *(request(n, user=n, trusted=True) for n in range(60))) == 50


async def test_without_a_gateway_nothing_is_taken(world: World) -> None:
    """An objection takes of the person's own; and each says which it was."""
    texts = texting(world, user=Limits(2, 2))
    with pytest.raises(TextsUnavailable):
        await replace(texts, gateways=False).permit(request())
    with pytest.raises(TextVetoed):
        await replace(texts, veto=Paid(objects=True)).permit(request())
    await texts.permit(request())
    with pytest.raises(TextsPaused):
        await texts.permit(request())


async def sent(world: World, count: int, verified: int, *, prefix: str, trusted: bool = False) -> None:
    """Texts to a range, so many of whose codes were typed."""
    now = world.clock.now()
    user = f"usr_{prefix[1:]:0>32}"
    version = (await world.ports.store.load(UserKey(user=user))).version
    rows = tuple(
        SmsSend(
            id=f"msg_{prefix[1:]}{int(trusted)}{now}{n:06d}",
            user_id=user,
            application_id="app_1",
            challenge_id="chl_1",
            number_hash=n.to_bytes(8, "big"),
            prefix=prefix,
            country="DE" if prefix.startswith("+49") else "LV",
            trusted=trusted,
            at=now,
            verified_at=now if n < verified else None,
        )
        for n in range(count)
    )
    await world.ports.store.commit(Change(root=user, expected=version, new=rows))


async def test_a_range_whose_codes_nobody_types_is_paused(each_world: World) -> None:
    """With an event; known numbers there are texted on; it ends by itself, or by an operator's word."""
    world = each_world
    await sent(world, 40, 1, prefix="+371200")
    await sent(world, 40, 30, prefix="+49151")
    await sent(world, 40, 0, prefix="+49170", trusted=True)
    assert await look_for_pumping(world.ports) == 0  # people may still be typing
    world.clock.advance(10 * MINUTE)
    assert await look_for_pumping(world.ports) == 1
    assert await look_for_pumping(world.ports) == 0
    texts = texting(world)
    assert await permitted(texts, request(prefix="+371200"), request(prefix="+49151"), request(prefix="+49170")) == 2
    assert await permitted(texts, request(prefix="+371200", trusted=True)) == 1
    told = await text_statistics(world.ports, since=world.clock.now() - DAY)
    assert [pause.prefix for pause in told.paused] == ["+371200"]
    await lift_pause(world.ports, OPERATOR, "+371200")
    assert await permitted(texts, request(prefix="+371200")) == 1
    with pytest.raises(NotFound):
        await lift_pause(world.ports, OPERATOR, "+371200")


async def test_the_report_counts_and_costs(each_world: World) -> None:
    """By range, the dearest first; a text that no gateway took costs nothing."""
    await sent(each_world, 3, 1, prefix="+371200")
    await sent(each_world, 5, 5, prefix="+49151")
    prices = read_prices("country,price,currency\nLV,0.12,EUR\n*,0.05,EUR\n")
    ports = replace(each_world.ports, prices=prices)
    told = await text_statistics(ports, since=each_world.clock.now() - DAY, until=each_world.clock.now() + 1)
    assert {(row.prefix, row.asked, row.verified, row.sent) for row in told.rows} == {
        ("+371200", 3, 1, 0),
        ("+49151", 5, 5, 0),
    }
    assert (told.cost, told.currency) == (Decimal(0), "EUR")


@pytest.mark.parametrize(
    "line", ["DE", "de,1,EUR", "DE,x,EUR", "DE,-1,EUR", "DE,NaN,EUR", "DE,1,EUR\nDE,2,EUR", "DE,1,EUR\nFR,1,USD"]
)
def test_a_bad_price_file_names_its_line(line: str) -> None:
    """Where it is wrong, and what would be right."""
    with pytest.raises(BadPrices) as bad:
        read_prices(line)
    assert bad.value.line == line.count("\n") + 1


@pytest.mark.requirement("S11")
async def test_a_pumping_attack_is_capped_across_workers(
    migrated_postgres_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A thousand requests over 500 numbers in two ranges, through four workers: the caps hold to the text."""
    async with open_world(migrated_postgres_url) as world:
        total, asked = await _attacked(world)
    with capsys.disabled():
        print(f"\npumping: {asked} texts asked for, {total} permitted, {total * Decimal('0.0775')} EUR at 0.0775")
    assert total <= 100
    assert total >= 90  # blocks that a worker holds may lie idle, never be granted twice


async def _attacked(world: World) -> tuple[int, int]:
    caps = {"prefix": Limits(120, 1_000), "country": Limits(200, 3_000), "number": Limits(8, 20)}
    workers = [texting(world, SqlBudgets(world.database, world.clock), **caps) for _ in range(4)]
    asked = [request(n % 250 * 40, user=n, prefix=("+49151", "+49170")[n % 2]) for n in range(1_200)]
    counts = await asyncio.gather(*(permitted(workers[w], *asked[w::4]) for w in range(4)))
    return sum(counts), len(asked)
