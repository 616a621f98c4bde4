"""Paper, spoken orders, authorizations already held and people known twice: from the fax machine to the visit."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from benchmarks.cases import patient_id, roomy_site
from benchmarks.disturbed import Deployment
from benchmarks.engines import Engines
from benchmarks.harness import DESK, EHR, fresh
from benchmarks.truth import waited
from services.intake.codes import PAPER_ID
from services.intake.paper import binary_id
from shared.core import Resource, derived_id, reference
from shared.fhir.json import encode
from tests.journeys import changing
from tests.journeys.case import Case, booked, case_in, entries, until
from tests.journeys.pushes import pushed
from tests.journeys.test_updates import referral

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

ANSWER = "https://carepod.example/fhir/CodeSystem/answer"
MODE = "https://carepod.example/fhir/StructureDefinition/order-mode"


@pytest_asyncio.fixture(
    scope="module", loop_scope="module", params=["embedded", pytest.param("deployed", marks=pytest.mark.engines)]
)
async def standing(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Deployment]:
    """A practice whose own desk reads paper and sees every patient."""
    folder: Path = tmp_path_factory.mktemp(f"paper-{request.param}")
    roomy_site(folder / "site.yaml", 2)
    async with AsyncExitStack() as stack:
        engines: Engines | None = request.getfixturevalue("engines") if request.param == "deployed" else None
        addresses = await stack.enter_async_context(fresh(engines)) if engines else {}
        made = Deployment(folder, addresses, folder / "site.yaml")
        stack.push_async_callback(made.stop)
        await made.start()
        yield made


async def send(deployment: Deployment, body: Any, path: str = "", client: str = EHR) -> dict[str, Any]:
    sender = deployment.sender(client)
    try:
        return (await pushed(sender, "paper", body if isinstance(body, bytes) else encode(body), path)).answer
    finally:
        await sender.close()


async def put(deployment: Deployment, resource: Resource, client: str) -> int:
    return (await changing.asked(deployment, "PUT", reference(resource), resource, client)).status_code


def pages(number: int) -> bytes:
    return f"%PDF-1.7 referral by fax {number}".encode()


def fax(number: int) -> dict[str, Any]:
    attachment = {"contentType": "application/pdf", "data": base64.b64encode(pages(number)).decode()}
    return {"resourceType": "DocumentReference", "status": "current", "content": [{"attachment": attachment}]}


def nobody_yet(number: int, client: str = EHR) -> str:
    """Our Patient id of a paper whose patient is not known."""
    return derived_id("in", "Patient", client, PAPER_ID, binary_id(client, [pages(number)]))


async def until_in(
    deployment: Deployment, patient: str, wanted: Callable[[Case], object], seconds: float = 30.0
) -> Case:
    loop = asyncio.get_running_loop()
    ends = loop.time() + seconds
    while not wanted(case := await case_in(deployment, patient)):
        assert loop.time() < ends, [(t["code"]["coding"][0]["code"], t["status"]) for t in case.of("Task")]
        await asyncio.sleep(0.1)
    return case


def asked(case: Case, code: str) -> list[Resource]:
    tasks = case.tasks("intake-question")
    return [t for t in tasks if t["input"][0]["type"]["coding"][0]["code"] == code]


def answered(task: Resource, answer: str = "confirmed", **value: Any) -> dict[str, Any]:
    said = {"type": {"coding": [{"system": ANSWER, "code": answer}]}, **(value or {"valueBoolean": True})}
    return {**task, "status": "completed", "output": [said]}


def read_as(task: Resource, bundle: dict[str, Any]) -> dict[str, Any]:
    """What the desk's form sends: the answered question beside the order that stands in the document."""
    kept = [e for e in bundle["entry"] if e["resource"]["resourceType"] != "Task"]
    entry = {"resource": answered(task), "request": {"method": "PUT", "url": reference(task)}}
    return {**bundle, "entry": [entry, *kept]}


async def test_a_fax_becomes_an_order_and_its_visits_are_booked(standing: Deployment) -> None:
    await send(standing, fax(140), "/DocumentReference")
    await send(standing, fax(140), "/DocumentReference")
    case = await until_in(standing, nobody_yet(140), lambda c: asked(c, "transcription"))
    (question,) = asked(case, "transcription")
    assert case.task("referral")["statusReason"]["text"] == "A person reads the document"
    await send(standing, read_as(question, json.loads(referral(140, site="site-1"))), client=DESK)
    case = await until_in(standing, nobody_yet(140), booked)
    named = {s["reference"] for o in case.of("ServiceRequest") for s in o.get("supportingInfo", ())}
    assert {reference(d) for d in case.of("DocumentReference")} <= named
    (question,) = asked(case, "transcription")
    assert question["note"][-1]["authorString"] == DESK


async def test_a_fax_that_is_no_referral_is_told_its_sender(standing: Deployment) -> None:
    await send(standing, fax(141), "/DocumentReference")
    case = await until_in(standing, nobody_yet(141), lambda c: asked(c, "transcription"))
    (question,) = asked(case, "transcription")
    assert await put(standing, answered(question, "rejected", valueString="A menu"), DESK) == 200
    case = await until_in(standing, nobody_yet(141), lambda c: c.task("referral")["status"] == "rejected")
    assert case.task("referral")["statusReason"]["text"] == "A menu"

    async def is_told() -> bool:
        told = await standing.debug("ehr/mercy/debug/tasks")
        statuses = [t["task"]["status"] for t in told if t["id"] == case.task("referral")["id"]]
        return statuses[-1:] == ["rejected"]

    assert await waited(is_told, 30)


async def test_bytes_and_document_in_two_posts_are_one_question(standing: Deployment) -> None:
    content = fax(142)["content"][0]["attachment"]
    await send(standing, {"resourceType": "Binary", **content}, "/Binary")
    pointing = {**content, "url": f"Binary/{binary_id(EHR, [pages(142)])}"}
    pointing.pop("data")
    await send(standing, {**fax(142), "content": [{"attachment": pointing}]}, "/DocumentReference")
    case = await until_in(standing, nobody_yet(142), lambda c: asked(c, "transcription"))
    assert len(asked(case, "transcription")) == 1
    assert len(case.of("DocumentReference")) == 1


async def test_a_fax_of_twenty_five_mebibytes_is_kept_whole_and_carried_by_no_message(standing: Deployment) -> None:
    content = pages(148) + bytes(25 * 1024 * 1024 - len(pages(148)))
    attachment = {"contentType": "application/pdf", "data": base64.b64encode(content).decode()}
    document = {**fax(148), "content": [{"attachment": attachment}]}
    await send(standing, document, "/DocumentReference")
    patient = derived_id("in", "Patient", EHR, PAPER_ID, binary_id(EHR, [content]))
    case = await until_in(standing, patient, lambda c: asked(c, "transcription"))
    assert base64.b64decode(case.of("Binary")[0]["data"]) == content
    sent = await standing.rows("intake", "select length(body) from outbox where lane = $1", f"patient/{patient}")
    assert all(length < 100_000 for (length,) in sent)


def named(family: str) -> Callable[[dict[str, Any]], None]:
    def changed(bundle: dict[str, Any]) -> None:
        (patient,) = entries(bundle, "Patient")
        patient["name"] = [{"family": family, "given": ["Ana"]}]

    return changed


async def test_a_patient_known_already_is_asked_of_the_practice_alone(standing: Deployment) -> None:
    await send(standing, referral(143, named("Villanueva"), site="site-1"))
    await until(standing, 143, booked)
    await send(standing, referral(144, named("VILLANUEVA "), site="site-2"), client=DESK)
    own = patient_id(144, DESK)
    case = await until_in(standing, own, lambda c: asked(c, "possible-duplicate") and booked(c))
    (question,) = asked(case, "possible-duplicate")
    assert question["input"][1]["valueReference"]["reference"] == f"Patient/{patient_id(143)}"
    assert await put(standing, answered(question), DESK) == 200
    case = await until_in(standing, own, lambda c: c.of("Patient")[0].get("link"))
    assert case.of("Patient")[0]["link"] == [{"other": {"reference": f"Patient/{patient_id(143)}"}, "type": "seealso"}]


async def test_the_same_referral_by_fax_and_by_ehr_is_asked_about(standing: Deployment) -> None:
    await send(standing, referral(152, named("Achterberg"), site="site-1"))
    await send(standing, fax(153), "/DocumentReference")
    case = await until_in(standing, nobody_yet(153), lambda c: asked(c, "transcription"))
    (question,) = asked(case, "transcription")
    body = json.loads(referral(152, named("Achterberg"), site="site-1"))
    await send(standing, read_as(question, body), client=DESK)
    case = await until_in(standing, nobody_yet(153), lambda c: asked(c, "possible-duplicate"))
    (duplicate,) = asked(case, "possible-duplicate")
    assert duplicate["input"][1]["valueReference"]["reference"] == f"Patient/{patient_id(152)}"


async def test_no_client_learns_that_anothers_patient_exists(standing: Deployment) -> None:
    await send(standing, referral(145, named("Okonjo"), site="site-1"), client=DESK)
    await send(standing, referral(146, named("Okonjo"), site="site-2"))
    case = await until(standing, 146, lambda c: asked(c, "possible-duplicate"))
    (question,) = asked(case, "possible-duplicate")
    assert await put(standing, answered(question), EHR) == 404
    sender = standing.sender()
    found = await sender.get("Task", patient=patient_id(146))
    await sender.close()
    assert question["id"] not in json.dumps(found)
    assert patient_id(145, DESK) not in json.dumps(case.task("referral"))
    await until(standing, 146, booked)


def spoken(bundle: dict[str, Any]) -> None:
    for order in entries(bundle, "ServiceRequest"):
        order["extension"] = [{"url": MODE, "valueCode": "telephone"}]


async def test_a_spoken_order_acts_and_is_signed_by_its_prescriber(standing: Deployment) -> None:
    await send(standing, referral(147, spoken, site="site-1"))
    case = await until(standing, 147, booked)
    (question,) = asked(case, "countersignature")
    told = [o["valueReference"]["reference"] for o in case.task("referral")["output"] if "valueReference" in o]
    assert reference(question) in told
    order = next(o for o in case.of("ServiceRequest") if o["intent"] == "filler-order")
    kind = {"system": "urn:iso-astm:E1762-95:2013", "code": "1.2.840.10065.1.12.1.1"}
    signature = {"type": [kind], "when": "2026-11-22T09:00:00Z"}
    wrong = {**signature, "who": {"identifier": {"system": "http://hl7.org/fhir/sid/us-npi", "value": "1234567893"}}}
    assert await put(standing, answered(question, valueSignature=wrong), EHR) == 422
    right = {**signature, "who": {"identifier": order["requester"]["identifier"]}}
    assert await put(standing, answered(question, valueSignature=right), EHR) == 200
    case = await until(standing, 147, lambda c: asked(c, "countersignature")[0]["status"] == "completed")
    assert not asked(case, "countersignature-missing")


def holding(number: str) -> Callable[[dict[str, Any]], None]:
    """A referral that brings an authorization the payer gave to the referrer, under this number."""

    def changed(bundle: dict[str, Any]) -> None:
        kind = {"system": "http://terminology.hl7.org/CodeSystem/claim-type", "code": "professional"}
        held = {
            "resourceType": "ClaimResponse",
            "status": "active",
            "type": {"coding": [kind]},
            "use": "preauthorization",
            "patient": entries(bundle, "ServiceRequest")[0]["subject"],
            "created": bundle.get("timestamp", "2026-11-20")[:10],
            "insurer": {"identifier": {"system": "https://carepod.example/id/payer", "value": "prairie-health"}},
            "outcome": "complete",
            "preAuthRef": number,
        }
        url = "urn:uuid:00000000-0000-4000-8000-0000000000c1"
        entry = {"fullUrl": url, "resource": held, "request": {"method": "POST", "url": "ClaimResponse"}}
        bundle["entry"].append(entry)
        for order in entries(bundle, "ServiceRequest"):
            order["insurance"] = [*order.get("insurance", ()), {"reference": url}]

    return changed


def numbers(case: Case) -> list[str]:
    outputs = case.task("preauthorization").get("output", ())
    return [o["valueString"] for o in outputs if o["type"]["coding"][0]["code"] == "number"]


async def test_an_authorization_held_is_verified_and_visits_are_booked_on_its_number(standing: Deployment) -> None:
    await send(standing, referral(150, holding("PH-HELD-1500"), site="site-1"))
    case = await until(standing, 150, booked)
    assert case.stage("preauthorization") == "approved"
    assert numbers(case) == ["PH-HELD-1500"]
    order = next(o for o in case.of("ServiceRequest") if o["intent"] == "filler-order")
    assert any(s["reference"].startswith("ClaimResponse/in-") for s in order["supportingInfo"])


async def test_an_authorization_the_payer_does_not_know_is_a_question_and_nothing_is_submitted(
    standing: Deployment,
) -> None:
    await send(standing, referral(151, holding("PH-NEVER-GIVEN"), site="site-2"))
    case = await until(standing, 151, lambda c: c.tasks("authorization-question"))
    (question,) = case.tasks("authorization-question")
    assert question["input"][0]["type"]["coding"][0]["code"] == "held-authorization-unknown"
    known = {c["identifier"]["value"] for c in await standing.debug("payer/prairie-health/debug/claims")}
    assert not {c["identifier"][0]["value"] for c in case.of("Claim")} & known
    assert not case.visits("booked")
    assert await put(standing, answered(question, "rejected"), DESK) == 200
    await until(standing, 151, booked)
