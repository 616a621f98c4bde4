"""Deliveries go to the configured partners and nowhere else, whatever an address looks like."""

from __future__ import annotations

import socket
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import pytest

from shared.clock import system_clock
from shared.outside import NotAllowed, PartnerOutside
from shared.settings import ROOT, Partner, Site, load_site
from shared.smart.keys import key_file


class Answer(BaseHTTPRequestHandler):
    """Redirects every request to another place, and counts them."""

    count = 0

    def do_GET(self) -> None:
        Answer.count += 1
        self.send_response(302)
        self.send_header("Location", f"http://127.0.0.1:{self.server.server_port + 1}/")  # type: ignore[attr-defined]
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def partner() -> Iterator[str]:
    """The address of a partner that answers."""
    server = HTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
async def outside(partner: str, tmp_path: Path) -> AsyncIterator[PartnerOutside]:
    demo = load_site(ROOT / "deploy" / "sites" / "demo.yaml", partners_url="http://127.0.0.1:1", base_url="http://x")
    site: Site = replace(demo, partners={"payer": Partner("payer", f"{partner}/payer", "https://token.example/token")})
    made = PartnerOutside(site, key_file(tmp_path / "key.pem"), system_clock)
    yield made
    await made.close()


async def test_a_configured_partner_is_reached_and_its_redirects_are_not_followed(
    outside: PartnerOutside, partner: str
) -> None:
    before = Answer.count
    response = await outside.http.get(f"{partner}/payer/Claim")
    assert response.status_code == 302
    assert Answer.count == before + 1


@pytest.mark.parametrize("address", [
    "http://169.254.169.254/latest/meta-data", "http://localhost/", "http://[::1]/", "http://2130706433/",
    "http://127.0.0.1:1/", "https://127.0.0.1:{port}/", "http://127.0.0.1:{port}@evil.example/",
    "http://127.0.0.1.:{port}/", "http://0x7f000001:{port}/", "http://token.example/token", "https://token.example:444/",
    "https://token.example.evil.example/", "http://user@10.0.0.1/",
])  # fmt: skip
async def test_any_other_address_is_refused_before_a_socket_is_opened(
    outside: PartnerOutside, partner: str, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def opened(*_: object, **__: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket.socket, "connect", opened)
    with pytest.raises(NotAllowed) as refused:
        await outside.http.get(address.replace("{port}", partner.rpartition(":")[2]))
    assert "evil" not in str(refused.value)
    assert "169.254" not in str(refused.value)


async def test_the_environment_names_no_proxy(
    outside: PartnerOutside, partner: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    fresh = PartnerOutside(outside.site, key_file(tmp_path / "key.pem"), system_clock)
    assert (await fresh.http.get(f"{partner}/payer")).status_code == 302
    await fresh.close()


async def test_the_standard_port_is_the_same_origin_said_or_not(outside: PartnerOutside) -> None:
    for address in ("https://token.example/token", "https://token.example:443/token", "https://TOKEN.example/other"):
        with pytest.raises(httpx.ConnectError):
            await outside.http.get(address)


def test_a_refused_address_counts_as_not_sent() -> None:
    assert issubclass(NotAllowed, httpx.RequestError)


# A token the partner takes no longer


class Ehr:
    """An EHR that takes the tokens it has issued since its last start, and those alone."""

    def __init__(self, *, stubborn: bool = False) -> None:
        self.issued: list[str] = []
        self.taken: set[str] = set()
        self.written: list[bytes] = []
        self.stubborn = stubborn

    def restart(self) -> None:
        self.taken.clear()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/token":
            token = f"token-{len(self.issued)}"
            self.issued.append(token)
            self.taken.add(token)
            return httpx.Response(200, json={"access_token": token, "token_type": "bearer", "expires_in": 300})
        if self.stubborn or request.headers.get("Authorization", "").removeprefix("Bearer ") not in self.taken:
            return httpx.Response(401)
        self.written.append(request.content)
        return httpx.Response(200)


def reaching(ehr: Ehr, tmp_path: Path) -> PartnerOutside:
    demo = load_site(ROOT / "deploy" / "sites" / "demo.yaml", partners_url="http://127.0.0.1:1", base_url="http://x")
    named = Partner("ehr", "http://ehr.test", "http://ehr.test/token", client_id="carepod")
    site = replace(demo, partners={"ehr": named})
    return PartnerOutside(site, key_file(tmp_path / "key.pem"), system_clock, httpx.MockTransport(ehr))


async def put(outside: PartnerOutside, token: str, body: bytes = b"{}") -> httpx.Response:
    return await outside.http.put("http://ehr.test/Task/1", content=body, headers={"Authorization": f"Bearer {token}"})


async def test_a_token_the_partner_takes_no_longer_is_replaced_and_what_was_sent_is_sent_once_more(
    tmp_path: Path,
) -> None:
    ehr = Ehr()
    outside = reaching(ehr, tmp_path)
    token = await outside.token("ehr")
    ehr.restart()
    assert (await put(outside, token, b"told")).status_code == 200
    assert ehr.written == [b"told"]
    assert await outside.token("ehr") == "token-1"
    await outside.close()


async def test_all_who_hold_the_old_token_get_the_one_new_one(tmp_path: Path) -> None:
    ehr = Ehr()
    outside = reaching(ehr, tmp_path)
    token = await outside.token("ehr")
    ehr.restart()
    answers = [(await put(outside, token)).status_code for _ in range(3)]
    assert answers == [200, 200, 200]
    assert ehr.issued == ["token-0", "token-1"]
    await outside.close()


async def test_a_partner_that_refuses_every_token_is_asked_twice_and_no_more(tmp_path: Path) -> None:
    ehr = Ehr(stubborn=True)
    outside = reaching(ehr, tmp_path)
    assert (await put(outside, await outside.token("ehr"))).status_code == 401
    assert ehr.issued == ["token-0", "token-1"]
    await outside.close()


async def test_a_refusal_of_what_is_no_token_of_ours_stands(tmp_path: Path) -> None:
    ehr = Ehr()
    outside = reaching(ehr, tmp_path)
    assert (await put(outside, "a-secret-agreed-with-them")).status_code == 401
    assert (await outside.http.put("http://ehr.test/Task/1", content=b"")).status_code == 401
    assert ehr.issued == []
    await outside.close()
