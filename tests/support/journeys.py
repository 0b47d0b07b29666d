"""What pages of the documentation ask their reader to do by hand: in a browser, with a phone."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urljoin, urlsplit

import httpx
import pytest

from nightlatch.testing import Phone

if TYPE_CHECKING:
    from tests.support.documents import Reader


class Browser:
    """A browser without scripts. It keeps cookies, follows redirects and fills in forms."""

    def __init__(self) -> None:
        self.http = httpx.Client(timeout=30, follow_redirects=True)
        self.page = httpx.Response(200)

    def open(self, address: str) -> Browser:
        """Go to an address."""
        self.page = self.http.get(address)
        return self

    def send(self, action: str, **fields: str) -> Browser:
        """Send the form whose action ends so, with what the page put in."""
        form = next(one for one in re.findall(r"<form.*?</form>", self.page.text, re.DOTALL) if action in _action(one))
        hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form))
        address = urljoin(str(self.page.url), unescape(_action(form)))
        self.page = self.http.post(address, data=hidden | fields)
        return self

    @property
    def text(self) -> str:
        """What the page says."""
        return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", self.page.text))).strip()

    @property
    def codes(self) -> list[str]:
        """The backup codes that the page shows."""
        return re.findall(r"<code>([0-9A-Z]{4}(?:-[0-9A-Z]{4}){3})</code>", self.page.text)

    def scanned(self) -> Phone:
        """A phone that has read what the picture of this page holds."""
        found = re.search(r'"(otpauth://[^"]+)"', self.page.text)
        assert found is not None, self.text
        return Phone().scan(unescape(found[1]))

    def set_up(self) -> Phone:
        """Set up an authenticator app in the prompt, save the codes, and go back to the application."""
        self.send("/setup")
        phone = self.scanned()
        self.send("/setup/code", code=phone.code())
        assert len(self.codes) == 10, self.text
        self.send("/saved", saved="yes")
        self.send("/continue")
        return phone


def _action(form: str) -> str:
    found = re.search(r'action="([^"]*)"', form)
    return found[1] if found else ""


def sign_in_at_the_shop(reader: Reader) -> None:
    """The tutorial: Maya sets up an app and is in; later a code is asked for; what is wrong stays out."""
    shop = f"http://localhost:{reader.ports['8000']}"
    password = "correct horse battery staple"
    first = Browser()
    for wrong in ({"name": "maya", "password": "wrong"}, {"name": "nobody", "password": ""}):
        assert "Wrong name or password." in first.open(shop).send("", **wrong).text
    first.open(shop).send("", name="maya", password=password)
    assert "Set up a second lock by" in first.text
    phone = first.set_up()
    assert first.text.endswith("Welcome, maya.")

    again = Browser().open(shop).send("", name="maya", password=password)
    assert "Enter your code." in again.text
    again.send("/code", code="000000")
    assert "That code didn't work." in again.text
    again.send("/code", code=phone.code())
    assert again.text.endswith("Welcome, maya.")

    answered = str(again.page.history[0].headers["location"])
    assert "Welcome" not in Browser().open(answered).text, "another browser's answer is no answer here"
    given_up = Browser().open(shop).send("", name="maya", password=password).send("/cancel")
    assert given_up.text.startswith("Shop That did not work.")


def hosted_prompt_for_maya(reader: Reader) -> None:
    """How-to integrate: the page's own functions, with a browser between them; leaves Maya's phone to the page."""
    session: dict[str, str] = {}
    names = reader.names
    browser = Browser().open(names["begin"](session, "maya", "127.0.0.1")).send("/setup")
    phone = browser.scanned()
    backup_codes = browser.send("/setup/code", code=phone.code()).codes
    browser.send("/saved", saved="yes").http.follow_redirects = False
    back = browser.send("/continue").page.headers["location"]
    proved, device_token = names["finish"](session, **dict(parse_qsl(urlsplit(back).query)))
    assert (proved.username, proved.acr) == ("maya", "aal2")
    assert device_token
    names |= {"phone": phone, "backup_codes": backup_codes}


def readme_sign_in(reader: Reader) -> None:
    """The README's fifteen lines: Maya sets up an app and is in; another browser's answer is refused."""
    session: dict[str, object] = {}
    browser = Browser().open(reader.names["after_password"](session, "maya", "127.0.0.1")).send("/setup")
    browser.send("/setup/code", code=browser.scanned().code()).send("/saved", saved="yes")
    browser.http.follow_redirects = False
    back = dict(parse_qsl(urlsplit(browser.send("/continue").page.headers["location"]).query))
    stranger: dict[str, object] = {}
    reader.names["after_password"](stranger, "noor", "127.0.0.1")
    with pytest.raises(PermissionError):
        reader.names["signed_in"](stranger, back)
    proved = reader.names["signed_in"](session, back)
    assert (proved.username, proved.acr) == ("maya", "aal2")
