"""The published cases are the pinned ones or none, and who has none is told how to get them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import httpx
import pytest
import respx

from contracts.conformance import fetch
from contracts.conformance.fetch import URL, MissingError, cases, fetched


def test_cases_that_are_not_fetched_say_how_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="make conformance-files"):
        cases(tmp_path / "none.jar")


def test_another_file_than_the_pinned_one_is_not_read(tmp_path: Path) -> None:
    other = tmp_path / "other.jar"
    other.write_bytes(b"not the cases")
    with pytest.raises(MissingError, match="is not version"):
        fetched(other)


@respx.mock
def test_a_download_with_another_digest_is_not_kept(tmp_path: Path) -> None:
    respx.get(URL).mock(httpx.Response(200, content=b"not the cases"))
    with pytest.raises(MissingError, match="not what was pinned"):
        fetched(tmp_path / "cases.jar")
    assert list(tmp_path.iterdir()) == []


@respx.mock
def test_a_server_that_does_not_give_them_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    respx.get(URL).mock(httpx.Response(503))
    with pytest.raises(MissingError, match="cannot be had"):
        fetched(tmp_path / "cases.jar")


@respx.mock
def test_the_pinned_cases_are_kept_and_fetched_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "SHA256", hashlib.sha256(b"cases").hexdigest())
    asked = respx.get(URL).mock(httpx.Response(200, content=b"cases"))
    jar = tmp_path / "var" / "cases.jar"
    assert fetched(jar) == fetched(jar) == cases(jar) == jar
    assert asked.call_count == 1
    assert [path.name for path in jar.parent.iterdir()] == ["cases.jar"]
