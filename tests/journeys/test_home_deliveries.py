"""What a home visit needs is promised before it, arrives when promised, and is given up with the visit."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from benchmarks.cases import Template
from benchmarks.disturbed import Deployment
from shared.core import IDENTIFIERS, Resource
from tests.journeys.case import Case, until
from tests.journeys.pushes import pushed

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

TODAY = datetime.now(UTC).date()


async def referred(standing: Deployment, number: int) -> None:
    await pushed(standing.sender(), str(number), Template(TODAY, "opat-vancomycin-home").referral(number))


def needing(case: Case) -> list[Resource]:
    """Booked visits at which the dressing is changed: each has a week of drug and supplies brought before it."""
    return [a for a in case.visits("booked") if "dressing" in {k["coding"][0]["code"] for k in a["serviceType"]}]


def deliveries(case: Case, visit: Resource) -> list[Resource]:
    """What the pharmacy has told of deliveries for a visit."""
    placed = {"system": IDENTIFIERS + "pharmacy-order", "value": visit["id"]}
    return [d for d in case.of("SupplyDelivery") if d["basedOn"][0]["identifier"] == placed]


def is_promised(case: Case) -> bool:
    """Whether every visit that needs a delivery has its promise."""
    return len(needing(case)) == 5 and all(deliveries(case, v) for v in needing(case))


async def test_every_delivery_is_promised_for_a_time_before_its_visit(standing: Deployment) -> None:
    await referred(standing, 235)
    case = await until(standing, 235, is_promised)
    for visit in needing(case):
        (delivery,) = deliveries(case, visit)
        assert datetime.fromisoformat(delivery["occurrenceDateTime"]) < datetime.fromisoformat(visit["start"])


async def test_the_first_delivery_arrives_with_drug_and_supplies(standing: Deployment) -> None:
    await referred(standing, 236)
    case = await until(standing, 236, lambda c: any(d["status"] == "completed" for d in c.of("SupplyDelivery")))
    (dispense,) = [d for d in case.of("MedicationDispense") if d["status"] == "completed"]
    assert dispense["destination"] == {"display": "home of the patient"}
    assert 5 <= dispense["daysSupply"]["value"] <= 7
    assert "whenHandedOver" in dispense
