"""Pictures say what was put into them, to a reader that is not ours."""

from __future__ import annotations

import base64
import io
import re
from xml.etree import ElementTree

import pytest
import resvg_py
import zxingcpp
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from nightlatch.domain.factors import qr, totp
from nightlatch.domain.factors.seed import secret_from

URIS = [
    totp.provisioning_uri(secret_from(bytes(range(20))), issuer=issuer, account=account)
    for issuer, account in (
        ("Example Bank", "maya@example.com"),
        ("Bücher & Söhne", "jürgen"),
        ("銀行", "マヤ"),
        ("🏦", "👩‍💻"),
        ("B", "m"),
        ("A" * 60, "b" * 200),
    )
]


def read_png(picture: bytes) -> str:
    """What zxing reads in a PNG."""
    found = zxingcpp.read_barcode(Image.open(io.BytesIO(picture)))
    assert found is not None
    return found.text


def read_svg(picture: str) -> str:
    """What zxing reads in an SVG that resvg has drawn."""
    return read_png(bytes(resvg_py.svg_to_bytes(svg_string=picture)))


@pytest.mark.parametrize("uri", URIS)
def test_both_formats_are_read_back(uri: str) -> None:
    """The address comes out of either picture as it went in."""
    drawing = qr.Drawing(uri)
    assert read_png(drawing.png) == uri
    assert read_svg(drawing.svg) == uri


@settings(max_examples=100, deadline=None)
@given(st.binary(min_size=20, max_size=64), st.text("abcdefghijklmnopqrstuvwxyzäé銀🏦", min_size=1, max_size=30))
def test_every_secret_gives_a_readable_picture(secret: bytes, account: str) -> None:
    """The fixed mask suits whatever the secret happens to be."""
    uri = totp.provisioning_uri(secret, issuer="Example Bank", account=account)
    assert read_png(qr.png(uri)) == uri


def test_text_beyond_ascii_is_utf_8() -> None:
    """A symbol may hold any text, although our addresses are ASCII."""
    assert read_png(qr.png("Grüße, 銀行 🏦")) == "Grüße, 銀行 🏦"


def test_the_picture_is_dark_on_white_with_a_quiet_zone_of_four_modules() -> None:
    """Readers need the light margin, on dark pages too."""
    picture = Image.open(io.BytesIO(qr.png(URIS[0])))
    assert picture.mode == "1"
    margin = qr.QUIET_ZONE * qr.PNG_SCALE
    side = picture.width
    assert picture.height == side
    inner = picture.crop((margin, margin, side - margin, side - margin))
    assert picture.getpixel((margin, margin)) == 0
    dark = sum(picture.histogram()[:1])
    assert dark == sum(inner.histogram()[:1])
    assert qr.QUIET_ZONE == 4


@pytest.mark.parametrize("uri", URIS)
def test_the_error_level_is_medium_at_least(uri: str) -> None:
    """A symbol that has room for more correction at the same size uses it."""
    found = zxingcpp.read_barcode(Image.open(io.BytesIO(qr.png(uri))))
    assert found is not None
    assert found.ec_level in {"M", "Q", "H"}


def test_the_svg_is_safe_inline() -> None:
    """It holds two paths of known shape, and no script, style, reference or piece of the text."""
    root = ElementTree.fromstring(qr.svg(URIS[0]))
    assert [child.tag.rpartition("}")[2] for child in root] == ["path", "path"]
    for child in root:
        assert set(child.attrib) <= {"d", "fill", "stroke"}
        assert re.fullmatch(r"[MhvHz0-9. ]+", child.attrib["d"])
    assert "Example" not in qr.svg(URIS[0])


def test_the_svg_is_one_image_to_a_screen_reader() -> None:
    """It has the role of an image and a name, and scales to its box."""
    root = ElementTree.fromstring(qr.svg(URIS[0]))
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-label"] == "QR code"
    assert root.attrib["viewBox"] == f"0 0 {qr.Drawing(URIS[0]).size} {qr.Drawing(URIS[0]).size}"


def test_the_data_url_holds_the_png() -> None:
    """What follows the comma is the picture in Base64."""
    head, _, body = qr.png_data_url(URIS[0]).partition(",")
    assert head == "data:image/png;base64"
    assert base64.b64decode(body, validate=True) == qr.png(URIS[0])


def test_a_text_that_no_symbol_holds_is_refused() -> None:
    """The largest symbol has 2,331 bytes at this level."""
    with pytest.raises(ValueError, match="too large"):
        qr.svg("a" * 3000)
