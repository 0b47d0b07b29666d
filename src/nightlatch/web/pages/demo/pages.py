"""The demo's pages: three panes, and the bank's forms. On loopback only (X6)."""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import msgspec

from nightlatch.domain.errors import NotFound
from nightlatch.domain.factors.otpauth import OtpauthUri, build
from nightlatch.domain.factors.seed import decode_secret
from nightlatch.web.pages.demo.bank import Bank, Browser, Session
from nightlatch.web.pages.demo.past import history
from nightlatch.web.pages.demo.people import BANK, NOBODY, ON_STAGE, Person, person_of
from nightlatch.web.pages.demo.stage import LOOPBACK, RETURN_PATH, Stage
from nightlatch.web.pages.demo.why import end_of, why_of
from nightlatch.web.pages.shared.pages import Page, PageRequest, PageRoutes, csrf_token, go
from nightlatch_client import NightlatchError

COOKIE = "nightlatch-demo"
COOKIE_SECONDS = 30 * 24 * 3600
FLOOD = 50
TEXTS = 3
THIEF = "203.0.113.66"
MAX_FIELD = 64
AMOUNT = "1 250,00 €"
PAYEE = "Lindqvist Boats"

Handler = Callable[[Stage, PageRequest], Awaitable[Page]]


def demo_routes(stage: Stage) -> PageRoutes:
    """The routes of a server that carries the demo."""
    routes = PageRoutes()
    for method, path, handler in (
        ("GET", "/", root),
        ("GET", "/demo", demo),
        ("GET", "/demo/stage.json", on_stage),
        ("GET", "/demo/phone", phone),
        ("GET", "/demo/phone.json", phone_texts),
        ("POST", "/demo/bank/sign-in", sign_in),
        ("POST", "/demo/bank/pay", pay),
        ("POST", "/demo/bank/own-page", own_page),
        ("POST", "/demo/bank/sign-out", sign_out),
        ("POST", "/demo/bank/new-browser", new_browser),
        ("POST", "/demo/flood", flood),
        ("GET", RETURN_PATH, come_back),
    ):
        routes.append((method, path, _on_loopback(stage, handler)))
    return routes


async def root(_stage: Stage, _request: PageRequest) -> Page:
    """The demo is all that there is to see here."""
    return go("/demo")


async def demo(stage: Stage, request: PageRequest) -> Page:
    """Bank, phone, Why?"""
    await stage.bank()
    token, session = stage.session(request.cookie(COOKIE))
    return request.site.page(
        "demo/demo.html",
        cookies=(_cookie(request, token),),
        csrf=csrf_token(token),
        bank=BANK,
        session=session,
        person=person_of(session.username or ""),
        people=(*ON_STAGE, NOBODY),
        chosen=session.username or ON_STAGE[0].username,
        why=why_of(session),
        end=end_of(session),
        past=await history(request.ports),
        amount=AMOUNT,
        payee=PAYEE,
        flood=FLOOD,
        trouble=request.query.get("trouble") == "unreachable",
    )


async def on_stage(stage: Stage, request: PageRequest) -> Page:
    """What the phone knows by itself: whose it is, and the app that was set up in the past."""
    token, session = stage.session(request.cookie(COOKIE))
    person = person_of(session.username or "") or ON_STAGE[0]
    why = why_of(session)
    told = {
        "person": person.username,
        "name": person.name.split()[0],
        "issuer": request.ports.site.issuer,
        "number": person.number,
        "texts": _texts(stage, person),
        "scanned": [_scanned(request, person.username, person.secret)] if person.app else [],
        "csrf": csrf_token(token),
        "why": None if why is None else {"heading": why.heading, "summary": why.summary, "reasons": why.reasons},
    }
    return Page(body=msgspec.json.encode(told), media_type="application/json", cookies=(_cookie(request, token),))


async def phone(stage: Stage, request: PageRequest) -> Page:
    """The texts on the phone of whoever is at the bank, for who has no scripts."""
    token, session = stage.session(request.cookie(COOKIE))
    person = person_of(session.username or "") or ON_STAGE[0]
    cookie = _cookie(request, token)
    texts = stage.texts(person.number)
    owner = person.name.split()[0]
    return request.site.page("demo/phone.html", cookies=(cookie,), owner=owner, number=person.number, texts=texts)


async def phone_texts(stage: Stage, request: PageRequest) -> Page:
    """The same for the script of the phone."""
    _, session = stage.session(request.cookie(COOKIE))
    person = person_of(session.username or "") or ON_STAGE[0]
    return Page(body=msgspec.json.encode(_texts(stage, person)), media_type="application/json")


async def sign_in(stage: Stage, request: PageRequest) -> Page:
    """The password was right, as always in this bank."""
    bank, session, form = await _posted(stage, request)
    person = person_of(form.get("person", ""))
    if person is None:
        raise NotFound
    return await _went(bank.sign_in(session, person.username, _browser(request)))


async def pay(stage: Stage, request: PageRequest) -> Page:
    """A payment."""
    bank, session, _ = await _posted(stage, request)
    if session.signed_in is None:
        return go("/demo")
    return await _went(bank.pay(session, _browser(request), amount=AMOUNT, to=PAYEE))


async def own_page(stage: Stage, request: PageRequest) -> Page:
    """To the person's own page, by a one-time link."""
    bank, session, _ = await _posted(stage, request)
    if session.signed_in is None:
        return go("/demo")
    return await _went(bank.own_page(session))


async def sign_out(stage: Stage, request: PageRequest) -> Page:
    """Sign out of the bank; the browser stays known."""
    _, session, _ = await _posted(stage, request)
    session.leave()
    return go("/demo")


async def new_browser(stage: Stage, request: PageRequest) -> Page:
    """As if in a browser that was never seen: the bank has no device token any more."""
    _, session, _ = await _posted(stage, request)
    session.device_tokens.clear()
    session.leave()
    return go("/demo")


async def flood(stage: Stage, request: PageRequest) -> Page:
    """One code, many times at once, from somewhere else."""
    bank, session, form = await _posted(stage, request)
    username = session.username or ON_STAGE[0].username
    ends = await bank.flood(username, form.get("code", "")[:MAX_FIELD], times=FLOOD, ip=THIEF)
    accepted = ends.pop("accepted", 0)
    told = {"sent": FLOOD, "accepted": accepted, "refused": FLOOD - accepted, "reasons": dict(ends.most_common())}
    return Page(body=msgspec.json.encode(told), media_type="application/json")


async def come_back(stage: Stage, request: PageRequest) -> Page:
    """Back from the prompt."""
    bank = await stage.bank()
    _, session = stage.session(request.cookie(COOKIE))
    query = request.query
    try:
        await bank.come_back(
            session,
            authentication=query.get("authentication", ""),
            code=query.get("code", ""),
            state=query.get("state", ""),
        )
    except NightlatchError:
        return go("/demo?trouble=unreachable")
    return go("/demo")


def _on_loopback(stage: Stage, handler: Handler) -> Callable[[PageRequest], Awaitable[Page]]:
    """A handler that answers this machine alone; elsewhere there is nothing here (X6).

    The host is looked at too, so that no foreign name can be pointed here from inside a browser.
    """

    async def guarded(request: PageRequest) -> Page:
        host = urlsplit(f"//{request.header('host') or ''}").hostname
        if not ipaddress.ip_address(request.peer).is_loopback or host not in LOOPBACK:
            raise NotFound
        return await handler(stage, request)

    return guarded


async def _posted(stage: Stage, request: PageRequest) -> tuple[Bank, Session, dict[str, str]]:
    form = await request.form(request.cookie(COOKIE))
    _, session = stage.session(request.cookie(COOKIE))
    return await stage.bank(), session, form


async def _went(going: Awaitable[str | None]) -> Page:
    try:
        return go(await going or "/demo")
    except NightlatchError:
        return go("/demo?trouble=unreachable")


def _browser(request: PageRequest) -> Browser:
    return Browser(request.peer, request.header("user-agent"))


def _cookie(request: PageRequest, token: str) -> str:
    return request.site.cookies.set(COOKIE, token, max_age=COOKIE_SECONDS)


def _texts(stage: Stage, person: Person) -> list[dict[str, str]]:
    return [{"id": text.id, "text": text.text} for text in stage.texts(person.number)[:TEXTS]]


def _scanned(request: PageRequest, username: str, secret: str) -> str:
    uri = OtpauthUri(kind="totp", issuer=request.ports.site.issuer, account=username, secret=decode_secret(secret))
    return build(uri)
