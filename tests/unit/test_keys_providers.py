"""The key file: made once, 0600, whole or not at all; anything odd stops the start."""

from __future__ import annotations

import os
import re
import threading
from pathlib import Path

import pytest

from nightlatch.adapters.keys import EnvironmentKeyProvider, FileKeyProvider, KeyUnusable, write_key

KEY = bytes(range(32))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "nightlatch.key"


def refusal(provider: FileKeyProvider | EnvironmentKeyProvider) -> str:
    with pytest.raises(KeyUnusable) as caught:
        provider.load()
    return str(caught.value)


@pytest.mark.requirement("K1")
def test_a_key_that_is_made_is_the_key_that_is_read_and_nobody_else_may_read_it(path: Path) -> None:
    provider = FileKeyProvider(path)
    assert provider.load() is None
    assert provider.create(KEY) == KEY
    assert provider.load() == KEY
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert os.listdir(path.parent) == [path.name]


def test_a_key_file_is_never_overwritten(path: Path) -> None:
    FileKeyProvider(path).create(KEY)
    assert FileKeyProvider(path).create(bytes(32)) == KEY
    assert FileKeyProvider(path).load() == KEY


def test_many_starts_at_once_end_with_one_key(path: Path) -> None:
    kept: set[bytes] = set()
    barrier = threading.Barrier(16)

    def start(number: int) -> None:
        barrier.wait()
        kept.add(FileKeyProvider(path).create(bytes([number]) * 32))

    threads = [threading.Thread(target=start, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert kept == {FileKeyProvider(path).load()}


@pytest.mark.requirement("K1")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o777, 0o601])
def test_a_key_that_others_may_touch_is_refused_with_the_cure(path: Path, mode: int) -> None:
    FileKeyProvider(path).create(KEY)
    path.chmod(mode)
    assert f"chmod 600 {path}" in refusal(FileKeyProvider(path))


def test_a_stricter_mode_is_fine(path: Path) -> None:
    FileKeyProvider(path).create(KEY)
    path.chmod(0o400)
    assert FileKeyProvider(path).load() == KEY


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is empty"),
        ("\n", "is empty"),
        ("garbage", "holds no nightlatch-key-1"),
        ("nightlatch-key-2:abc:def", "holds no nightlatch-key-1"),
        (write_key(KEY)[:-1], "damaged"),
        (write_key(KEY)[:40], "damaged"),
        (re.sub(r":A", ":B", write_key(KEY), count=1), "damaged"),
        ("nightlatch-key-1:é:12345678", "damaged"),
        (write_key(KEY) * 2, "damaged"),
    ],
)
def test_a_damaged_key_is_refused_and_never_quoted(path: Path, text: str, reason: str) -> None:
    FileKeyProvider(path).create(KEY)
    path.write_text(text, encoding="utf-8")
    said = refusal(FileKeyProvider(path))
    assert reason in said
    assert "AAECAwQFBgc" not in said
    if text.strip():
        assert reason in refusal(EnvironmentKeyProvider(text))


def test_a_directory_is_no_key_file(path: Path) -> None:
    path.mkdir(parents=True)
    assert "no regular file" in refusal(FileKeyProvider(path))


def test_a_key_from_the_environment_is_the_same_text(path: Path) -> None:
    FileKeyProvider(path).create(KEY)
    provider = EnvironmentKeyProvider(path.read_text(encoding="ascii"))
    assert provider.load() == KEY
    assert provider.create(bytes(32)) == KEY
