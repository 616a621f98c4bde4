"""Help with the patient's own share: the consent as the gate, enrolment by a person's answer, balance by visit."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from itertools import permutations
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from services.auth.assistance.entered import ASSISTED, kind_of
from services.auth.words import part, target
from shared.core import CANONICAL, IDENTIFIERS, reference
from shared.fhir.profiles import carepod
from tests.services.auth.assisted import CARD, FUND, HOME, Helped, consent, enrolment, living_there, said, usd
from tests.services.auth.journey import Journey, claim_answer
from tests.services.auth.patient import FDI, appointment, coded, coverage, lab, order, patient, referral


def medicare(**changes: Any) -> dict[str, Any]:
    return coverage("original-medicare", id="in-medicare", **changes)


def rows(journey: Helped) -> list[tuple[str | None, str, Any, Any, str | None]]:
    """(visit, state, paid, left, why) of each visit the card knows."""
    found = [o for o in journey.enrolment()["output"] if kind_of(o) == "visit"]
    return [
        (
            target(o["valueReference"]),
            part(o, ASSISTED, "state"),
            (part(o, ASSISTED, "paid") or {}).get("value"),
            (part(o, ASSISTED, "left") or {}).get("value"),
            part(o, ASSISTED, "why"),
        )
        for o in found
    ]


def visit(dose: int, on: str, status: str = "booked") -> dict[str, Any]:
    return appointment(dose, status, None, on=date.fromisoformat(on))


def wake(journey: Helped, programme: str = CARD) -> datetime | None:
    task = journey.enrolment(programme)["id"]
    found = [d.wakes[f"assistance:{task}"] for d in journey.decisions if f"assistance:{task}" in d.wakes]
    return found[-1] if found else None


# Who may have what


def test_a_practice_that_adopted_no_programme_has_none_of_these_tasks() -> None:
    journey = Journey().benefit_known(*referral())
    journey.hears(consent())
    assert journey.tasks("hub-enrolment") == []


def test_each_programme_for_the_drug_has_a_task_that_says_what_is_missing() -> None:
    journey = Helped()
    journey.hears(*living_there())
    assert journey.stands(CARD) == ("consent-needed", "on-hold")
    assert journey.stands(FUND) == ("needs-information", "on-hold")
    assert journey.tells("missing", FUND) == [
        "household-income", "household-size", "proof-of-income", "consent-missing",
    ]  # fmt: skip
    assert journey.tells("missing", CARD) == ["consent-missing"]


def test_each_task_holds_its_profile() -> None:
    journey = Helped().enrolled()
    journey.enters(said("share-per-dose", valueMoney=usd(300)))
    journey.hears(visit(1, "2026-11-24"))
    for task in journey.tasks("hub-enrolment"):
        profile = CANONICAL + "StructureDefinition/hub-enrolment-task"
        assert [i for i in carepod().check(task, (profile,)) if i.severity in ("error", "fatal")] == []


def test_a_draft_programme_says_who_adopted_it() -> None:
    journey = Helped()
    journey.hears(*living_there())
    (note,) = journey.enrolment()["note"]
    assert "assistance-manufacturers, a draft adopted by medical director on 2026-11-01" in note["text"]


def test_a_programme_the_patient_may_have_is_named_on_the_task_of_one_she_may_not() -> None:
    journey = Helped()
    journey.hears(*living_there(), medicare())
    journey.enters(
        said("household-income", valueMoney=usd(20000)), said("household-size", valueInteger=2), programme=FUND
    )
    journey.hears({**DOCUMENT})
    journey.enters(said("proof-of-income", valueReference={"reference": "DocumentReference/in-tax"}), programme=FUND)
    assert journey.stands(FUND) == ("consent-needed", "on-hold")
    assert journey.stands(CARD) == ("not-eligible", "rejected")
    assert [o["display"] for o in journey.tells("also-eligible")] == ["Prairie Anemia Fund (foundation)"]


DOCUMENT = {
    "resourceType": "DocumentReference",
    "id": "in-tax",
    "status": "current",
    "subject": {"reference": "Patient/in-p"},
    "content": [{"attachment": {"contentType": "application/pdf", "url": "Binary/in-tax"}}],
}


def test_income_and_size_come_as_observations_as_prapare_has_them() -> None:
    journey = Helped()
    income = lab("ferritin", 1, id="in-income", code=coded("http://loinc.org", "63586-2"), valueInteger=79800)
    size = lab("ferritin", 1, id="in-size", code=coded("http://loinc.org", "63512-8"), valueInteger=1)
    for observation in (income, size):
        del observation["valueQuantity"]
    journey.hears(*living_there(), income, size)
    assert journey.tells("missing", FUND) == ["proof-of-income", "consent-missing"]
    journey.hears({**income, "valueInteger": 79801})
    assert journey.stands(FUND) == ("not-eligible", "rejected")


def test_what_was_said_later_of_a_household_counts_and_only_for_a_year() -> None:
    journey = Helped()
    income = lab(
        "ferritin", 1, days_ago=1, id="in-income", code=coded("http://loinc.org", "63586-2"), valueInteger=900000
    )
    del income["valueQuantity"]
    journey.hears(*living_there(), income)
    journey.enters(
        said("household-income", valueMoney=usd(1000)), said("household-size", valueInteger=1), programme=FUND
    )
    assert journey.tells("missing", FUND) == ["proof-of-income", "consent-missing"]
    journey.at += timedelta(days=364)
    journey.wakes(f"assistance:{journey.enrolment(FUND)['id']}")
    assert "household-income" not in journey.tells("missing", FUND)
    journey.at += timedelta(days=1)
    journey.wakes(f"assistance:{journey.enrolment(FUND)['id']}")
    assert journey.tells("missing", FUND)[:2] == ["household-income", "household-size"]


def test_a_denial_of_the_payer_is_the_letter_that_free_drug_asks_for() -> None:
    journey = Helped()
    journey.benefit_known(*[r for r in referral() if r["resourceType"] != "Patient"], patient(**HOME))
    free = "prairie-iron-free-drug"
    assert "denial-letter" in journey.tells("missing", free)
    claim = journey.one("Claim")
    journey.answered("preauthorization-answered", claim, claim_answer(claim, "A3"))
    assert "denial-letter" not in journey.tells("missing", free)
    (shown,) = [
        o
        for o in journey.enrolment(free)["output"]
        if (o.get("valueCodeableConcept") or {}).get("text") == "met: on file"
    ]
    assert shown["extension"][0]["valueReference"] == {"reference": reference(journey.one("ClaimResponse"))}


def test_the_plans_specialty_pharmacy_is_enrolled_with_only_where_the_plan_wants_the_drug_from_it() -> None:
    journey = Helped()
    journey.hears(*referral(("infliximab", "J1745")))
    (verdict,) = [c["text"] for c in journey.tells("criterion", SPECIALTY) if c["coding"][0]["code"] == "acquisition"]
    assert verdict == "met: the drug comes by white-bag"
    assert journey.stands(SPECIALTY) == ("needs-information", "on-hold")
    journey = Helped()
    journey.hears(*referral(("infliximab", "J1745"), "arkansas-bcbs"))
    assert "acquisition" in journey.tells("missing", SPECIALTY)


SPECIALTY = "prairie-specialty-hub"


# A federal payer


@pytest.mark.parametrize("listed", [(coverage(), medicare()), (medicare(), coverage())])
def test_a_federal_payer_keeps_a_copay_card_away_first_or_second(listed: tuple[dict[str, Any], ...]) -> None:
    journey = Helped()
    others = [r for r in living_there() if r["resourceType"] != "Coverage"]
    journey.hears(*others, *listed, consent())
    assert journey.stands() == ("not-eligible", "rejected")
    decision = journey.enters(*enrolment())
    assert decision.refusals == ("federal-payer",)
    assert journey.tells("enrolment-number") == []


def test_a_coverage_that_does_not_show_its_class_is_not_taken_for_a_private_one() -> None:
    journey = Helped()
    unknown = coverage("nobody-knows", id="in-second")
    journey.hears(*living_there(), consent(), unknown)
    assert journey.stands() == ("needs-information", "on-hold")
    assert journey.tells("missing") == ["insurance"]


def test_a_card_stops_on_the_day_a_federal_coverage_begins_without_anybody_telling_us_then() -> None:
    journey = Helped().enrolled()
    journey.enters(said("share-per-dose", valueMoney=usd(300)))
    journey.hears(visit(1, "2026-12-31"), visit(2, "2027-01-04"))
    assert [(r[2], r[4]) for r in rows(journey)] == [(250, None), (300, None)]
    journey.hears(medicare(period={"start": "2027-01-01"}))
    assert journey.stands() == ("enrolled", "completed")
    assert [(r[2], r[4]) for r in rows(journey)] == [(250, None), (0, "federal-payer")]
    assert wake(journey) == datetime(2027, 1, 1, tzinfo=ZoneInfo("America/Chicago"))
    journey.at = datetime(2027, 1, 1, 6, 0, tzinfo=ZoneInfo("UTC"))
    journey.wakes(f"assistance:{journey.enrolment()['id']}")
    assert journey.stands() == ("stopped", "on-hold")
    assert "federal payer (medicare)" in journey.enrolment()["statusReason"]["text"]


# The gate


def test_nobody_is_asked_to_enrol_before_the_signed_consent_is_there() -> None:
    journey = Helped()
    journey.hears(*living_there())
    assert journey.enters(*enrolment()).refusals == ("consent-missing",)
    journey.hears(consent())
    assert journey.stands() == ("to-enrol", "requested")
    assert [target(c) for c in journey.tells("consent")] == ["Consent/in-hub-consent"]


def test_a_consent_that_names_another_recipient_opens_nothing() -> None:
    journey = Helped()
    journey.hears(*living_there(), consent("another-hub"))
    assert journey.stands() == ("consent-needed", "on-hold")


def test_a_withdrawn_consent_stops_what_was_enrolled_and_says_so() -> None:
    journey = Helped().enrolled()
    journey.enters(said("share-per-dose", valueMoney=usd(300)))
    journey.hears(visit(1, "2026-11-24", "fulfilled"), visit(2, "2026-12-01"))
    journey.hears(consent(status="inactive"))
    assert journey.stands() == ("stopped", "on-hold")
    assert journey.enrolment()["statusReason"]["text"].startswith("The patient withdrew his consent")
    assert [r[1:] for r in rows(journey)] == [
        ("given", 250, 750, None),
        ("expected", 0, 750, "consent-withdrawn"),
    ]
    journey.hears(consent(consent_id="in-again", dateTime="2026-11-21"))
    assert journey.stands() == ("enrolled", "completed")


def test_a_consent_that_runs_out_shuts_the_gate_the_day_after() -> None:
    journey = Helped()
    journey.hears(*living_there(), consent(until="2026-11-30"))
    assert wake(journey) == datetime(2026, 12, 1, tzinfo=ZoneInfo("America/Chicago"))
    journey.at = datetime(2026, 12, 1, 5, 59, tzinfo=ZoneInfo("UTC"))
    journey.wakes(f"assistance:{journey.enrolment()['id']}")
    assert journey.stands() == ("to-enrol", "requested")
    journey.at = datetime(2026, 12, 1, 6, 0, tzinfo=ZoneInfo("UTC"))
    journey.wakes(f"assistance:{journey.enrolment()['id']}")
    assert journey.stands() == ("consent-needed", "on-hold")
    assert journey.tells("missing") == ["consent-expired"]


def test_what_is_known_of_a_dose_may_be_entered_while_the_gate_is_shut_with_the_task_sent_back_whole() -> None:
    journey = Helped().enrolled()
    journey.hears(consent(status="inactive"))
    assert journey.enters(said("share-per-dose", valueMoney=usd(300))).refusals == ()
    assert journey.enters(*enrolment("2026-11-21")).refusals == ("consent-withdrawn",)
    assert journey.tells("enrolment-period") == [{"start": "2026-11-20"}]


@pytest.mark.parametrize("order_of", list(permutations(range(4))))
def test_consent_coverage_and_household_end_alike_in_any_order(order_of: tuple[int, ...]) -> None:
    income = lab("ferritin", 1, id="in-income", code=coded("http://loinc.org", "63586-2"), valueInteger=79800)
    size = lab("ferritin", 1, id="in-size", code=coded("http://loinc.org", "63512-8"), valueInteger=1)
    told = (consent(), medicare(), {k: v for k, v in income.items() if k != "valueQuantity"}, {**size})
    del told[3]["valueQuantity"]
    journey = Helped()
    journey.hears(*living_there())
    for n in order_of:
        journey.hears(told[n])
    assert journey.stands(CARD) == ("not-eligible", "rejected")
    assert journey.tells("missing", FUND) == ["proof-of-income", "consent-missing"]
    assert [target(c) for c in journey.tells("consent")] == ["Consent/in-hub-consent"]


# What a person enters


def test_a_person_enrols_by_number_and_period_and_the_programme_says_how_long() -> None:
    journey = Helped().enrolled()
    assert journey.stands() == ("enrolled", "completed")
    assert journey.tells("balance-period") == [{"start": "2026-11-20", "end": "2027-11-19"}]
    assert [journey.tells(k)[0]["value"] for k in ("maximum", "used", "left")] == [1000, 0, 1000]


@pytest.mark.parametrize(
    "outputs",
    [
        [said("enrolment-number", valueString="SAV-1")],
        [said("enrolment-number", valueString=" "), said("enrolment-period", valuePeriod={"start": "2026-11-20"})],
        [said("enrolment-number", valueString="A"), said("enrolment-period", valuePeriod={"end": "2026-11-20"})],
        list(enrolment("2026-11-20", "2026-11-19")),
        list(enrolment("9999-06-01")),
        list(enrolment("0001-01-01", "0001-01-02")),
        [said("household-income", valueMoney=usd(-1))],
        [said("household-income", valueMoney={"value": 1, "currency": "EUR"})],
        [said("household-income", valueInteger=1)],
        [said("household-size", valueInteger=0)],
        [said("proof-of-income", valueReference={"reference": "DocumentReference/in-nowhere"})],
        [said("share-of-dose", valueReference={"reference": "Appointment/sc-1-1"})],
    ],
)
def test_what_cannot_be_is_not_taken(outputs: list[dict[str, Any]]) -> None:
    journey = Helped()
    journey.hears(*living_there(), consent(), visit(1, "2026-11-24"))
    assert journey.enters(*outputs).refusals == ("answer-unknown",)
    assert journey.stands() == ("to-enrol", "requested")


def test_nothing_but_what_may_be_entered_is_taken_from_a_person() -> None:
    journey = Helped().enrolled()
    assert journey.enters(said("left", valueMoney=usd(99999))).refusals == ("answer-missing",)
    assert journey.tells("left")[0]["value"] == 1000


def test_what_was_declined_or_not_wanted_ends_it_until_an_enrolment_is_entered_after_all() -> None:
    journey = Helped()
    journey.hears(*living_there(), consent())
    journey.enters(said("declined", valueString="Out of network"))
    assert journey.stands() == ("declined", "rejected")
    assert journey.enrolment()["statusReason"]["text"] == "The programme declined: Out of network"
    journey.enters(said("not-wanted", valueBoolean=True))
    assert journey.stands() == ("not-wanted", "rejected")
    journey.enters(*enrolment())
    assert journey.stands() == ("enrolled", "completed")


def test_an_order_that_was_revoked_asks_nobody_to_enrol() -> None:
    journey = Helped()
    journey.hears(*living_there(), consent())
    journey.hears(order(status="revoked"))
    assert {journey.stands(p) for p in (CARD, FUND)} == {("cancelled", "cancelled")}


def test_a_drug_switched_closes_the_card_of_the_drug_before_also_of_who_was_enrolled() -> None:
    journey = Helped().enrolled()
    journey.hears(order(FDI))
    assert journey.stands(CARD) == ("cancelled", "cancelled")
    assert journey.stands(FUND) == ("needs-information", "on-hold")
    journey.hears(consent(status="inactive"))
    assert journey.stands(CARD) == ("cancelled", "cancelled")


def test_the_next_enrolment_is_asked_for_thirty_days_before_one_ends_with_a_task_of_its_own() -> None:
    journey = Helped().enrolled(end="2026-12-31")
    task = journey.enrolment()["id"]
    assert wake(journey) == datetime(2026, 12, 2, tzinfo=ZoneInfo("America/Chicago"))
    journey.at = datetime(2026, 12, 2, 5, 59, tzinfo=ZoneInfo("UTC"))
    journey.wakes(f"assistance:{task}")
    assert len(journey.tasks("hub-enrolment")) == len({CARD, FUND, "prairie-iron-free-drug"})
    journey.at = datetime(2026, 12, 2, 6, 0, tzinfo=ZoneInfo("UTC"))
    journey.wakes(f"assistance:{task}")
    assert (journey.stands(number=1), journey.stands(number=2)) == (
        ("enrolled", "completed"),
        ("to-enrol", "requested"),
    )
    assert wake(journey) == datetime(2027, 1, 1, tzinfo=ZoneInfo("America/Chicago"))
    journey.at = datetime(2027, 1, 1, 6, 0, tzinfo=ZoneInfo("UTC"))
    journey.wakes(f"assistance:{task}")
    assert (journey.stands(number=1), journey.stands(number=2)) == (("expired", "completed"), ("to-enrol", "requested"))


# The balance


def test_each_visit_shows_what_the_card_pays_of_it_and_what_is_left_after_it() -> None:
    journey = Helped().enrolled()
    journey.enters(said("share-per-dose", valueMoney=usd(480)))
    journey.hears(visit(1, "2026-11-24", "fulfilled"), visit(2, "2026-12-01"))
    assert rows(journey) == [
        ("Appointment/sc-1-1", "given", 430, 570, None),
        ("Appointment/sc-2-1", "expected", 480, 90, None),
    ]
    assert (journey.tells("used")[0]["value"], journey.tells("left")[0]["value"]) == (430, 570)


def test_a_cancelled_visit_gives_back_what_it_was_to_take() -> None:
    journey = Helped().enrolled()
    journey.enters(said("share-per-dose", valueMoney=usd(480)))
    journey.hears(visit(1, "2026-11-24"))
    journey.hears(visit(1, "2026-11-24", "cancelled"))
    assert rows(journey) == []


def test_the_share_of_one_dose_may_be_entered_by_itself() -> None:
    journey = Helped().enrolled()
    journey.hears(visit(1, "2026-11-24", "fulfilled"), visit(2, "2026-12-01"))
    assert [r[4] for r in rows(journey)] == ["share-unknown", "share-unknown"]
    of_dose = said("share-of-dose", valueReference={"reference": "Appointment/sc-1-1"})
    of_dose["extension"] = [{"url": ASSISTED, "extension": [{"url": "share", "valueMoney": usd(100)}]}]
    journey.enters(of_dose)
    assert [(r[2], r[4]) for r in rows(journey)] == [(50, None), (0, "share-unknown")]


def test_identifiers_name_order_programme_and_number() -> None:
    journey = Helped().enrolled()
    assert journey.enrolment()["identifier"] == [
        {"system": IDENTIFIERS + "enrolment", "value": "in-order|injectafer-savings|1"}
    ]
