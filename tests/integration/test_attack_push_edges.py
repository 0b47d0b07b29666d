"""Attacks on the edges of push: what strangers and phones of our own may send."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.support.api import Api, open_api
from tests.support.ports import World
from tests.support.push_api import held


@pytest.fixture
async def api(world: World) -> AsyncIterator[Api]:
    async with open_api(world) as opened:
        yield opened


@pytest.mark.parametrize("wait", ["", "?wait=1"])
async def test_looking_uses_nothing_up(api: Api, wait: str) -> None:
    """The device's token, told once, is for who reads: HEAD tells nobody anything."""
    maya = await held(api)
    challenge, number = await maya.asked(path := await maya.begin())
    assert await maya.answer(challenge, "approve", number) == "approved"
    for _ in range(2):
        looked = await maya.bank("HEAD", path + wait)
        assert (looked.status_code, looked.content) == (200, b"")
    read = (await maya.bank("GET", path + wait)).json()
    assert (bool(read["device_token"]), bool(read["assertion"])) == (True, True)


@pytest.mark.parametrize(
    "call", [("GET", "/v1/push/challenges?x=1"), ("GET", "/v1/push/factor?\xff"), ("PUT", "/v1/push/subscription")]
)
async def test_strangers_hear_of_the_signature_alone(api: Api, call: tuple[str, str]) -> None:
    """The phone itself hears what is wrong with the rest."""
    maya = await held(api)
    method, path = call
    body = b'{"nope": 1}' if method == "PUT" else b""
    json = {"content-type": "application/json"}
    stranger = await api.http.request(method, path, content=body, headers=json)
    assert (stranger.status_code, stranger.json()["code"]) == (401, "phone_not_paired")
    signature = maya.phone.authorization(method, path.partition("?")[0], body)
    paired = await api.http.request(method, path, content=body, headers=json | {"authorization": signature})
    assert paired.status_code in (400, 422), paired.text
