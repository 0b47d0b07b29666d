"""Nightlatch inside a Python program, without HTTP: the same use cases on the same store.

    async with Nightlatch.open("sqlite:///mfa.db") as mfa:
        await mfa.create_user(messages.NewUser(username="maya"))

Without an event loop:

    >>> with BlockingNightlatch.open("sqlite:///mfa.db") as mfa:
    ...     maya = mfa.create_user(messages.NewUser(username="maya"))
    >>> maya.username
    'maya'

Requests and answers are the structs of ``nightlatch.app.messages``; refusals are raised as
``nightlatch.domain.errors.Refusal`` with a stable ``code``. For codes without any store see
``nightlatch.totp``.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Concatenate, Generic, Literal, ParamSpec, Self, TypeVar, overload

from nightlatch.app import messages
from nightlatch.app.answer import answer
from nightlatch.app.applications.create import create_application
from nightlatch.app.authenticate import authenticate
from nightlatch.app.cancel import cancel
from nightlatch.app.challenge import open_challenge
from nightlatch.app.context import Caller, Ports
from nightlatch.app.devices import list_devices, revoke_device
from nightlatch.app.factors.activate import activate_factor
from nightlatch.app.factors.backup_codes import new_backup_codes
from nightlatch.app.factors.enroll import enroll_factor
from nightlatch.app.factors.find import list_factors
from nightlatch.app.factors.remove import remove_factor
from nightlatch.app.factors.resynchronize import resynchronize
from nightlatch.app.factors.sms import send_again
from nightlatch.app.policy.apply import apply_policy
from nightlatch.app.policy.read import read_policy
from nightlatch.app.read_authentication import read_authentication
from nightlatch.app.skip import skip
from nightlatch.app.users.change import change_user
from nightlatch.app.users.create import create_user
from nightlatch.app.users.delete import delete_user
from nightlatch.app.users.find import find_user, list_users
from nightlatch.app.verify import verify
from nightlatch.bootstrap import open_ports
from nightlatch.config import load_settings
from nightlatch.ports.world import Clock, Entropy

__all__ = ["BlockingNightlatch", "Nightlatch", "messages"]

P = ParamSpec("P")
R = TypeVar("R")

UseCase = Callable[Concatenate[Ports, Caller, P], Coroutine[Any, Any, R]]

SCOPES = frozenset({"admin"})


class _Awaited(Generic[P, R]):
    """A use case as a method that is awaited."""

    def __init__(self, use_case: UseCase[P, R]) -> None:
        self._use_case = use_case
        self.__doc__ = use_case.__doc__

    @overload
    def __get__(self, face: None, owner: type) -> Self: ...
    @overload
    def __get__(self, face: Nightlatch, owner: type) -> Callable[P, Awaitable[R]]: ...
    def __get__(self, face: Nightlatch | None, owner: type) -> Self | Callable[P, Awaitable[R]]:
        if face is None:
            return self

        def call(*args: P.args, **kwargs: P.kwargs) -> Awaitable[R]:
            return self._use_case(face.ports, face.caller, *args, **kwargs)

        return call


class _Blocking(Generic[P, R]):
    """The same use case as a method that returns when it is done."""

    def __init__(self, awaited: _Awaited[P, R]) -> None:
        self._awaited = awaited
        self.__doc__ = awaited.__doc__

    @overload
    def __get__(self, face: None, owner: type) -> Self: ...
    @overload
    def __get__(self, face: BlockingNightlatch, owner: type) -> Callable[P, R]: ...
    def __get__(self, face: BlockingNightlatch | None, owner: type) -> Self | Callable[P, R]:
        if face is None:
            return self

        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            return face.run(self._awaited.__get__(face.mfa, type(face.mfa))(*args, **kwargs))

        return call


class Nightlatch:
    """Use cases on an open store, called as one application of this program's own."""

    def __init__(self, ports: Ports, caller: Caller) -> None:
        self.ports = ports
        self.caller = caller

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        database_url: str,
        *,
        application: str = "embedded",
        first_factor: Literal["pwd", "none"] = "pwd",
        clock: Clock | None = None,
        entropy: Entropy | None = None,
        **settings: Any,
    ) -> AsyncIterator[Self]:
        """Open or make the store; ``settings`` are those of ``nightlatch.toml``, such as ``issuer``.

        Only these count: no file and no ``NIGHTLATCH_*`` is read. The key file is kept beside an SQLite
        file; name ``data_dir`` with PostgreSQL. ``application`` names the one that authentications are
        made for; it is registered at the first use. Raises ``CannotStart`` and ``ConfigError``.
        """
        flags = {"database_url": database_url, "data_dir": _beside(database_url), **settings}
        given = {name: value for name, value in flags.items() if value is not None}
        opened = open_ports(load_settings(given, alone=True), clock=clock, entropy=entropy)
        async with opened as ports:
            yield cls(ports, await _registered(ports, application, first_factor))

    create_user = _Awaited(create_user)
    find_user = _Awaited(find_user)
    list_users = _Awaited(list_users)
    change_user = _Awaited(change_user)
    delete_user = _Awaited(delete_user)
    enroll_factor = _Awaited(enroll_factor)
    activate_factor = _Awaited(activate_factor)
    list_factors = _Awaited(list_factors)
    remove_factor = _Awaited(remove_factor)
    resynchronize = _Awaited(resynchronize)
    new_backup_codes = _Awaited(new_backup_codes)
    send_again = _Awaited(send_again)
    authenticate = _Awaited(authenticate)
    open_challenge = _Awaited(open_challenge)
    answer = _Awaited(answer)
    verify = _Awaited(verify)
    read_authentication = _Awaited(read_authentication)
    cancel = _Awaited(cancel)
    skip = _Awaited(skip)
    list_devices = _Awaited(list_devices)
    revoke_device = _Awaited(revoke_device)
    read_policy = _Awaited(read_policy)
    apply_policy = _Awaited(apply_policy)

    def jwks(self) -> dict[str, Any]:
        """The public keys that check assertions, RFC 7517 §5."""
        return self.ports.signer.jwks()


class BlockingNightlatch:
    """The same for programs without an event loop: one runs in a thread of its own."""

    def __init__(self, mfa: Nightlatch, loop: asyncio.AbstractEventLoop) -> None:
        self.mfa = mfa
        self._loop = loop

    @classmethod
    @contextmanager
    def open(cls, database_url: str, **options: Any) -> Iterator[Self]:
        """As ``Nightlatch.open``. May be shared by threads."""
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, name="nightlatch", daemon=True)
        thread.start()
        opening = Nightlatch.open(database_url, **options)
        try:
            mfa = asyncio.run_coroutine_threadsafe(opening.__aenter__(), loop).result()
            try:
                yield cls(mfa, loop)
            finally:
                asyncio.run_coroutine_threadsafe(opening.__aexit__(None, None, None), loop).result()
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

    def run(self, awaitable: Awaitable[R]) -> R:
        """Wait for something of the loop's; for use cases that have no method here."""

        async def wait() -> R:
            return await awaitable

        return asyncio.run_coroutine_threadsafe(wait(), self._loop).result()

    create_user = _Blocking(Nightlatch.create_user)
    find_user = _Blocking(Nightlatch.find_user)
    list_users = _Blocking(Nightlatch.list_users)
    change_user = _Blocking(Nightlatch.change_user)
    delete_user = _Blocking(Nightlatch.delete_user)
    enroll_factor = _Blocking(Nightlatch.enroll_factor)
    activate_factor = _Blocking(Nightlatch.activate_factor)
    list_factors = _Blocking(Nightlatch.list_factors)
    remove_factor = _Blocking(Nightlatch.remove_factor)
    resynchronize = _Blocking(Nightlatch.resynchronize)
    new_backup_codes = _Blocking(Nightlatch.new_backup_codes)
    send_again = _Blocking(Nightlatch.send_again)
    authenticate = _Blocking(Nightlatch.authenticate)
    open_challenge = _Blocking(Nightlatch.open_challenge)
    answer = _Blocking(Nightlatch.answer)
    verify = _Blocking(Nightlatch.verify)
    read_authentication = _Blocking(Nightlatch.read_authentication)
    cancel = _Blocking(Nightlatch.cancel)
    skip = _Blocking(Nightlatch.skip)
    list_devices = _Blocking(Nightlatch.list_devices)
    revoke_device = _Blocking(Nightlatch.revoke_device)
    read_policy = _Blocking(Nightlatch.read_policy)
    apply_policy = _Blocking(Nightlatch.apply_policy)


def _beside(database_url: str) -> str | None:
    path = database_url.removeprefix("sqlite:///")
    return str(Path(path).absolute().parent) if path != database_url else None


async def _registered(ports: Ports, name: str, first_factor: Literal["pwd", "none"]) -> Caller:
    """This program as a caller; its key is made and forgotten, since nobody calls with it."""
    known = [kept.application for kept in await ports.catalog.applications()]
    mine = next((a for a in known if a.name == name and a.revoked_at is None), None)
    if mine is None:
        new = messages.NewApplication(name=name, first_factor=first_factor)
        created = await create_application(ports, Caller("system"), new)
        kept = await ports.catalog.application(created.id)
        assert kept is not None, "what was stored can be read"
        mine = kept.application
    return Caller(f"application:{mine.id}", mine, SCOPES)
