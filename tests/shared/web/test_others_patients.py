"""No client reaches the patients of another one by an id that anybody can work out."""

from __future__ import annotations

from typing import Any

import pytest

from shared import store
from shared.core import derived_id
from shared.ports import EVENT_NUMBERS
from tests.shared.web import test_notifications as noticed
from tests.shared.web.stack import Carepod, Client, of, pushed, referral, renamed

NOBODY = "Patient/in-00000000-0000-5000-8000-000000000000"


@pytest.fixture
def other(carepod: Carepod) -> Client:
    return carepod.client("other-ehr")


async def linked(client: Client, own: str, other: dict[str, Any]) -> Any:
    """The answer to an update of one's own patient with a link."""
    patient = (await client.get(f"/fhir/{own}")).json() | {"link": [{"other": other, "type": "seealso"}]}
    return await client.send("PUT", f"/fhir/{own}", patient)


@pytest.mark.parametrize("address", ["{}", "http://elsewhere.example/{}", "{}/_history/1-1"])
async def test_a_link_to_another_clients_patient_is_refused_like_one_to_nobody(
    client: Client, other: Client, address: str
) -> None:
    theirs = (await pushed(client))["Patient"]
    own = (await pushed(other, renamed(referral(), "-other")))["Patient"]
    answers = [await linked(other, own, {"reference": address.format(p)}) for p in (theirs, NOBODY)]
    assert [a.status_code for a in answers] == [422, 422]
    assert answers[0].content == answers[1].content
    assert "link" not in (await other.get(f"/fhir/{own}")).json()


async def test_a_link_within_a_referral_is_refused_too(client: Client, other: Client) -> None:
    theirs = (await pushed(client))["Patient"]
    bundle = renamed(referral(), "-other")
    of(bundle, "Patient")["link"] = [{"other": {"reference": theirs}, "type": "replaced-by"}]
    assert (await other.push(bundle)).status_code == 422


async def test_a_link_to_ones_own_patient_is_taken_by_id_and_by_identifier_before_he_is_sent(client: Client) -> None:
    first = (await pushed(client))["Patient"]
    second = (await pushed(client, renamed(referral(), "-second")))["Patient"]
    assert (await linked(client, second, {"reference": first})).status_code == 200
    identifier = {"system": "https://ehr.mercy.example/id/mrn", "value": "to come"}
    answer = await linked(client, second, {"identifier": identifier})
    assert answer.status_code == 200, answer.text
    assert (await linked(client, second, answer.json()["link"][0]["other"])).status_code == 200


async def test_an_identifier_beside_it_does_not_make_a_strange_id_ones_own(client: Client, other: Client) -> None:
    theirs = (await pushed(client))["Patient"]
    own = (await pushed(other, renamed(referral(), "-other")))["Patient"]
    identifier = {"system": "https://other.example/id", "value": "1"}
    assert (await linked(other, own, {"reference": theirs, "identifier": identifier})).status_code == 422


async def test_the_practice_may_link_whom_it_finds(client: Client, other: Client, carepod: Carepod) -> None:
    first = (await pushed(client))["Patient"]
    second = (await pushed(other, renamed(referral(), "-other")))["Patient"]
    assert (await linked(carepod.client("office"), second, {"reference": first})).status_code == 200
    again = (await other.get(f"/fhir/{second}")).json()
    assert (await other.send("PUT", f"/fhir/{second}", again)).status_code == 200


def resting(kind: str, at: dict[str, str]) -> dict[str, Any]:
    """A record of another client's patient that names an order of his."""
    return {
        "Observation": {"status": "final", "code": {"text": "x"}, "basedOn": [{"reference": at["ServiceRequest"]}]},
        "Encounter": {
            "status": "in-progress",
            "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"},
            "basedOn": [{"reference": at["ServiceRequest"]}],
        },
        "MedicationDispense": {
            "status": "in-progress",
            "medicationCodeableConcept": {"text": "iron"},
            "authorizingPrescription": [{"reference": at["MedicationRequest"]}],
        },
    }[kind] | {"resourceType": kind, "subject": {"reference": at["Patient"]}}


@pytest.mark.parametrize("kind", ["Observation", "Encounter", "MedicationDispense"])
async def test_knowing_an_order_lets_nobody_write_about_its_patient(client: Client, other: Client, kind: str) -> None:
    at = await pushed(client)
    assert (await other.send("POST", f"/fhir/{kind}", resting(kind, at))).status_code == 422
    assert (await client.send("POST", f"/fhir/{kind}", resting(kind, at))).status_code == 201


@pytest.mark.parametrize(("kind", "status"), [("MedicationDispense", 201), ("Encounter", 422), ("Observation", 422)])
async def test_the_pharmacy_brings_what_the_practice_lets_it_bring(
    client: Client, carepod: Carepod, kind: str, status: int
) -> None:
    at = await pushed(client)
    pharmacy = carepod.client("prairie-pharmacy")
    assert (await pharmacy.send("POST", f"/fhir/{kind}", resting(kind, at))).status_code == status


def to_come(client_id: str, bundle: dict[str, Any]) -> str:
    """`Patient/id` that the patient of a referral will have once this client sends it."""
    identifier = of(bundle, "Patient")["identifier"][0]
    return f"Patient/{derived_id('in', 'Patient', client_id, identifier['system'], identifier['value'])}"


def order_of(patient: str, **elements: Any) -> dict[str, Any]:
    asked = {"status": "active", "intent": "order", "code": {"text": "x"}, "subject": {"reference": patient}}
    return {"resourceType": "ServiceRequest", **asked, **elements}


async def test_a_patient_to_come_is_not_claimed_by_an_order_that_waits_to_be_read(
    client: Client, other: Client
) -> None:
    bundle = renamed(referral(), "-other")
    theirs = to_come("other-ehr", bundle)
    order = order_of(theirs, reasonReference=[{"reference": "Condition/1"}])
    assert (await client.send("POST", "/fhir/ServiceRequest", order)).status_code == 422
    assert (await pushed(other, bundle))["Patient"] == theirs
    assert (await client.get(f"/fhir/{theirs}")).status_code == 404


async def test_a_patient_to_come_is_not_claimed_by_the_number_of_a_notification(client: Client, other: Client) -> None:
    bundle, body = renamed(referral(), "-other"), noticed.told(1)
    theirs = to_come("other-ehr", bundle)
    brought = {"fullUrl": f"{noticed.BASE}/ServiceRequest/1", "resource": order_of(theirs, id="1")}
    asked = {"request": {"method": "PUT", "url": "ServiceRequest/1"}, "response": {"status": "200"}}
    body["entry"].append(brought | asked)
    assert (await client.send("POST", noticed.PATH, body)).status_code == 422
    assert (await pushed(other, bundle))["Patient"] == theirs
    assert (await client.get(f"/fhir/{theirs}")).status_code == 404
    assert (await client.get(f"/fhir/Condition?patient={theirs}")).json()["total"] == 0


async def test_to_have_told_of_a_patient_is_not_to_have_sent_him(
    client: Client, other: Client, carepod: Carepod
) -> None:
    at = await pushed(other, renamed(referral(), "-other"))
    number = (EVENT_NUMBERS + f"{noticed.BASE}/Subscription/referrals", "1", at["Patient"].partition("/")[2])
    async with carepod.app.handles["intake"].database.writing() as tx:
        await store.identify(tx, "mercy-ehr", [number])
    assert (await client.get(f"/fhir/{at['Patient']}")).status_code == 404
    assert (await client.send("POST", "/fhir/Observation", resting("Observation", at))).status_code == 422
    own = (await pushed(client))["Patient"]
    assert (await linked(client, own, {"reference": at["Patient"]})).status_code == 422


@pytest.mark.parametrize("address", ["{}", "http://elsewhere.example/{}", "{}/_history/1-1"])
async def test_a_record_names_no_patient_of_another_client_and_answers_as_for_nobody(
    client: Client, other: Client, address: str
) -> None:
    theirs = (await pushed(client))["Patient"]
    at = await pushed(other, renamed(referral(), "-other"))
    seen = [resting("Observation", at) | {"performer": [{"reference": address.format(p)}]} for p in (theirs, NOBODY)]
    answers = [await other.send("POST", "/fhir/Observation", s) for s in seen]
    assert [a.status_code for a in answers] == [422, 422]
    assert answers[0].content == answers[1].content
    assert answers[0].json()["issue"][0]["expression"] == ["Observation.performer[0].reference"]


async def test_what_a_referral_brings_names_no_patient_of_another_client(client: Client, other: Client) -> None:
    theirs = (await pushed(client))["Patient"]
    bundle = renamed(referral(), "-other")
    of(bundle, "Observation")["performer"] = [{"reference": theirs}]
    assert (await other.push(bundle)).status_code == 422
    of(bundle, "Observation")["performer"] = [{"reference": "http://other.example/fhir/Patient/7"}]
    assert (await other.push(bundle)).status_code == 200


async def test_a_record_may_name_its_own_patient_and_others_its_client_has_sent(client: Client) -> None:
    at = await pushed(client)
    second = (await pushed(client, renamed(referral(), "-second")))["Patient"]
    for number, performer in enumerate((at["Patient"], second)):
        named = {"identifier": [{"system": "https://lab.example", "value": str(number)}]}
        seen = resting("Observation", at) | named | {"performer": [{"reference": performer}]}
        assert (await client.send("POST", "/fhir/Observation", seen)).status_code == 201


async def test_whom_the_practice_named_in_a_record_its_sender_may_name_again(
    client: Client, other: Client, carepod: Carepod
) -> None:
    theirs = (await pushed(client))["Patient"]
    at = await pushed(other, renamed(referral(), "-other"))
    answer = await other.send("POST", "/fhir/Observation", resting("Observation", at))
    seen = answer.json() | {"performer": [{"reference": theirs}]}
    place = f"/fhir/Observation/{seen['id']}"
    assert (await other.send("PUT", place, seen)).status_code == 422
    assert (await carepod.client("office").send("PUT", place, seen)).status_code == 200
    again = (await other.get(place)).json() | {"status": "amended"}
    assert (await other.send("PUT", place, again)).status_code == 200


async def test_a_record_its_profile_refuses_is_refused_with_the_reason(client: Client) -> None:
    at = await pushed(client)
    reply = {
        "resourceType": "Communication", "status": "completed", "subject": {"reference": at["Patient"]},
        "sender": {"reference": at["Patient"]}, "payload": [{"contentString": "yes"}],
    }  # fmt: skip
    answer = await client.send("POST", "/fhir/Communication", reply)
    assert (answer.status_code, answer.json()["issue"][0]["code"]) == (422, "invariant"), answer.text
