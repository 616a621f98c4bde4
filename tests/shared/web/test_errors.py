"""Whatever goes wrong, an OperationOutcome says so: no stack, no value, and no 500 for what a client sent."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from shared.cli.common import quiet_logs
from shared.fhir.profiles import r4
from shared.ports import Conflict, Unavailable
from shared.settings import Settings
from shared.web.app import create_app
from tests.fuzz import examples
from tests.shared.web.stack import FHIR, Carepod, Client, built, referral

CANARIES = ("Zyxwcanary", "MRN-CANARY-77", "canary@secret.example")


def marked() -> dict[str, Any]:
    """The referral of a patient whose name, number and address appear nowhere else."""
    bundle = referral()
    patient = next(e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == "Patient")
    patient["name"] = [{"family": CANARIES[0], "given": [CANARIES[0]]}]
    patient["identifier"][0]["value"] = CANARIES[1]
    patient["telecom"] = [{"system": "email", "value": CANARIES[2]}]
    return bundle


def assert_outcome(response: httpx.Response, status: int, code: str) -> None:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == FHIR
    assert r4().check(response.json()) == []
    assert response.json()["issue"][0]["code"] == code


def assert_silent(caplog: pytest.LogCaptureFixture, *answers: httpx.Response) -> None:
    """No canary in any log record, answer body or header."""
    said = [caplog.handler.format(r) + repr(r.args) for r in caplog.records]
    said += [a.text + repr(a.headers) for a in answers]
    assert not [text for text in said if any(c in text for c in CANARIES)]


@pytest.mark.parametrize(("method", "path", "status", "code"), [
    ("GET", "/nowhere", 404, "not-found"), ("GET", "/", 404, "not-found"), ("GET", "/fhir/a/b/c/d", 404, "not-found"),
    ("DELETE", "/fhir/Task/x", 401, "login"), ("GET", "/fhir", 405, "not-supported"),
    ("DELETE", "/fhir", 405, "not-supported"),
    ("PUT", "/health/live", 405, "not-supported"), ("GET", "/fhir/Task", 401, "login"),
    ("POST", "/fhir/", 415, "not-supported"),
])  # fmt: skip
async def test_addresses_and_methods_that_are_not_there(
    carepod: Carepod, method: str, path: str, status: int, code: str
) -> None:
    assert_outcome(await carepod.http.request(method, path), status, code)


async def test_the_host_header_is_never_used(client: Client) -> None:
    for path in ("/fhir/Patient/", "/fhir/metadata/", "/docs/", "/health/live/"):
        response = await client.get(path, Host="evil.example", X_Forwarded_Host="evil.example")
        assert response.status_code == 404
        assert "location" not in response.headers
    pushed = await client.push(referral(), Host="evil.example")
    assert pushed.status_code == 200
    search = await client.get("/fhir/Task", Host="evil.example")
    assert "evil.example" not in pushed.text + search.text + repr(pushed.headers)


class Fault(Exception):
    """Something nobody foresaw, with a patient in its text."""


async def test_an_error_nobody_foresaw_has_a_number_and_no_text(
    client: Client, carepod: Carepod, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: Any, **__: Any) -> None:
        raise Fault(f"patient {CANARIES[0]}")

    monkeypatch.setattr(carepod.app.handles["intake"].runner, "take", broken)
    quiet_logs()
    caplog.set_level(logging.DEBUG)
    response = await client.push(marked())
    assert_outcome(response, 500, "exception")
    number = re.search(r"[0-9a-f-]{36}", response.json()["issue"][0]["diagnostics"])
    assert number is not None
    record = next(r for r in caplog.records if number[0] in r.getMessage())
    assert "Fault" in record.getMessage()
    assert "test_errors.py" in record.getMessage()
    assert_silent(caplog, response)
    assert "Traceback" not in response.text


@pytest.mark.slow
@pytest.mark.parametrize("error", [Unavailable("the engine"), Conflict("no decision")])
async def test_an_engine_that_is_away_means_the_same_again_in_a_moment(
    client: Client, carepod: Carepod, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    @asynccontextmanager
    async def broken() -> AsyncIterator[None]:
        raise error
        yield

    database = carepod.app.handles["intake"].database
    monkeypatch.setattr(database, "writing", broken)
    response = await client.push(referral())
    assert_outcome(response, 503, "transient")
    assert int(response.headers["retry-after"]) > 0
    assert_outcome(await client.push(b"broken"), 503, "transient")
    monkeypatch.setattr(database, "reading", broken)
    assert_outcome(await client.get("/fhir/Task"), 503, "transient")
    monkeypatch.undo()
    assert (await client.push(referral())).status_code == 200


async def test_too_many_requests_of_one_client_are_told_when_to_come_again(carepod: Carepod) -> None:
    transport = httpx.ASGITransport(create_app(carepod.app, requests_per_second=2))
    async with httpx.AsyncClient(transport=transport, base_url="http://x.example") as http:
        one, other = (Client(http, carepod.client(name).token) for name in ("mercy-ehr", "other-ehr"))
        answers = await asyncio.gather(*(one.get("/fhir/Task") for _ in range(5)))
        assert [a.status_code for a in answers].count(200) >= 2
        refused = next(a for a in answers if a.status_code != 200)
        assert_outcome(refused, 429, "throttled")
        assert int(refused.headers["retry-after"]) >= 1
        assert (await other.get("/fhir/Task")).status_code == 200


def bundle_of(kind: str, times: int) -> dict[str, Any]:
    entry = {"request": {"method": "GET", "url": "Task?status=requested"}}
    return {"resourceType": "Bundle", "type": kind, "entry": [entry] * times}


@pytest.mark.parametrize("kind", ["batch", "transaction"])
async def test_each_search_of_a_bundle_counts_as_a_request(carepod: Carepod, kind: str) -> None:
    transport = httpx.ASGITransport(create_app(carepod.app, requests_per_second=50))
    async with httpx.AsyncClient(transport=transport, base_url="http://x.example") as http:
        client = Client(http, carepod.client().token)
        window = await asyncio.gather(*(client.push(bundle_of(kind, 40)) for _ in range(4)))
    refused = next(a for a in window if a.status_code != 200)
    assert [a.status_code for a in window].count(200) >= 2
    assert_outcome(refused, 429, "throttled")
    assert int(refused.headers["retry-after"]) >= 1


async def test_a_client_that_goes_away_mid_body_leaves_nothing(
    carepod: Carepod, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    sent: list[Any] = []
    parts = iter([
        {"type": "http.request", "body": b'{"resourceType": "Bundle"', "more_body": True}, {"type": "http.disconnect"},
    ])  # fmt: skip

    async def receive() -> Any:
        return next(parts)

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"authorization", f"Bearer {client.token}".encode()), (b"content-type", FHIR.encode())]
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
        "path": "/fhir", "raw_path": b"/fhir", "query_string": b"", "headers": headers, "server": ("x", 80),
    }  # fmt: skip
    await create_app(carepod.app)(scope, receive, send)
    assert sent == []
    assert not [r for r in caplog.records if r.levelno >= logging.WARNING]
    assert await carepod.count("select count(*) from quarantine") == 0


async def test_no_patient_is_in_any_answer_to_what_is_refused_nor_in_a_log(
    client: Client, carepod: Carepod, caplog: pytest.LogCaptureFixture
) -> None:
    quiet_logs()
    caplog.set_level(logging.DEBUG)
    answers = [await client.push(body) for body in _refusals(marked())]
    assert all(400 <= a.status_code < 500 for a in answers), [a.status_code for a in answers]
    answers += [
        await client.get(f"/fhir/Patient?identifier={CANARIES[1]}&colour={CANARIES[0]}", Prefer="handling=strict"),
        await client.get(f"/fhir/Patient/{CANARIES[0]}"),
        await client.get(f"/fhir/{CANARIES[0]}/x"),
        await client.get(f"/fhir/Patient?name:{CANARIES[0]}=x&_count={CANARIES[0]}"),
        await client.send("PUT", f"/fhir/Patient/{CANARIES[0]}", {"resourceType": "Patient"}),
    ]
    assert_silent(caplog, *answers)
    for response in answers:
        assert r4().check(response.json()) == []


def _refusals(bundle: dict[str, Any]) -> Iterator[Any]:
    text = json.dumps(bundle)
    yield text[:-20].encode()
    yield text.replace(f'"{CANARIES[0]}"', f'"{CANARIES[0]}\\u0000"').encode()
    yield text.replace('"telecom"', f'"{CANARIES[0]} x": 1, "telecom"').encode()
    yield text.replace('"telecom"', f'"gender": "{CANARIES[0]}", "telecom"', 1).encode()
    yield text.replace('"telecom"', f'"birthDate": "{CANARIES[0]}", "telecom"', 1).encode()
    yield text.replace('"reference": "urn:uuid', f'"reference": "{CANARIES[0]}').encode()
    yield text.replace('"POST"', f'"{CANARIES[0]}"').encode()
    yield text.replace('"url": "Patient"', f'"url": "{CANARIES[0]}"').encode()
    yield text.replace('"resourceType": "Patient"', f'"resourceType": "{CANARIES[0]}"').encode()


# Whatever is changed in a good referral, it is taken or refused, and what is refused is kept


@dataclass
class Standing:
    """One application for all examples, on a loop of its own."""

    runner: asyncio.Runner
    carepod: Carepod
    token: str

    def push(self, body: bytes) -> tuple[httpx.Response, int]:
        """The answer, and how many bodies are in quarantine after it."""

        async def sent() -> tuple[httpx.Response, int]:
            response = await Client(self.carepod.http, self.token).push(body)
            return response, await self.carepod.count("select count(*) from quarantine")

        return self.runner.run(sent())


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standing]:
    folder: Path = tmp_path_factory.mktemp("carepod")
    with asyncio.Runner() as runner:
        app = runner.run(built(Settings(folder=folder, secrets=folder / "secrets", base_url="http://carepod.test")))
        transport = httpx.ASGITransport(create_app(app, requests_per_second=1_000_000))
        carepod = Carepod(app, httpx.AsyncClient(transport=transport, base_url="http://x.example"))
        yield Standing(runner, carepod, carepod.client().token)
        runner.run(carepod.http.aclose())
        runner.run(app.stop())


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from _paths(inner, (*path, key))


GOOD = referral()
PATHS = [p for p in _paths(GOOD) if p]
ODD = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**17), 10**17), st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20), st.just([]), st.just({}), st.just([None]),
    st.just({"resourceType": "Patient"}), st.just([[{}]]), st.just("Patient/in-00000000-0000-5000-8000-000000000000"),
    st.just("x" * 5000), st.just({"reference": "#"}), st.just("0001-01-01"), st.just("9999-12-31T23:59:59+14:00"),
    st.sampled_from(PATHS).map(lambda p: _at(GOOD, p)),
)  # fmt: skip


def _at(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        value = value[key]
    return value


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """The good referral with one to four places replaced, removed or doubled."""
    bundle = json.loads(json.dumps(GOOD))
    for path in draw(st.lists(st.sampled_from(PATHS), min_size=1, max_size=4)):
        try:
            holder = _at(bundle, path[:-1])
            match draw(st.sampled_from(("replace", "remove", "double"))):
                case "replace":
                    holder[path[-1]] = draw(ODD)
                case "remove":
                    del holder[path[-1]]
                case "double" if isinstance(holder, list):
                    holder.append(holder[path[-1]])
        except (KeyError, IndexError, TypeError):
            continue
    return json.dumps(bundle).encode()


@pytest.mark.slow
@given(body=mutated())
@hypothesis_settings(max_examples=examples(150), deadline=None, suppress_health_check=list(HealthCheck))
def test_a_changed_referral_is_taken_or_refused_and_never_breaks_anything(standing: Standing, body: bytes) -> None:
    before = standing.runner.run(standing.carepod.count("select count(*) from quarantine"))
    response, kept = standing.push(body)
    assert response.status_code in (200, 400, 422), (response.status_code, response.text)
    assert kept - before == (response.status_code != 200)
    assert r4().check(response.json()) == []


@given(body=st.binary(max_size=200) | st.text(max_size=100).map(lambda t: json.dumps(t).encode()))
@hypothesis_settings(max_examples=examples(60), deadline=None, suppress_health_check=list(HealthCheck))
def test_any_bytes_are_refused(standing: Standing, body: bytes) -> None:
    response, _ = standing.push(body)
    assert response.status_code == 400
