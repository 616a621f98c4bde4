"""Shapes become one push: what is contained is entries, documents inside are documents, references stay as meant."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from services.intake.doors.bundles import Arrival
from services.intake.doors.door import Doors
from services.intake.doors.messages import message_faults, message_id, reply
from services.intake.doors.shapes import absolute, transaction, wanted
from shared.fhir.references import references
from shared.settings import Site
from tests.services.intake.system import BASE

CLIENT = "mercy-ehr"


def test_a_contained_record_becomes_an_entry_that_its_container_refers_to() -> None:
    patient = {"resourceType": "Patient", "id": "p", "managingOrganization": {"reference": "#o"}}
    organization = {"resourceType": "Organization", "id": "o", "name": "Mercy"}
    order = {
        "resourceType": "ServiceRequest", "contained": [patient, organization], "subject": {"reference": "#p"},
    }  # fmt: skip
    entries = transaction([(f"{BASE}/ServiceRequest/1", order)])["entry"]
    urls = {e["fullUrl"] for e in entries}
    assert [e["resource"]["resourceType"] for e in entries] == ["ServiceRequest", "Patient", "Organization"]
    assert "contained" not in entries[0]["resource"]
    assert {text for e in entries for _, text in references(e["resource"])} <= urls


def test_what_is_contained_and_no_record_of_ours_stays_where_it_is() -> None:
    group = {"resourceType": "Group", "id": "g", "type": "person", "actual": True}
    order = {"resourceType": "ServiceRequest", "contained": [group], "subject": {"reference": "#g"}}
    [entry] = transaction([(None, order)])["entry"]
    assert entry["resource"] == order


def test_a_document_inside_a_message_is_a_document_about_the_patient() -> None:
    composition = {"resourceType": "Composition", "type": {"text": "Request"}}
    document = {"resourceType": "Bundle", "type": "document", "entry": [{"resource": composition}]}
    task = {"resourceType": "Task", "for": {"reference": "urn:uuid:p"}}
    entries = transaction([("urn:uuid:t", task), ("urn:uuid:d", document)])["entry"]
    found = entries[1]["resource"]
    assert found["resourceType"] == "DocumentReference"
    assert found["subject"] == {"reference": "urn:uuid:p"}
    attachment = found["content"][0]["attachment"]
    assert json.loads(base64.b64decode(attachment["data"])) == document


@pytest.mark.parametrize(
    ("text", "becomes"),
    [
        ("Patient/1", f"{BASE}/Patient/1"),
        ("Patient/1/_history/2", f"{BASE}/Patient/1"),
        ("Patient/in-0b737c06-b448-508a-9ffe-cf72078f64fc", "Patient/in-0b737c06-b448-508a-9ffe-cf72078f64fc"),
        ("Patient?identifier=urn:x|1", "Patient?identifier=urn:x|1"),
        ("http://elsewhere.test/Patient/1", "http://elsewhere.test/Patient/1"),
        ("#p", "#p"),
    ],
)
def test_a_relative_reference_is_its_senders_own_and_every_other_stays(text: str, becomes: str) -> None:
    order = {"resourceType": "ServiceRequest", "subject": {"reference": text}}
    bundle = absolute(transaction([(None, order)]), BASE)
    assert bundle["entry"][0]["resource"]["subject"]["reference"] == becomes
    assert wanted(bundle, BASE) == ((becomes,) if becomes.startswith(BASE) else ())


def test_nothing_is_wanted_of_a_system_that_may_not_be_read() -> None:
    order = {"resourceType": "ServiceRequest", "subject": {"reference": f"{BASE}/Patient/1"}}
    assert wanted(transaction([(None, order)]), None) == ()
    assert wanted(transaction([(None, order)]), "http://other.test/fhir") == ()


def test_an_answer_is_the_same_whenever_it_is_given_and_another_for_another_client() -> None:
    first = reply("m1", CLIENT, "http://carepod.test/fhir", "Task/in-1")
    assert reply("m1", CLIENT, "http://carepod.test/fhir", "Task/in-1") == first
    assert reply("m1", "other", "http://carepod.test/fhir", "Task/in-1")["id"] != first["id"]


@pytest.mark.parametrize("body", [None, [], {}, {"entry": []}, {"entry": [{"resource": {"resourceType": "Task"}}]}])
def test_what_has_no_header_has_no_message_id(body: Any) -> None:
    assert message_id(body) is None


def test_a_message_with_a_header_of_another_event_is_not_taken(site: Site) -> None:
    header = {"resourceType": "MessageHeader", "id": "m", "eventUri": "urn:x", "focus": [{"reference": "Task/1"}]}
    task = {"resource": {"resourceType": "Task", "id": "1"}}
    bundle = {"type": "message", "entry": [{"resource": header}, task]}
    assert [i.expression for i in message_faults(bundle)] == ["Bundle.entry[0].resource.event"]
    assert not isinstance(Doors(site).message(bundle, CLIENT), Arrival)
