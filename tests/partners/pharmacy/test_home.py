"""An order for a home is promised at once and delivered when promised: a week of what keeps, else one dose."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from fhir.resources.R4B import get_fhir_model_class

from partners.pharmacy.home import amount
from tests.partners.pharmacy.test_orders import listed, order, ordered

HOME = [{"coding": [{"system": "https://carepod.example/fhir/CodeSystem/appointment-kind", "code": "home-visit"}]}]
SOON, LATER = "2026-11-22T15:00:00Z", "2026-12-20T15:00:00Z"
EVERY_12_HOURS = {"timing": {"repeat": {"frequency": 1, "period": 12, "periodUnit": "h"}}}


def home(drug: str = "vancomycin", start: str = SOON, **changed: Any) -> dict[str, Any]:
    dose = {"doseAndRate": [{"doseQuantity": {"value": 1, "unit": "g"}}]}
    return order(
        Appointment={"serviceCategory": HOME, "start": start, **changed},
        MedicationRequest={
            "medicationCodeableConcept": {"text": drug},
            "dosageInstruction": [{**EVERY_12_HOURS, **dose}],
        },
    )


def told(outside: Any) -> list[tuple[str, str]]:
    return [(b["resourceType"], b["status"]) for b in outside.carepod.bodies()]


async def test_a_delivery_is_promised_at_once_and_made_when_promised(outside: Any) -> None:
    assert (await ordered(outside, home())).status_code == 201
    assert await outside.after(0) == 1
    assert told(outside) == [("SupplyDelivery", "in-progress")]
    assert outside.carepod.bodies()[0]["occurrenceDateTime"] == "2026-11-21T15:00:01.500Z"
    assert await outside.after(1.4) == 0
    assert await outside.after(0.1) == 1
    assert told(outside)[1:] == [("MedicationDispense", "completed"), ("SupplyDelivery", "completed")]
    assert [(o["status"], o["answer"]) for o in await listed(outside)] == [("delivered", 200)]


async def test_what_is_told_names_the_visit_the_patient_and_the_prescription(outside: Any) -> None:
    await ordered(outside, home())
    await outside.after(1.5)
    await outside.after(0)
    for body in outside.carepod.bodies():
        get_fhir_model_class(body["resourceType"]).model_validate(body)
    promise, dispensed, delivered = outside.carepod.bodies()
    assert dispensed["supportingInformation"] == [{"reference": "Appointment/sc-1"}]
    assert dispensed["whenHandedOver"] == "2026-11-21T15:00:01.500Z"
    assert dispensed["destination"] == {"display": "home of the patient"}
    assert promise["basedOn"][0]["identifier"] == {
        "system": "https://carepod.example/id/pharmacy-order",
        "value": "sc-1",
    }
    assert promise["extension"][0]["valueReference"] == {"reference": "MedicationRequest/m1"}
    assert promise["identifier"] == delivered["identifier"]
    assert delivered["patient"] == {"reference": "Patient/p1"}


async def test_a_promise_and_a_dispense_are_told_once_and_a_delivery_updates_its_promise(outside: Any) -> None:
    await ordered(outside, home())
    await outside.after(0)
    await outside.after(1.5)
    conditions = [(r.url.path, r.headers.get("if-none-exist")) for r in outside.carepod.received]
    assert conditions == [
        ("/fhir/SupplyDelivery", "identifier=urn:partners:pharmacy:delivery|RX0000001"),
        ("/fhir/MedicationDispense", "identifier=urn:partners:pharmacy:dispense|RX0000001"),
        ("/fhir/SupplyDelivery", None),
    ]


@pytest.mark.parametrize(
    ("drug", "days", "grams"),
    [("Vancomycin 1 g", 7, 14), ("cefepime", 6, 12), ("Ertapenem", 1, 2), ("immune globulin", None, 1)],
)
async def test_a_week_is_sent_of_what_keeps_longer_and_else_a_day_less_than_it_keeps(
    outside: Any, drug: str, days: int | None, grams: int
) -> None:
    await ordered(outside, home(drug))
    await outside.after(86_400)
    await outside.after(0)
    dispensed = next(b for b in outside.carepod.bodies() if b["resourceType"] == "MedicationDispense")
    assert dispensed.get("daysSupply", {}).get("value") == days
    assert dispensed["quantity"] == {"value": grams, "unit": "g"}


@pytest.mark.parametrize(
    ("drug", "days_before"), [("vancomycin", 3), ("cefepime", 1), ("ertapenem", 0), ("immune globulin", 10)]
)
async def test_a_delivery_does_not_come_so_early_that_it_grows_old(outside: Any, drug: str, days_before: int) -> None:
    await ordered(outside, home(drug, LATER))
    await outside.after(0)
    arrives = 20 - days_before
    assert outside.carepod.bodies()[0]["occurrenceDateTime"] == f"2026-12-{arrives:02}T00:00:00.000Z"
    assert await outside.after(3600) == 0


@pytest.mark.parametrize(("kind", "days_before"), [("teach", 5), ("assessment", 5), ("dressing", 3)])
async def test_what_care_begins_with_comes_two_days_earlier(outside: Any, kind: str, days_before: int) -> None:
    errand = [{"coding": [{"system": "https://carepod.example/fhir/CodeSystem/home-visit-kind", "code": kind}]}]
    await ordered(outside, home(start=LATER, serviceType=errand))
    await outside.after(0)
    assert outside.carepod.bodies()[0]["occurrenceDateTime"] == f"2026-12-{20 - days_before}T00:00:00.000Z"


@pytest.mark.parametrize(("days_early", "days"), [(5, 5), (4, 6), (3, 7), (0, 7)])
def test_what_comes_early_lasts_as_long_as_it_keeps(days_early: int, days: int) -> None:
    at = datetime(2026, 12, 20 - days_early, 8, tzinfo=UTC)
    assert amount(home(start=LATER), at).days == days


async def test_nobody_at_home_stops_the_dispense_and_gives_the_delivery_up(outside: Any) -> None:
    await ordered(outside, home())
    assert (await outside.http.post("/pharmacy/debug/nobody-home/sc-1")).status_code == 204
    await outside.after(1.5)
    await outside.after(0)
    assert told(outside)[-2:] == [("MedicationDispense", "stopped"), ("SupplyDelivery", "abandoned")]
    assert [o["status"] for o in await listed(outside)] == ["undelivered"]
    assert (await outside.http.post("/pharmacy/debug/nobody-home/sc-1")).status_code == 404


async def test_a_visit_called_off_before_the_delivery_gives_it_up(outside: Any) -> None:
    await ordered(outside, home(start=LATER))
    await outside.after(0)
    await ordered(outside, home(start=LATER, status="cancelled"))
    assert await outside.after(0) == 1
    assert told(outside) == [("SupplyDelivery", "in-progress"), ("SupplyDelivery", "abandoned")]
    assert await outside.after(60 * 86_400) == 0


async def test_a_visit_called_off_after_the_delivery_leaves_it_made(outside: Any) -> None:
    await ordered(outside, home())
    await outside.after(1.5)
    await outside.after(0)
    await ordered(outside, home(status="cancelled"))
    assert await outside.after(60) == 0
    assert [o["status"] for o in await listed(outside)] == ["delivered"]


async def test_a_moved_visit_replaces_what_is_not_sent(outside: Any) -> None:
    await ordered(outside, home(start=LATER))
    await outside.after(0)
    await ordered(outside, home(start="2026-12-22T15:00:00Z", meta={"versionId": "2"}))
    await outside.after(0)
    assert sorted(told(outside)) == [
        ("SupplyDelivery", "abandoned"),
        ("SupplyDelivery", "in-progress"),
        ("SupplyDelivery", "in-progress"),
    ]
    assert [o["status"] for o in await listed(outside)] == ["superseded", "preparing"]


@pytest.mark.parametrize("failure", [500, 401, 429, httpx.ConnectError("down")])
async def test_a_delivery_is_told_until_it_is_heard_and_says_the_same(outside: Any, failure: int | Exception) -> None:
    await ordered(outside, home())
    await outside.after(0)
    outside.carepod.answers = [200, failure]
    await outside.after(1.5)
    assert [o["status"] for o in await listed(outside)] == ["preparing"]
    await outside.after(5)
    assert told(outside)[-2:] == [("MedicationDispense", "completed"), ("SupplyDelivery", "completed")]
    dispenses = [b for b in outside.carepod.bodies() if b["resourceType"] == "MedicationDispense"]
    deliveries = [b for b in outside.carepod.bodies() if b["status"] == "completed" and "patient" in b]
    assert len({d["whenHandedOver"] for d in dispenses}) == 1
    assert len({d["occurrenceDateTime"] for d in deliveries}) == 1
    assert [o["status"] for o in await listed(outside)] == ["delivered"]


async def test_what_the_practice_refuses_for_good_is_not_delivered(outside: Any) -> None:
    await ordered(outside, home())
    outside.carepod.answers = [422]
    await outside.after(0)
    assert await outside.after(60) == 0
    assert [(o["status"], o["answer"]) for o in await listed(outside)] == [("refused", 422)]


async def test_a_restarted_pharmacy_keeps_its_promise(start: Any) -> None:
    first = start()
    await ordered(first, home())
    second = start()
    await second.after(1.5)
    await second.after(0)
    assert {b["status"] for b in second.carepod.bodies()} == {"in-progress", "completed"}
