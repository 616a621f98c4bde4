"""Help with the patient's own share where a payer is in doubt, a word is said again later, or a birthday comes."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from services.auth.assistance.entered import ASSISTED
from tests.services.auth.assisted import CARD, FUND, HOME, Helped, consent, enrolment, living_there, said, usd
from tests.services.auth.patient import coverage, patient
from tests.services.auth.test_assistance import rows, visit, wake


def test_a_card_is_neither_entered_nor_pays_beside_a_payer_nobody_knows() -> None:
    journey = Helped()
    unknown = coverage("nobody-knows", id="in-second")
    journey.hears(*living_there(), consent(), unknown)
    assert journey.enters(*enrolment()).refusals == ("federal-payer",)
    journey.hears({**unknown, "status": "cancelled"})
    journey.enters(*enrolment(), said("share-per-dose", valueMoney=usd(300)))
    journey.hears(visit(1, "2026-11-20", "fulfilled"), visit(2, "2026-11-24"))
    assert journey.stands() == ("enrolled", "completed")
    journey.hears(unknown)
    assert journey.stands() == ("stopped", "on-hold")
    assert "not every coverage shows" in journey.enrolment()["statusReason"]["text"]
    assert [(r[1], r[2], r[4]) for r in rows(journey)] == [("given", 250, None), ("expected", 0, "federal-payer")]


@pytest.mark.parametrize(("one", "other"), [(CARD, FUND), (FUND, CARD)])
def test_of_two_incomes_of_one_day_the_later_counts_whatever_programmes_they_were_entered_on(
    one: str, other: str
) -> None:
    journey = Helped()
    journey.hears(*living_there(), consent(FUND))
    journey.enters(said("household-size", valueInteger=2), programme=FUND)
    for programme, amount, verdict in ((one, 900000, "not-met"), (other, 20000, "met"), (one, 900000, "not-met")):
        journey.enters(said("household-income", valueMoney=usd(amount)), programme=programme)
        (told,) = [c["text"] for c in journey.tells("criterion", FUND) if c["coding"][0]["code"] == "income"]
        assert told.startswith(f"{verdict}:")
    assert journey.tells("household-size", FUND) == [2]


def test_a_programme_for_the_grown_is_looked_at_again_on_the_birthday() -> None:
    journey = Helped()
    others = [r for r in living_there() if r["resourceType"] != "Patient"]
    journey.hears(*others, patient(**HOME, birthDate="2008-12-05"), consent())
    assert journey.stands() == ("not-eligible", "rejected")
    assert wake(journey) == datetime(2026, 12, 5, tzinfo=ZoneInfo("America/Chicago"))
    journey.at = datetime(2026, 12, 5, 6, 0, tzinfo=ZoneInfo("UTC"))
    journey.wakes(f"assistance:{journey.enrolment()['id']}")
    assert journey.stands() == ("to-enrol", "requested")


@pytest.mark.parametrize("days_between", [0, 1])
@pytest.mark.parametrize(("one", "other"), [(CARD, FUND), (FUND, CARD)])
def test_the_later_share_of_a_dose_counts_whatever_programmes_it_was_entered_on(
    one: str, other: str, days_between: int
) -> None:
    journey = Helped().enrolled()
    journey.hears(visit(1, "2026-11-24"))
    of_dose = said("share-of-dose", valueReference={"reference": "Appointment/sc-1-1"})
    for programme, amount in ((one, 500), (other, 100)):
        share = [{"url": ASSISTED, "extension": [{"url": "share", "valueMoney": usd(amount)}]}]
        journey.enters(of_dose | {"extension": share}, programme=programme)
        journey.at += timedelta(days=days_between)
    assert rows(journey)[0][2] == 50
