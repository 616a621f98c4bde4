"""One patient's name, numbers, addresses and dates go every way there is, and stand nowhere but where they must.

Where they may stand: databases, bodies of messages, what is sent to partners and told to who may see the patient. Where
they are looked for: everything else that leaves a process or names something in it. There are no metrics and no trace
exporter yet; `/metrics` is asked for, so that who adds one hears of this.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import aio_pika
import httpx
import pytest
import pytest_asyncio
import redis

from benchmarks.cases import CLIENT, Template, placer
from benchmarks.disturbed import Deployment
from benchmarks.engines import Engines
from benchmarks.harness import fresh
from shared.adapters.amqp import EXCHANGE
from shared.clock import system_clock, uuid7
from shared.core import derived_id
from shared.fhir.profiles import r4
from tests.journeys.case import booked, case_in, entries
from tests.journeys.conftest import site_file_of
from tests.journeys.pushes import pushed

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

NAME, GIVEN, MRN, MEMBER = "Zyxwcanary", "Qanariella", "MRNCANARY7731", "PHP-777731775"
STREET, MAIL, PHONE, BORN, NOTE = "17 Canarygasse", "canary@secret.example", "402-555-9137", "1931-02-27", "Canarynote"
CANARIES = (NAME, GIVEN, MRN, MEMBER, STREET, "Canarygasse", MAIL, PHONE, "4025559137", BORN, "19310227", NOTE)
PATIENT = derived_id("in", "Patient", CLIENT, "https://ehr.mercy.example/id/mrn", MRN)
NUMBER = 990
PAYER = "payer/prairie-health"


class Watched(Deployment):
    """Processes that log as much as they can."""

    @property
    def environment(self) -> dict[str, str]:
        return super().environment | {"CAREPOD_LOG_LEVEL": "DEBUG"}


@pytest_asyncio.fixture(
    scope="module", loop_scope="module", params=["embedded", pytest.param("deployed", marks=pytest.mark.engines)]
)
async def watched(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Watched, Engines | None]]:
    """A started deployment in either mode, and its engines."""
    folder = tmp_path_factory.mktemp("canary")
    async with AsyncExitStack() as stack:
        engines: Engines | None = request.getfixturevalue("engines") if request.param == "deployed" else None
        addresses = await stack.enter_async_context(fresh(engines)) if engines else {}
        made = Watched(folder, addresses)
        made.site_file = site_file_of(folder / "site.yaml", lambda site: _mailing(site, made))
        stack.push_async_callback(made.stop)
        await made.start()
        yield made, engines


def _mailing(site: dict[str, Any], deployment: Deployment) -> None:
    site["messaging"]["server"] = f"smtp://127.0.0.1:{deployment.smtp_port}"
    site["adopted_drafts"] = [a for a in site["adopted_drafts"] if a["policy"] != "intake/notice-hours"]


def marked(bundle: dict[str, Any]) -> None:
    """The canaries in every place a referral has for them."""
    (patient,) = entries(bundle, "Patient")
    patient["name"] = [{"family": NAME, "given": [GIVEN]}]
    patient["birthDate"] = BORN
    patient["address"] = [{"line": [STREET], "city": "Omaha", "state": "NE", "postalCode": "68131"}]
    patient["telecom"] = [
        {"system": "phone", "use": "mobile", "value": PHONE}, {"system": "email", "value": MAIL},
    ]  # fmt: skip
    for identifier in patient["identifier"]:
        if identifier["system"].endswith("/mrn"):
            identifier["value"] = MRN
    for coverage in entries(bundle, "Coverage"):
        coverage["subscriberId"] = coverage["identifier"][0]["value"] = MEMBER
    for order in entries(bundle, "ServiceRequest"):
        order["note"] = [{"text": NOTE}]


def referral() -> dict[str, Any]:
    text = Template(system_clock().date(), "iron-meets-criteria", marked).referral(NUMBER)
    found: dict[str, Any] = json.loads(text)
    return found


class Tap:
    """Everything but the body of every message the services send each other, and one body to be altered."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.bodies: list[tuple[str, dict[str, Any], bytes]] = []

    async def taken(self, message: aio_pika.abc.AbstractIncomingMessage) -> None:
        info = {k: v for k, v in message.info().items() if k != "body"}
        self.told.append(repr((info, message.routing_key, message.exchange, message.headers)))
        self.bodies.append((message.routing_key or "", dict(message.headers), message.body))


@asynccontextmanager
async def tapped(deployment: Deployment) -> AsyncIterator[Tap]:
    """A queue of our own that gets what every service gets; in the embedded mode there is none to look at."""
    tap = Tap()
    async with AsyncExitStack() as stack:
        if url := deployment.engines.get("CAREPOD_AMQP_URL"):
            connection = await stack.enter_async_context(await aio_pika.connect(url))
            channel = await stack.enter_async_context(connection.channel())
            queue = await channel.declare_queue("tap", exclusive=True)
            await queue.bind(EXCHANGE, routing_key="#")
            await queue.consume(tap.taken, no_ack=True)
        yield tap


def refusals(good: dict[str, Any]) -> Iterator[tuple[str, str, bytes]]:
    """(method, path, body) of what is refused, a canary in the place of the fault or beside it."""
    text = json.dumps(good)
    yield "POST", "", text[:-20].encode()
    for old, new in (
        (f'"{NAME}"', f'"{NAME}\\u0000"'), ('"telecom"', f'"{NAME} x": 1, "telecom"'),
        ('"telecom"', f'"gender": "{NAME}", "telecom"'), (f'"{BORN}"', f'"{BORN}T99"'),
        ('"reference": "urn:uuid', f'"reference": "{NAME}'), ('"POST"', f'"{NAME}"'),
        ('"url": "Patient"', f'"url": "{NAME}"'), ('"resourceType": "Patient"', f'"resourceType": "{NAME}"'),
        (f'"{MRN}"', f'"{MRN}\\u202e"'), ('"type": "transaction"', f'"type": "{NAME}"'),
    ):  # fmt: skip
        yield "POST", "", text.replace(old, new).encode()
    yield "POST", "/$process-message", text.replace('"transaction"', '"message"').encode()
    yield "POST", "/Observation", json.dumps({"resourceType": "Observation", "valueString": NAME}).encode()
    yield "PUT", f"/Patient/{MRN}", json.dumps({"resourceType": "Patient", "id": NAME}).encode()
    for path in (
        f"/Patient?colour={NAME}", f"/Patient?name:{NAME}=x", f"/Patient?_count={NAME}", f"/{NAME}", f"/{NAME}/{MRN}",
        f"/Patient/{MRN}", f"/Patient/{NAME}/_history/{MRN}", f"/Patient?birthdate={NAME}", f"/{quote(STREET)}/x",
        f"/Patient?_cursor={NAME}", f"/Patient?_sort={NAME}", f"/Patient?_include={NAME}", f"/Patient/x/${NAME}",
    ):  # fmt: skip
        yield "GET", path, b""


async def refused(deployment: Deployment) -> list[str]:
    """What is answered to what is refused: bodies and headers, each an OperationOutcome."""
    sender = deployment.sender()
    said = []
    async with httpx.AsyncClient(trust_env=False, timeout=60) as http:
        for method, path, body in refusals(referral()):
            headers = {**await sender._headers(), "Content-Type": "application/fhir+json", "Prefer": "handling=strict"}
            url = f"{deployment.base_url}/fhir{path}"
            answer = await http.request(method, url, content=body or None, headers=headers)
            assert answer.status_code < 500, (method, path)
            if answer.status_code >= 400:
                assert r4().check(answer.json()) == []
                said.append(f"{answer.text} {answer.headers!r}")
        paths = ("/metrics", f"/{NAME}", f"/notifications/{NAME}", "/health/ready", "/health/live", "/fhir/metadata")
        said += [(await http.get(deployment.base_url + path)).text for path in paths]
        assert (await http.get(f"{deployment.base_url}/metrics")).status_code == 404
    await sender.close()
    assert len(said) > 20
    return said


async def paper(deployment: Deployment) -> None:
    """A fax with the patient on it."""
    content = base64.b64encode(f"%PDF-1.7 {NAME} {MRN}".encode()).decode()
    attachment = {"contentType": "application/pdf", "title": NAME, "data": content}
    document = {"resourceType": "DocumentReference", "status": "current", "content": [{"attachment": attachment}]}
    sender = deployment.sender()
    await pushed(sender, "paper", json.dumps(document).encode(), "/DocumentReference")
    await sender.close()


async def parked(deployment: Deployment, tap: Tap) -> None:
    """Messages of a service, altered: unreadable, under another reason, with what no profile has, and large."""
    if not tap.bodies:
        return
    key, headers, body = next(found for found in reversed(tap.bodies) if NAME.encode() in found[2])
    async with await aio_pika.connect(deployment.engines["CAREPOD_AMQP_URL"]) as connection:
        channel = await connection.channel()
        exchange = await channel.get_exchange(EXCHANGE, ensure=False)
        for n, change in enumerate((_cut, _renamed, _unknown, _strange)):
            bundle = json.loads(body)
            message_id = uuid7(system_clock())
            bundle["id"] = bundle["entry"][0]["resource"]["id"] = message_id
            for entry in bundle["entry"][1:]:
                entry["resource"]["meta"]["versionId"] = f"1-{900 + n}"
            reason = bundle["entry"][0]["resource"]["eventUri"].rpartition("/")[2]
            sent = aio_pika.Message(
                change(bundle),
                message_id=message_id,
                type=reason,
                headers={**headers, "seq": 900 + n, "previous": "{}"},
            )
            await exchange.publish(sent, routing_key=key)
        await _until_parked(deployment)


def _cut(bundle: dict[str, Any]) -> bytes:
    return json.dumps(bundle).encode()[:-30]


def _renamed(bundle: dict[str, Any]) -> bytes:
    bundle["entry"][0]["resource"]["eventUri"] += NAME
    return json.dumps(bundle).encode()


def _unknown(bundle: dict[str, Any]) -> bytes:
    for entry in bundle["entry"][1:]:
        entry["resource"][NAME] = {MRN: BORN}
        entry["resource"]["status"] = NAME
    return json.dumps(bundle).encode()


def _strange(bundle: dict[str, Any]) -> bytes:
    bundle["entry"][1]["resource"]["id"] = f"zz-{NAME}"
    return json.dumps(bundle).encode()


async def _until_parked(deployment: Deployment, least: int = 3) -> None:
    async with asyncio.timeout(60):
        while True:
            found = 0
            for service in ("auth", "scheduling", "nursing", "intake"):
                rows = await deployment.rows(service, "select count(*) from inbox where status = 'parked'")
                found += int(rows[0][0])
            if found >= least:
                return
            await asyncio.sleep(0.2)


async def settled(deployment: Deployment) -> None:
    async with asyncio.timeout(120):
        while not booked(await case_in(deployment, PATIENT)):  # noqa: ASYNC110 (nobody signals it)
            await asyncio.sleep(0.3)


def processes(deployment: Deployment) -> Iterator[str]:
    """Titles, arguments, environment and thread names of every process of ours, and all it has logged."""
    for name in deployment.names:
        yield deployment.log(name)
        proc = Path("/proc") / str(deployment.processes[name].pid)
        for path in (proc / "cmdline", proc / "environ", proc / "comm", *proc.glob("task/*/comm")):
            yield path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
    yield from (str(path.relative_to(deployment.folder)) for path in deployment.folder.rglob("*"))


async def broker(deployment: Deployment, engines: Engines | None) -> AsyncIterator[str]:
    """Every name the broker has: queues, bindings, exchanges, policies, connections, channels, consumers."""
    if engines is None:
        return
    vhost = urlsplit(deployment.engines["CAREPOD_AMQP_URL"]).path.removeprefix("/")
    async with httpx.AsyncClient(base_url=engines.management_url, timeout=60, trust_env=False) as api:
        for kind in ("queues", "bindings", "exchanges", "policies", "consumers"):
            found = (await api.get(f"/api/{kind}/{vhost}")).raise_for_status()
            assert kind == "policies" or found.json()
            yield found.text
        for kind in ("connections", "channels"):
            yield (await api.get(f"/api/vhosts/{vhost}/{kind}")).raise_for_status().text


def cached(deployment: Deployment) -> Iterator[str]:
    """Every key in Redis with its value."""
    if url := deployment.engines.get("CAREPOD_REDIS_URL"):
        with redis.Redis.from_url(url) as client:
            for key in client.scan_iter():
                yield repr((key, client.dump(key)))


async def test_a_patient_stands_nowhere_but_in_databases_and_bodies(watched: tuple[Watched, Engines | None]) -> None:
    deployment, engines = watched
    async with tapped(deployment) as tap:
        await deployment.fail(PAYER, operation="submit", kind="500", times=1)
        await deployment.fail("ehr/mercy", operation="task", kind="500", times=2)
        sender = deployment.sender()
        await pushed(sender, placer(NUMBER), json.dumps(referral()).encode())
        await sender.close()
        answers = await refused(deployment)
        await paper(deployment)
        await settled(deployment)
        await parked(deployment, tap)
        places = {
            "answers": answers,
            "messages": tap.told,
            "processes": list(processes(deployment)),
            "broker": [text async for text in broker(deployment, engines)],
            "cache": list(cached(deployment)),
        }
    # What is looked through is there, and the canaries were where they had to be.
    assert any(len(text) > 1000 for text in places["processes"])
    kept = await deployment.rows("intake", "select body from resource where id = $1", PATIENT)
    assert all(c in kept[0][0] for c in (NAME, MRN, STREET, MAIL, PHONE, BORN))
    if engines is not None:
        assert tap.told
        assert any(NAME.encode() in body for _, _, body in tap.bodies)
    found = {(place, c) for place, texts in places.items() for c in CANARIES for t in texts if c.lower() in t.lower()}
    assert found == set()


async def test_a_question_about_a_parked_message_names_nobody(watched: tuple[Watched, Engines | None]) -> None:
    deployment, engines = watched
    listed: list[str] = []
    for service in ("auth", "scheduling", "nursing", "intake"):
        problems = await deployment.rows(service, "select problem from inbox where status = 'parked'")
        asked = await deployment.rows(service, "select body from resource where type = 'Task'")
        questions = [row[0] for row in asked if '"message-question"' in row[0]]
        listed += [*(row[0] for row in problems), *questions]
    assert bool(listed) == (engines is not None)
    assert not [text for text in listed if any(c in text for c in CANARIES)]
