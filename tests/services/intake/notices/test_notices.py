"""The notices of a patient over the course of his referrals: told once, one thing at a time, in decent hours."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from services.intake.consequences import Policy
from services.intake.questions import asks
from shared.core import reference
from shared.messaging import Messaging
from tests.services.intake.conftest import Desk, edit
from tests.services.intake.notices.told import (
    CHICAGO,
    EMAIL,
    EVENING,
    MORNING,
    Example,
    booked,
    born,
    code,
    lane,
    notice,
    notices,
    questions,
    reply,
    sent,
    stand,
    without_consent,
)


def test_a_new_patient_is_welcomed_and_told_of_his_therapy(writing: Desk, example: Example) -> None:
    writing.push(example("iron-meets-criteria"))
    assert stand(writing) == {"welcome": "active", "therapy-overview": "active"}
    said = notice(writing, "welcome")
    assert said["recipient"] == [{"reference": reference(writing.one("Patient"))}]
    assert "iron infusions" in said["payload"][0]["contentString"]
    assert said["medium"][0]["coding"][0]["code"] == "text"


def test_nothing_of_the_record_but_the_kind_of_therapy_is_said(writing: Desk, example: Example) -> None:
    writing.push(without_consent(example("iron-meets-criteria")))
    words = " ".join(n["payload"][0]["contentString"] for n in notices(writing))
    for kept in ("Halvorsen", "Denise", "1981", "D50", "750", "MC-3301948", "Injectafer", "carboxymaltose"):
        assert kept not in words


def test_without_any_way_to_write_nothing_is_said(silent: Desk, example: Example) -> None:
    silent.push(example("iron-meets-criteria"))
    assert notices(silent) == []
    assert questions(silent).keys() <= {"order-verification"}


def test_without_adopted_figures_nobody_is_written_to(policy: Policy, example: Example) -> None:
    site = replace(policy.site, messaging=Messaging("hello@practice.example", None, "texts-prairie"))
    desk = Desk(replace(policy, site=site), at=MORNING)
    desk.push(without_consent(example("iron-meets-criteria")))
    assert notices(desk) == []
    assert questions(desk).keys() <= {"order-verification"}


def test_the_same_referral_again_says_nothing_again(writing: Desk, example: Example) -> None:
    writing.push(example("iron-meets-criteria"))
    before = notices(writing)
    assert writing.push(example("iron-meets-criteria")).reason.startswith("nothing-")
    assert notices(writing) == before


def test_a_decision_about_notices_fed_to_itself_decides_nothing(writing: Desk, example: Example) -> None:
    first = writing.push(without_consent(example("iron-meets-criteria")))
    again = writing.take("message", "said", lane(writing), tuple(first.saves))
    assert again.saves == ()


def test_in_quiet_hours_a_notice_waits_with_a_timer_and_goes_when_it_falls_due(writing: Desk, example: Example) -> None:
    writing.at = EVENING
    decision = writing.push(example("iron-meets-criteria"))
    assert set(stand(writing).values()) == {"on-hold"}
    opens = datetime(2026, 11, 22, 8, 0, tzinfo=CHICAGO)
    waiting = {f"notice/{n['id']}" for n in notices(writing)}
    assert {k for k, due in decision.wakes.items() if due == opens} == waiting
    writing.at = opens
    writing.take("wake", sorted(waiting)[0], lane(writing))
    assert set(stand(writing).values()) == {"active"}


def test_a_notice_that_waits_for_the_morning_is_not_sent_when_the_referral_ends(
    writing: Desk, example: Example
) -> None:
    writing.at = EVENING
    bundle = example("iron-meets-criteria")
    writing.push(bundle)
    order = next(e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == "ServiceRequest")
    order["status"] = "revoked"
    writing.push(bundle)
    assert set(stand(writing).values()) == {"revoked"}


def test_a_patient_who_has_died_is_told_nothing_more(writing: Desk, example: Example) -> None:
    writing.at = EVENING
    writing.push(example("iron-meets-criteria"))
    writing.push(born(example("iron-meets-criteria"), deceasedBoolean=True))
    assert set(stand(writing).values()) == {"revoked"}


def test_a_patient_is_asked_one_thing_at_a_time(writing: Desk, example: Example) -> None:
    home = without_consent(example("iron-meets-criteria"))
    order = next(e["resource"] for e in home["entry"] if e["resource"]["resourceType"] == "ServiceRequest")
    order.pop("performer", None)
    site_of_care = "https://carepod.example/fhir/CodeSystem/site-of-care"
    order["locationCode"] = [{"coding": [{"system": site_of_care, "code": "home"}]}]
    writing.push(home)
    standing = stand(writing)
    assert (standing["consent-request"], standing["address-confirmation"]) == ("active", "on-hold")
    sent(writing, "consent-request")
    assert stand(writing)["address-confirmation"] == "on-hold"
    reply(writing, "consent-request", "yes")
    assert stand(writing)["address-confirmation"] == "active"


def test_visits_are_told_once_all_are_timed_and_told_anew_when_they_change(writing: Desk, example: Example) -> None:
    writing.push(example("iron-meets-criteria"))
    booked(writing, "2026-12-01T15:00:00Z", "2026-12-08T15:00:00Z")
    first = notice(writing, "logistics")
    assert "- 2026-12-01 09:00 at Riverside Infusion Center" in first["payload"][0]["contentString"]
    sent(writing, "logistics")
    before = len(notices(writing))
    booked(writing, "2026-12-01T15:00:00Z", "2026-12-08T15:00:00Z")
    assert len(notices(writing)) == before
    writing.at += timedelta(hours=1)
    booked(writing, "2026-12-01T15:00:00Z", "2026-12-09T15:00:00Z")
    assert "2026-12-09" in notice(writing, "logistics")["payload"][0]["contentString"]
    assert len(notices(writing)) == before + 1


def test_visits_that_return_to_what_was_told_before_the_last_are_told_again(writing: Desk, example: Example) -> None:
    writing.push(example("iron-meets-criteria"))
    for start in ("2026-12-01T15:00:00Z", "2026-12-02T15:00:00Z", "2026-12-01T15:00:00Z"):
        booked(writing, start)
        sent(writing, "logistics")
        writing.at += timedelta(hours=1)
    assert len([n for n in notices(writing) if code(n) == "logistics"]) == 3


def test_a_refused_text_goes_by_mail_and_a_refused_mail_to_a_person(writing: Desk, example: Example) -> None:
    bundle = example("iron-meets-criteria")
    patient = next(e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == "Patient")
    patient["telecom"].append(deepcopy(EMAIL))
    writing.push(bundle)
    sent(writing, "welcome", "notice-refused")
    tried = notice(writing, "welcome")
    assert [m["coding"][0]["code"] for m in tried["medium"]] == ["text", "mail"]
    assert tried["status"] == "active"
    sent(writing, "welcome", "notice-refused")
    assert notice(writing, "welcome")["status"] == "revoked"
    assert [c["status"] for c in writing.all("Communication") if "category" in c] == ["not-done", "not-done"]
    assert questions(writing)["patient-unreached"] == "requested"


def test_an_answer_that_comes_twice_or_late_changes_nothing(writing: Desk, example: Example) -> None:
    writing.push(example("iron-meets-criteria"))
    sent(writing, "welcome")
    assert sent(writing, "welcome").saves == ()
    assert sent(writing, "welcome", "notice-refused").saves == ()
    assert notice(writing, "welcome")["status"] == "completed"


def test_a_minor_is_not_written_to_and_without_a_guardian_a_person_is_asked(writing: Desk, example: Example) -> None:
    writing.push(born(example("iron-meets-criteria"), birthDate="2015-03-01"))
    assert notices(writing) == []
    assert questions(writing)["nobody-to-tell"] == "requested"


def test_a_guardian_is_told_and_consents_for_a_minor(writing: Desk, example: Example) -> None:
    bundle = born(without_consent(example("iron-meets-criteria")), birthDate="2015-03-01")
    url = next(e["fullUrl"] for e in bundle["entry"] if e["resource"]["resourceType"] == "Patient")
    role = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-RoleCode", "code": "MTH"}]}
    mother = {
        "resourceType": "RelatedPerson",
        "identifier": [{"system": "https://ehr.example/id/person", "value": "P-1"}],
        "patient": {"reference": url},
        "relationship": [role],
        "telecom": [EMAIL],
    }
    bundle["entry"].append({"resource": mother, "request": {"method": "POST", "url": "RelatedPerson"}})
    writing.push(bundle)
    person = writing.one("RelatedPerson")
    assert {n["recipient"][0]["reference"] for n in notices(writing)} == {reference(person)}
    sent(writing, "consent-request")
    reply(writing, "consent-request", "I agree")
    assert writing.one("Consent")["performer"] == [{"reference": reference(person)}]


def test_a_language_without_words_is_written_to_in_ours_and_a_person_told(writing: Desk, example: Example) -> None:
    spoken = [{"language": {"coding": [{"system": "urn:ietf:bcp:47", "code": "vi"}]}, "preferred": True}]
    writing.push(born(example("iron-meets-criteria"), communication=spoken))
    assert notice(writing, "welcome")["language"] == "en"
    assert questions(writing)["language-unavailable"] == "requested"


def test_a_spanish_speaking_patient_is_written_to_in_spanish(writing: Desk, example: Example) -> None:
    spoken = [{"language": {"coding": [{"system": "urn:ietf:bcp:47", "code": "es-US"}]}}]
    writing.push(born(without_consent(example("iron-meets-criteria")), communication=spoken))
    assert "Su remisión" in notice(writing, "welcome")["payload"][0]["contentString"]
    sent(writing, "consent-request")
    reply(writing, "consent-request", "Sí")
    assert len(writing.all("Consent")) == 1


def test_questions_about_notices_are_not_told_to_the_placer(writing: Desk, example: Example) -> None:
    writing.push(born(example("iron-meets-criteria"), birthDate="2015-03-01"))
    writing.push(born(example("iron-meets-criteria"), birthDate="2015-03-01", gender="male"))
    asked = [o["valueReference"]["reference"] for o in writing.outputs("question")]
    told = {reference(t) for t in writing.all("Task")}
    assert questions(writing)["nobody-to-tell"] == "requested"
    assert not [a for a in asked if a in told and "nobody-to-tell" in str(writing.held[a]["input"])]


@pytest.mark.parametrize("lacking", ["MedicationRequest", "Coverage"])
def test_who_is_to_be_told_is_asked_in_the_same_words_whichever_update_comes_first(
    writing: Desk, example: Example, lacking: str
) -> None:
    unreachable = born(example("iron-meets-criteria"), telecom=[])
    older, newer = edit(unreachable, {"drop": [lacking]}), unreachable | {"timestamp": "2026-11-19T12:00:00Z"}
    asked = []
    for pushes in ((older, newer), (newer, older)):
        writing.held = {}
        for pushed in pushes:
            writing.push(deepcopy(pushed))
        asked.append([t for t in writing.all("Task") if "nobody-to-tell" in asks(t)])
    assert asked[0] == asked[1]
    assert [t["focus"] for t in asked[0]] == [{"reference": reference(writing.referral)}]
