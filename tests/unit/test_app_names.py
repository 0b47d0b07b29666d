"""What may be a name, an address, a network; and every bad field named at once."""

from __future__ import annotations

import pytest

from nightlatch.domain import contact, naming
from nightlatch.domain.errors import Invalid
from nightlatch.domain.fields import BadField, Problems, shown_text


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("Maya", "maya"),
        ("MÄYA", "mäya"),
        ("\uff21\uff22", "ab"),
        ("maya@example.org", "maya@example.org"),
        ("a:b", "a:b"),
    ],
)
def test_spellings_of_one_user_name_are_one_name(typed: str, kept: str) -> None:
    """RFC 8265 UsernameCaseMapped folds case and width; the result is its own spelling."""
    assert naming.normal_username(typed) == kept
    assert naming.normal_username(kept) == kept


@pytest.mark.requirement("G2")
@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("", "invalid_username"),
        ("a b", "invalid_username"),
        ("a/b", "invalid_username"),
        (".", "invalid_username"),
        ("..", "invalid_username"),
        ("a\0b", "invalid_username"),
        ("a\nb", "invalid_username"),
        ("a\u202eb", "invalid_username"),
        ("\ud800", "invalid_username"),
        ("usr_maya", "reserved_prefix"),
        ("ATN_1", "reserved_prefix"),
        ("a" * 257, "too_long"),
        ("ä" * 129, "too_long"),
    ],
)
def test_what_is_no_user_name(name: str, code: str) -> None:
    """Each with the reason; length is counted in bytes."""
    with pytest.raises(BadField) as refused:
        naming.normal_username(name)
    assert refused.value.code == code


def test_a_user_name_of_256_bytes_is_the_longest() -> None:
    """In UTF-8."""
    assert len(naming.normal_username("ä" * 128).encode()) == 256


@pytest.mark.requirement("G2")
@pytest.mark.parametrize(
    "text", ["a\nb", "a\rb", "a\x1b[2J", "a\u202eb", "a\u2066b", "a\u2028b", "\ud800", "a\0", "\ufdd0"]
)
def test_a_label_cannot_forge_a_line_or_turn_its_direction(text: str) -> None:
    """Control characters, overrides, separators, half surrogates, non-characters."""
    with pytest.raises(BadField) as refused:
        naming.label(text)
    assert refused.value.code == "forbidden_character"


def test_a_label_is_trimmed_and_composed() -> None:
    """NFC, so that the same label is the same bytes; joiners of emoji and scripts stay."""
    assert naming.label("  Maya's phone ") == "Maya's phone"
    assert naming.label("Cafe\u0301") == "Café"
    assert naming.label("👩\u200d💻") == "👩\u200d💻"
    with pytest.raises(BadField):
        naming.label("   ")
    with pytest.raises(BadField):
        naming.label("x" * 65)


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("Maya@Example.ORG", "Maya@example.org"),
        ("m.l+x@sub.example.org", "m.l+x@sub.example.org"),
        ("maya@münchen.example", "maya@münchen.example"),
    ],
)
def test_mail_addresses(typed: str, kept: str) -> None:
    """The domain has one case; the local part is its own host's business."""
    assert contact.email(typed) == kept


@pytest.mark.parametrize(
    "typed",
    [
        "", "maya", "@example.org", "maya@", "maya@localhost", "a b@example.org", "a@b@example.org", "maya@-x.org",
        "maya@x..org", ".a@example.org", "a\n@example.org", "a@exa\nmple.org", f"{'a' * 65}@example.org",
        f"a@{'b' * 250}.org", "a@exam_ple.org", "<a@example.org>", "\ud800@example.org",
    ],
)  # fmt: skip
def test_what_is_no_mail_address(typed: str) -> None:
    """Nothing that a mail header would read as something else."""
    with pytest.raises(BadField):
        contact.email(typed)


@pytest.mark.parametrize(
    ("typed", "kept"), [("+49 151 12345678", "+4915112345678"), ("+1 (202) 555-0101", "+12025550101")]
)
def test_phone_numbers_are_kept_in_e164(typed: str, kept: str) -> None:
    """However they were grouped."""
    assert contact.phone(typed) == kept


@pytest.mark.parametrize("typed", ["", "0151 12345678", "+49", "+1202", "+999123456789", "x", "+1 202 555 0101 ext. 5"])
def test_what_is_no_phone_number(typed: str) -> None:
    """Without a country nobody can be called; an extension gets no texts."""
    with pytest.raises(BadField):
        contact.phone(typed)


def test_networks_are_networks() -> None:
    """Bits beyond the prefix are a mistake, and the nearest network is offered."""
    assert contact.network("192.0.2.0/24") == "192.0.2.0/24"
    assert contact.network("192.0.2.7") == "192.0.2.7/32"
    assert contact.network("2001:db8::/32") == "2001:db8::/32"
    with pytest.raises(BadField) as refused:
        contact.network("192.0.2.7/24")
    assert refused.value.nearest == "192.0.2.0/24"
    for text in ("", "x", "192.0.2.0/33", "192.0.2"):
        with pytest.raises(BadField):
            contact.network(text)


def test_locales_are_languages() -> None:
    """BCP 47, in its own spelling."""
    assert contact.locale("de") == "de"
    assert contact.locale("pt_br") == "pt-BR"
    for text in ("", "xx", "english", "de\n", "d" * 40):
        with pytest.raises(BadField):
            contact.locale(text)


def test_problems_are_told_all_at_once_with_pointers() -> None:
    """And a list stops at its limit."""
    problems = Problems()
    assert problems.each("/phones", contact.phone, ["+4915112345678", "x", "+49 151 12345678"], 2) == (
        "+4915112345678",
    )
    assert problems.take("/label", naming.label, "\n\n", "") == ""
    assert problems.optional("/label", naming.label, None) is None
    assert not problems.none_below("/label")
    assert problems.none_below("/owner")
    with pytest.raises(Invalid) as refused:
        problems.refuse()
    assert [(p.pointer, p.code) for p in refused.value.fields] == [
        ("/phones/1", "invalid_phone"),
        ("/phones", "too_many"),
        ("/label", "empty"),
    ]


def test_no_problem_is_no_refusal() -> None:
    """Whoever collected nothing goes on."""
    Problems().refuse()
    assert shown_text("x", 1) == "x"
