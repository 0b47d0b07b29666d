"""A push service on this machine: Mozilla's protocol towards the browser, RFC 8030 towards us, RFC 8292 checked."""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey
from websockets.asyncio.server import ServerConnection, serve

from tests.support.listener import Answer, Listener, Seen, listening

PROTOCOL = "push-notification"
LONGEST_LIFE = 86_400


@dataclass
class PushService:
    """``browser_url`` is for the browser's settings, ``url`` is the origin of its endpoints."""

    listener: Listener
    now: int
    browser_url: str = ""
    channels: dict[str, tuple[str, str, str | None]] = field(default_factory=dict)
    browsers: dict[str, ServerConnection] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def url(self) -> str:
        """Scheme, host and port of every endpoint."""
        return self.listener.url

    async def talk(self, browser: ServerConnection) -> None:
        """One browser's connection."""
        uaid = ""
        async for raw in browser:
            said = json.loads(raw)
            kind = said.get("messageType")
            if kind == "hello":
                uaid = said.get("uaid") or secrets.token_hex(16)
                self.browsers[uaid] = browser
                answer: Any = {
                    "messageType": "hello",
                    "uaid": uaid,
                    "status": 200,
                    "use_webpush": True,
                    "broadcasts": {},
                }
            elif kind == "register":
                token = secrets.token_urlsafe(24)
                self.channels[token] = (uaid, said["channelID"], said.get("key"))
                endpoint = f"{self.url}/wpush/v2/{token}"
                answer = {**said, "status": 200, "pushEndpoint": endpoint}
            elif kind == "unregister":
                for token in [t for t, (_, channel, _key) in self.channels.items() if channel == said["channelID"]]:
                    del self.channels[token]
                answer = {**said, "status": 200}
            elif said:
                continue
            else:
                answer = {}
            await browser.send(json.dumps(answer))

    def post(self, seen: Seen) -> Answer:
        """A message from an application server."""
        channel = self.channels.get(seen.path.rpartition("/")[2])
        if channel is None:
            return Answer(410)
        uaid, channel_id, key = channel
        wrong = self._objection(seen, key)
        if wrong is not None:
            self.refused.append(wrong)
            return Answer(403 if wrong.startswith("vapid") else 400)
        message = {
            "messageType": "notification",
            "channelID": channel_id,
            "version": secrets.token_hex(8),
            "data": base64.urlsafe_b64encode(seen.body).rstrip(b"=").decode(),
            "headers": {"encoding": seen.headers["content-encoding"]},
        }
        task = asyncio.get_running_loop().create_task(self.browsers[uaid].send(json.dumps(message)))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return Answer(201)

    def _objection(self, seen: Seen, subscribed: str | None) -> str | None:
        """What RFC 8030, 8188 and 8292 find wrong with a request."""
        if not seen.headers.get("ttl", "").isdigit():
            return "ttl"
        if seen.headers.get("content-encoding") != "aes128gcm" or len(seen.body) > 4096:
            return "body"
        scheme, _, rest = seen.headers.get("authorization", "").partition(" ")
        parts = dict(part.strip().split("=", 1) for part in rest.split(",") if "=" in part)
        if scheme != "vapid" or {"t", "k"} - parts.keys():
            return "vapid is missing"
        if subscribed is not None and parts["k"] != subscribed.rstrip("="):
            return "vapid key is not the one that the browser subscribed with"
        point = base64.urlsafe_b64decode(parts["k"] + "=" * (-len(parts["k"]) % 4))
        public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
        pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        try:
            claims = jwt.decode(parts["t"], ECKey.import_key(pem), algorithms=["ES256"]).claims
        except JoseError:
            return "vapid signature"
        if claims.get("aud") != self.url:
            return "vapid aud"
        return None if self.now < claims.get("exp", 0) <= self.now + LONGEST_LIFE + 3600 else "vapid exp"


@asynccontextmanager
async def push_service(now: int) -> AsyncIterator[PushService]:
    """Run one on free ports of loopback. ``now`` is in seconds."""
    async with listening() as listener:
        service = PushService(listener, now)
        listener.answering = service.post
        async with serve(service.talk, "127.0.0.1", 0, subprotocols=[PROTOCOL]) as server:  # type: ignore[list-item]
            port = next(iter(server.sockets)).getsockname()[1]
            service.browser_url = f"ws://127.0.0.1:{port}/"
            yield service
