"""Which record each pushed entry is: the same push always means the same ids; every fault is named with its place."""

from __future__ import annotations

from typing import Any

import pytest

from services.intake.codes import DIGEST_ID, PLACER_CLIENT, SOURCE_UPDATED
from services.intake.doors import bundles
from services.intake.doors.bundles import Arrival, resolved, single
from services.intake.doors.entries import faults
from services.intake.records import subject_of
from shared.core import derived_id, reference
from shared.fhir.references import references

EHR = "https://ehr.mercy.example/id/"
PATIENT = bundles.patient_id("mercy-ehr", (EHR + "mrn", "MC-3301948"))


def arrived(bundle: Any, client: str = "mercy-ehr") -> Arrival:
    arrival = resolved(bundle, client)
    assert isinstance(arrival, Arrival), arrival
    return arrival


def refused(bundle: Any) -> list[tuple[str, str]]:
    issues = resolved(bundle, "mercy-ehr")
    assert isinstance(issues, tuple)
    return [(i.code, i.expression) for i in issues]


def of(arrival: Arrival, kind: str) -> Any:
    return next(r for r in arrival.resources if r["resourceType"] == kind)


def entry(bundle: Any, kind: str) -> Any:
    return next(e for e in bundle["entry"] if e["resource"]["resourceType"] == kind)


def at(bundle: Any, kind: str) -> int:
    return bundle["entry"].index(entry(bundle, kind))


def test_every_reference_becomes_ours(example: Any) -> None:
    arrival = arrived(example("iron-meets-criteria"))
    places = {reference(r) for r in arrival.resources}
    assert {text for r in arrival.resources for _, text in references(r)} <= places
    assert all(r["id"].startswith("in-") for r in arrival.resources)
    assert {subject_of(r) for r in arrival.resources} == {PATIENT, None}
    assert arrival.lane == f"patient/{PATIENT}"


def test_all_but_id_references_and_meta_stays_as_received(example: Any) -> None:
    bundle = example("iron-meets-criteria")
    sent = entry(bundle, "MedicationRequest")["resource"]
    kept = of(arrived(bundle), "MedicationRequest")
    same = set(sent) - {"subject", "requester", "basedOn", "reasonReference", "insurance"}
    assert {k: kept[k] for k in same} == {k: sent[k] for k in same}


def test_the_same_push_means_the_same_records_and_another_clients_means_others(example: Any) -> None:
    first, again = arrived(example("iron-meets-criteria")), arrived(example("duplicate"))
    assert first == again
    other = arrived(example("iron-meets-criteria"), "other-ehr")
    assert not {r["id"] for r in first.resources} & {r["id"] for r in other.resources}


def test_every_entry_is_told_where_it_went(example: Any) -> None:
    bundle = example("iron-meets-criteria")
    arrival = arrived(bundle)
    assert [n for n, _ in arrival.entries] == list(range(len(bundle["entry"])))
    assert dict(arrival.entries)[at(bundle, "Task")] == arrival.focus == reference(of(arrival, "Task"))


def test_the_referral_is_known_by_its_placer_identifier(example: Any) -> None:
    expected = derived_id("in", "referral", "mercy-ehr", EHR + "referral", "REF-2026-104417")
    assert arrived(example("iron-meets-criteria")).focus == f"Task/{expected}"


def test_without_a_task_the_orders_identifier_names_the_referral(example: Any, edited: Any) -> None:
    arrival = arrived(edited(example("iron-meets-criteria"), {"drop": ["Task"]}))
    task = of(arrival, "Task")
    assert task["id"] == derived_id("in", "referral", "mercy-ehr", EHR + "order", "SO-778120")
    assert task["focus"]["reference"] == reference(of(arrival, "ServiceRequest"))
    assert task["identifier"][0]["value"] == "SO-778120"
    assert "Task" not in {place.partition("/")[0] for _, place in arrival.entries}


def test_without_task_and_order_identifier_the_bundles_names_it(example: Any, edited: Any) -> None:
    change = {"drop": ["Task"], "set": {"ServiceRequest": {"identifier": None}}}
    named = edited(example("iron-meets-criteria"), change) | {"identifier": {"system": EHR + "push", "value": "B1"}}
    assert of(arrived(named), "Task")["id"] == derived_id("in", "referral", "mercy-ehr", EHR + "push", "B1")


def test_without_any_identifier_the_content_names_it(example: Any, edited: Any) -> None:
    change = {"drop": ["Task"], "set": {"ServiceRequest": {"identifier": None}}}
    unnamed = edited(example("iron-meets-criteria"), change)
    assert of(arrived(unnamed), "Task")["identifier"][0]["system"] == DIGEST_ID
    assert arrived(unnamed) == arrived(dict(reversed(unnamed.items())))


def test_the_task_says_which_client_to_answer(example: Any) -> None:
    task = of(arrived(example("iron-meets-criteria")), "Task")
    assert {"url": PLACER_CLIENT, "valueString": "mercy-ehr"} in task["extension"]


def test_when_the_source_changed_a_record_is_kept_in_utc(example: Any) -> None:
    bundle = example("iron-meets-criteria")
    entry(bundle, "Patient")["resource"]["meta"] = {"versionId": "7", "lastUpdated": "2026-11-18T10:00:00-06:00"}
    sent = "2026-11-18T16:22:30.000000+00:00"
    for kind in ("Patient", "Consent"):
        assert of(arrived(bundle), kind)["meta"] == {"extension": [{"url": SOURCE_UPDATED, "valueInstant": sent}]}
    del bundle["timestamp"]
    updated = "2026-11-18T16:00:00.000000+00:00"
    assert of(arrived(bundle), "Patient")["meta"] == {"extension": [{"url": SOURCE_UPDATED, "valueInstant": updated}]}
    assert "meta" not in of(arrived(bundle), "Consent")


def test_the_medical_record_number_names_a_patient_before_other_numbers(example: Any) -> None:
    bundle = example("iron-meets-criteria")
    patient = entry(bundle, "Patient")["resource"]
    patient["identifier"].insert(0, {"system": "https://state.example/registry", "value": "77"})
    assert of(arrived(bundle), "Patient")["id"] == PATIENT
    assert (EHR + "mrn", "MC-3301948", PATIENT) in arrived(bundle).identities


def test_a_patient_without_number_is_known_by_his_referral(example: Any, edited: Any) -> None:
    arrival = arrived(edited(example("iron-meets-criteria"), {"set": {"Patient": {"identifier": None}}}))
    patient = of(arrival, "Patient")
    assert patient["id"] == derived_id("in", "Patient", "mercy-ehr", "referral", "REF-2026-104417")
    assert patient["id"] in {i[2] for i in arrival.identities}


def test_a_coverage_is_known_by_patient_payer_and_member(example: Any) -> None:
    bundle = example("iron-meets-criteria")
    payer = "https://carepod.example/id/payer|prairie-health"
    assert of(arrived(bundle), "Coverage")["id"] == derived_id("in", "Coverage", PATIENT, payer, "PHP-482913507")


def test_family_members_with_one_number_have_each_their_coverage(example: Any) -> None:
    family = example("iron-meets-criteria")
    entry(family, "Patient")["resource"]["identifier"][0]["value"] = "MC-1"
    ids = {of(arrived(b), "Coverage")["id"] for b in (family, example("iron-meets-criteria"))}
    assert len(ids) == 2


def test_a_record_without_identifier_is_known_by_referral_and_ordinal_of_its_type(example: Any) -> None:
    bundle = example("iron-meets-criteria")
    key = ("mercy-ehr", EHR + "referral", "REF-2026-104417", "0", PATIENT)
    assert of(arrived(bundle), "PractitionerRole")["id"] == derived_id("in", "PractitionerRole", *key)


def test_references_to_restful_addresses_and_conditional_ones_are_ours_too(example: Any) -> None:
    bundle = example("iron-meets-criteria")
    urn = entry(bundle, "Patient")["fullUrl"]
    entry(bundle, "Patient")["fullUrl"] = "https://ehr.mercy.example/fhir/Patient/77"
    for e in bundle["entry"]:
        for element in ("subject", "patient", "for", "subscriber", "beneficiary"):
            if e["resource"].get(element, {}).get("reference") == urn:
                e["resource"][element] = {"reference": "Patient/77"}
    entry(bundle, "Task")["resource"]["for"] = {"reference": f"Patient?identifier={EHR}mrn|MC-3301948"}
    arrival = arrived(bundle)
    assert {subject_of(r) for r in arrival.resources} == {PATIENT, None}


def test_a_later_push_may_name_a_known_patient_only(example: Any, edited: Any) -> None:
    bundle = edited(example("iron-meets-criteria"), {"drop": ["Patient"]})
    for e in bundle["entry"]:
        if e["resource"]["resourceType"] in ("ServiceRequest", "Observation"):
            e["resource"]["subject"] = {"reference": f"Patient/{PATIENT}"}
    assert arrived(bundle).lane == f"patient/{PATIENT}"


@pytest.mark.parametrize("url", ["Patient/{id}", "Patient?identifier={system}|{value}", "Patient?identifier={escaped}"])
def test_put_names_a_record_by_our_id_or_its_identifier(url: str, example: Any) -> None:
    bundle = example("iron-meets-criteria")
    escaped = (EHR + "mrn|MC-3301948").replace(":", "%3A").replace("|", "%7C")
    filled = url.format(id=PATIENT, system=EHR + "mrn", value="MC-3301948", escaped=escaped)
    entry(bundle, "Patient")["request"] = {"method": "PUT", "url": filled}
    assert of(arrived(bundle), "Patient")["id"] == PATIENT


def test_if_none_exist_names_a_record_that_has_no_identifier_itself(example: Any) -> None:
    bundle = example("iron-meets-criteria")
    consent = entry(bundle, "Consent")
    del consent["resource"]["identifier"]
    consent["request"]["ifNoneExist"] = f"identifier={EHR}consent|C1"
    expected = derived_id("in", "Consent", "mercy-ehr", EHR + "consent", "C1")
    assert of(arrived(bundle), "Consent")["id"] == expected


# Refusals


def test_a_reference_to_nothing_and_the_entry_it_may_mean_are_both_named(example: Any) -> None:
    bundle = example("iron-meets-criteria")
    del entry(bundle, "Consent")["fullUrl"]
    place, order = at(bundle, "Consent"), entry(bundle, "ServiceRequest")["resource"]
    last = len(order["supportingInfo"]) - 1
    assert refused(bundle) == [
        ("not-found", f"Bundle.entry[{at(bundle, 'ServiceRequest')}].resource.supportingInfo[{last}].reference"),
        ("required", f"Bundle.entry[{place}].fullUrl"),
    ]


def test_an_entry_nobody_refers_to_needs_no_full_url(example: Any) -> None:
    bundle = example("iron-meets-criteria")
    del entry(bundle, "Task")["fullUrl"]
    assert arrived(bundle).focus == arrived(example("iron-meets-criteria")).focus


@pytest.mark.parametrize(
    "request_, element",
    [
        ({"method": "DELETE", "url": "Consent/1"}, "request.method"),
        ({"method": "PUT", "url": "Consent/77"}, "request.url"),
        ({"method": "PUT", "url": "Consent?name=x"}, "request.url"),
        ({"method": "POST", "url": "Patient"}, "request.url"),
        ({"method": "POST", "url": "Consent", "ifNoneExist": "name=x"}, "request.ifNoneExist"),
    ],
)
def test_a_request_we_cannot_follow_is_named(request_: Any, element: str, example: Any) -> None:
    bundle = example("iron-meets-criteria")
    entry(bundle, "Consent")["request"] = request_
    assert [e for _, e in refused(bundle)] == [f"Bundle.entry[{at(bundle, 'Consent')}].{element}"]


def test_a_type_that_is_no_part_of_a_referral_is_named(example: Any) -> None:
    bundle = example("iron-meets-criteria")
    claim = {"resource": {"resourceType": "Claim"}, "request": {"method": "POST", "url": "Claim"}}
    bundle["entry"].append(claim)
    assert refused(bundle) == [("not-supported", f"Bundle.entry[{len(bundle['entry']) - 1}].resource")]


def test_one_record_twice_in_one_transaction_is_refused(example: Any) -> None:
    bundle = example("iron-meets-criteria")
    bundle["entry"].append(entry(bundle, "Consent") | {"fullUrl": "urn:uuid:00000000-0000-4000-8000-000000000009"})
    assert refused(bundle) == [("duplicate", f"Bundle.entry[{len(bundle['entry']) - 1}].resource")]


def test_records_of_two_patients_in_one_transaction_are_refused(example: Any) -> None:
    bundle = example("iron-meets-criteria")
    other = "in-00000000-0000-5000-8000-000000000000"
    entry(bundle, "Consent")["resource"]["patient"] = {"reference": f"Patient/{other}"}
    assert refused(bundle) == [("business-rule", f"Bundle.entry[{at(bundle, 'Consent')}].resource")]


def test_two_patients_or_two_tasks_are_refused(example: Any) -> None:
    bundle = example("iron-meets-criteria")
    for n, kind in enumerate(("Patient", "Task")):
        copy = entry(bundle, kind) | {"fullUrl": f"urn:uuid:00000000-0000-4000-8000-00000000000{n}"}
        bundle["entry"].append(copy)
    last = len(bundle["entry"])
    assert refused(bundle) == [("business-rule", f"Bundle.entry[{n}].resource") for n in (last - 2, last - 1)]


def test_a_transaction_about_nobody_is_refused(example: Any) -> None:
    bundle = example("iron-meets-criteria")
    bundle["entry"] = [entry(bundle, "Practitioner")]
    assert refused(bundle) == [("required", "Bundle.entry")]


@pytest.mark.parametrize("junk", [None, [], {}, {"entry": {}}, {"entry": [3, {"resource": 4}]}, {"entry": [{}]}])
def test_faults_of_anything_that_is_json_can_be_named(junk: Any) -> None:
    assert all(issue.diagnostics for issue in faults(junk))


# One resource by itself


def test_one_result_belongs_to_the_patient_it_names() -> None:
    arrival = single({"resourceType": "Observation", "subject": {"reference": f"Patient/{PATIENT}"}}, "mercy-ehr")
    assert isinstance(arrival, Arrival)
    assert (arrival.lane, arrival.focus) == (f"patient/{PATIENT}", arrival.entries[0][1])


def test_a_patient_named_by_number_alone_is_found() -> None:
    subject = {"identifier": {"system": EHR + "mrn", "value": "MC-3301948"}}
    arrival = single({"resourceType": "Observation", "subject": subject}, "mercy-ehr")
    assert isinstance(arrival, Arrival)
    assert arrival.resources[0]["subject"]["reference"] == f"Patient/{PATIENT}"


def test_one_record_keeps_the_id_we_gave_and_no_other() -> None:
    sent = {"resourceType": "Consent", "patient": {"reference": f"Patient/{PATIENT}"}}
    ours = "in-00000000-0000-5000-8000-000000000001"
    ids = [single(sent | {"id": i}, "mercy-ehr") for i in (ours, "77")]
    found = [a.resources[0]["id"] for a in ids if isinstance(a, Arrival)]
    assert found[0] == ours
    assert found[1].startswith("in-")
    assert found[1] != ours


def test_a_coverage_sent_alone_is_the_one_of_the_referral(example: Any) -> None:
    coverage = of(arrived(example("iron-meets-criteria")), "Coverage")
    payor = {"identifier": {"system": "https://carepod.example/id/payer", "value": "prairie-health"}}
    alone = single({**coverage, "id": "x", "payor": [payor]}, "mercy-ehr")
    assert isinstance(alone, Arrival)
    assert alone.resources[0]["id"] == coverage["id"]


@pytest.mark.parametrize(
    "resource, code",
    [
        ({"resourceType": "Claim"}, "not-supported"),
        ({"resourceType": "Practitioner"}, "not-supported"),
        ({"resourceType": "Task"}, "not-supported"),
        ({"resourceType": "Observation"}, "required"),
        ({"resourceType": "Observation", "subject": {"reference": "Patient/77"}}, "required"),
    ],
)
def test_what_cannot_be_placed_is_refused(resource: Any, code: str) -> None:
    issues = single(resource, "mercy-ehr")
    assert isinstance(issues, tuple)
    assert [i.code for i in issues] == [code]
