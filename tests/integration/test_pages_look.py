"""What pages are drawn with: readable tokens, cached files, an organisation's own accent."""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

import nightlatch.web.pages as package
from nightlatch.domain.brand import Brand, contrast
from nightlatch.web.pages.shared.rendering import brand_css
from tests.support.browsing import SETTINGS, open_pages
from tests.support.ports import World

FOLDER = Path(package.__file__).parent
TOKENS = (FOLDER / "shared/static/tokens.css").read_text()
TEXT = ("ink", "ink-soft", "accent", "brass", "ok", "warn", "bad")
CONTROL = ("control",)


def tokens(scheme: str) -> dict[str, str]:
    """The colours of a scheme."""
    light, dark = TOKENS.split("@media (prefers-color-scheme: dark)")
    return dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", dark if scheme == "dark" else light))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_token_reads_on_every_surface(scheme: str) -> None:
    """4.5 for text, 3 for the edge of a control (WCAG 2.2 §1.4.3, §1.4.11)."""
    colors = tokens(scheme)
    for surface in ("bg", "surface", "sunken"):
        for name in TEXT:
            assert contrast(colors[name], colors[surface]) >= 4.5, (name, surface)
        for name in CONTROL:
            assert contrast(colors[name], colors[surface]) >= 3, (name, surface)
    assert contrast(colors["on-accent"], colors["accent"]) >= 4.5


def test_pages_load_nothing_from_elsewhere() -> None:
    """No template, sheet or script names another host."""
    for path in FOLDER.rglob("*"):
        if path.suffix in (".html", ".css", ".js"):
            found = re.findall(r"(?:https?:)?//[a-z][a-z0-9.-]+\.[a-z]{2,}", path.read_text())
            assert not found, (path, found)


def test_people_read_no_builders_words() -> None:
    """A way to sign in, set up, a code: never a factor, a token or a challenge."""
    words = re.compile(r"\b(factors?|enrol\w*|authentications?|challenges?|tokens?|aal\d?|totp|hotp)\b", re.IGNORECASE)
    for path in [*FOLDER.glob("*/templates/*.html"), *FOLDER.glob("*/words.py")]:
        if path.parent.parent.name == "demo":
            continue  # it explains to builders
        text = path.read_text()
        if path.suffix == ".py":
            said = " ".join(_sentences(text))
        else:
            said = re.sub(r"{#.*?#}|{%.*?%}|{{.*?}}|<[^>]*>", " ", text, flags=re.DOTALL)
        assert not words.search(said), (path.name, words.findall(said))


def _sentences(source: str) -> list[str]:
    """The texts of a module that hold a space, docstrings aside."""
    tree = ast.parse(source)
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef) and isinstance(node.body[0], ast.Expr)
    }
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and " " in node.value
        and id(node) not in docstrings
    ]


@pytest.mark.requirement("X3")
async def test_files_are_kept_for_a_year_under_their_hash_and_compared_otherwise(world: World) -> None:
    """A page of another release still finds its files; a changed file is never served stale."""
    pages = await open_pages(world)
    async with pages.browser() as browser:
        page = await browser.http.get("/prompt/x")
        sheets = re.findall(r'(?:href|src)="(/static/[^"]+)"', page.text)
        assert len(sheets) >= 4
        for address in sheets:
            answer = await browser.http.get(address)
            assert answer.status_code == 200
            if "brand.css" not in address:
                assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        old = await browser.http.get(re.sub(r"/static/\w+/", "/static/older/", sheets[1]))
        assert old.headers["cache-control"] == "public, no-cache"
        again = await browser.http.get(str(old.url), headers={"if-none-match": old.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        for missing in ("/static/x/shared/../tokens.css", "/static/x/shared/nothing.css", "/static/x/y/z"):
            assert (await browser.http.get(missing)).status_code == 404


def test_an_accent_reads_in_both_schemes() -> None:
    """It is moved until it does; ours is left as the tokens have it."""
    assert b"--accent" not in brand_css(Brand())
    light, dark = re.findall(r"--accent: (#\w+)", brand_css(Brand(accent="#7A1FA2")).decode())
    assert min(contrast(light, tokens("light")[surface]) for surface in ("bg", "surface", "sunken")) >= 4.5
    assert min(contrast(dark, tokens("dark")[surface]) for surface in ("bg", "surface", "sunken")) >= 4.5


async def test_a_logo_from_elsewhere_is_the_only_thing_that_may_be_loaded_from_there(world: World) -> None:
    """Its own host, for images alone."""
    brand = Brand(name="Meridian", logo="https://cdn.meridian.example/logo.png")
    pages = await open_pages(world, replace(SETTINGS, brand=brand))
    async with pages.browser() as browser:
        page = await browser.http.get("/prompt/x")
        assert f'src="{brand.logo}"' in page.text
        policy = dict(part.split(" ", 1) for part in page.headers["content-security-policy"].split("; "))
        assert policy["img-src"] == f"'self' data: {brand.logo}"
        assert policy["default-src"] == "'self'"


async def test_refusals_are_pages(world: World) -> None:
    """Wrong methods, wrong media types, too much: never a bare error."""
    pages = await open_pages(world)
    async with pages.browser() as browser:
        answers: list[httpx.Response] = [
            await browser.http.put("/portal"),
            await browser.http.post("/portal/open", json={}),
            await browser.http.post("/portal/open", data={"ticket": "x" * 20_000}),
            await browser.http.get("/portal?" + "&".join(f"a{n}=1" for n in range(100))),
        ]
    assert [answer.status_code for answer in answers] == [405, 415, 413, 404]
    assert all(answer.headers["content-type"] == "text/html; charset=utf-8" for answer in answers)
