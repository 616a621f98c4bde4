"""What the placer is told when another service or partner speaks."""

from __future__ import annotations

from typing import Any

import pytest

from shared.core import reference
from tests.services.intake.reports import concept, said, stands, visit

# What the other services say


def test_missing_information_of_the_authorization_is_told(desk: Any, example: Any) -> None:
    desk.push(example("iron-criteria-not-met"))
    said_to_be = concept("gap", "oral") | {"text": "Oral iron tried"}
    missing = {"type": concept("preauthorization-output", "missing"), "valueCodeableConcept": said_to_be}
    decision = desk.hear(said(desk, "preauthorization", "on-hold", "needs-information", output=[missing]))
    assert decision.reason == "referral-reported"
    assert stands(desk) == ("on-hold", "3.0", "The authorization needs information")
    assert desk.missing == ["oral"]


@pytest.mark.parametrize(
    "status, business, told",
    [
        ("in-progress", "investigating", ["oral"]),
        ("on-hold", "needs-information", ["oral"]),
        ("completed", "approved", []),
        ("rejected", "denied", []),
        ("cancelled", "cancelled", []),
    ],
)
def test_what_a_renewal_misses_is_told_while_the_visits_go_on(
    status: str, business: str, told: list[str], desk: Any, example: Any
) -> None:
    desk.push(example("iron-meets-criteria"))
    desk.hear(said(desk, "preauthorization", "completed", "approved"), visit(desk, 1, "booked"))
    before = stands(desk)
    said_to_be = concept("gap", "oral") | {"text": "Oral iron tried"}
    missing = {"type": concept("preauthorization-output", "missing"), "valueCodeableConcept": said_to_be}
    desk.hear(said(desk, "renewal", status, business, output=[missing]))
    assert (stands(desk), desk.missing) == (before, told)
    texts = [o["valueCodeableConcept"]["text"] for o in desk.outputs("missing")]
    assert texts == ["For the renewal of the authorization: Oral iron tried" for _ in told]


@pytest.mark.parametrize(
    "status, business, expected",
    [
        ("in-progress", "investigating", ("in-progress", "3.0", "")),
        ("in-progress", "pended", ("in-progress", "3.0", "")),
        ("completed", "approved", ("in-progress", "3.0", "")),
        ("on-hold", "question", ("on-hold", "3.0", "A question about the authorization is open")),
        ("rejected", "not-covered", ("rejected", "4.0", "not covered by the plan")),
        ("rejected", "denied", ("rejected", "4.0", "authorization denied")),
    ],
)
def test_the_authorization_moves_the_referral(
    status: str, business: str, expected: tuple[str, str, str], desk: Any, example: Any
) -> None:
    desk.push(example("denied"))
    told = said(desk, "preauthorization", status, business)
    desk.hear(told)
    assert stands(desk) == expected
    assert desk.hear(told).reason == "nothing-to-change"


def test_a_denial_with_an_open_appeal_question_waits(desk: Any, example: Any) -> None:
    desk.push(example("denied"))
    appeal = said(desk, "appeal", "requested")
    desk.hear(said(desk, "preauthorization", "rejected", "denied"), appeal)
    assert stands(desk) == ("on-hold", "3.0", "authorization denied; appeal question open")
    assert [o["valueReference"]["reference"] for o in desk.outputs("question")] == ["Task/au-appeal"]
    desk.hear(appeal | {"status": "completed"})
    assert stands(desk)[0] == "rejected"


@pytest.mark.parametrize(
    ("when", "told"),
    [
        (None, ""),
        ("2026-12-01T21:00:00Z", " on 2026-12-01 at 15:00 (America/Chicago)"),
        ("2026-12-01T20:59:60Z", ""),
    ],
)
def test_a_denial_the_prescriber_is_to_talk_about_waits_and_says_when(
    when: str | None, told: str, desk: Any, example: Any
) -> None:
    desk.push(example("denied"))
    outputs = [{"type": concept("answer", "talk-at"), "valueDateTime": when}] if when else []
    asks = [{"type": concept("question", "peer-to-peer"), "valueString": "Agree on a time."}]
    talk = said(desk, "authorization-question", "requested", input=asks, **({"output": outputs} if outputs else {}))
    desk.hear(said(desk, "preauthorization", "rejected", "denied"), said(desk, "appeal", "completed"), talk)
    reason = f"authorization denied; the prescriber is to speak with a physician of the payer{told}"
    assert stands(desk) == ("on-hold", "3.0", reason)
    desk.hear(talk | {"status": "completed"})
    assert stands(desk) == ("rejected", "4.0", "authorization denied")


def test_a_denial_whose_appeal_is_filed_waits_for_what_comes_of_it(desk: Any, example: Any) -> None:
    desk.push(example("denied"))
    asks = [{"type": concept("question", "appeal-outcome"), "valueString": "What came of it?"}]
    filed = said(desk, "authorization-question", "requested", input=asks)
    desk.hear(said(desk, "preauthorization", "rejected", "denied"), said(desk, "appeal", "completed"), filed)
    assert stands(desk) == ("on-hold", "3.0", "authorization denied; an appeal is filed")
    desk.hear(filed | {"status": "completed"})
    assert stands(desk) == ("rejected", "4.0", "authorization denied")


def test_authorization_numbers_are_told(desk: Any, example: Any) -> None:
    desk.push(example("iron-meets-criteria"))
    number = {"type": concept("preauthorization-output", "number"), "valueString": "PH123"}
    desk.hear(said(desk, "preauthorization", "completed", "approved", output=[number]))
    assert [o["valueString"] for o in desk.outputs("authorization")] == ["PH123"]


def test_booked_visits_are_told_in_order_of_time(desk: Any, example: Any) -> None:
    desk.push(example("iron-meets-criteria"))
    second, first = visit(desk, 2, "booked", start="2026-12-01T15:00:00Z"), visit(desk, 1, "proposed")
    desk.hear(second, first)
    assert stands(desk) == ("in-progress", "5.1.1", "")
    desk.hear(first | {"status": "booked", "start": "2026-11-24T15:00:00Z"})
    told = [o["valueReference"]["reference"] for o in desk.outputs("appointment")]
    assert told == ["Appointment/sc-1", "Appointment/sc-2"]


@pytest.mark.parametrize(
    "statuses, code",
    [
        (("cancelled", "proposed"), "5.1.3"),
        (("noshow", "proposed"), "5.1.2"),
        (("noshow", "booked"), "5.1.1"),
        (("fulfilled", "booked"), "5.1.1"),
        (("fulfilled", "fulfilled"), "7.0"),
        (("fulfilled", "cancelled"), "7.0"),
    ],
)
def test_what_became_of_the_visits_is_told(statuses: tuple[str, str], code: str, desk: Any, example: Any) -> None:
    desk.push(example("iron-meets-criteria"))
    desk.hear(*(visit(desk, n, s, start="2026-11-24T15:00:00Z") for n, s in enumerate(statuses)))
    assert stands(desk)[1] == code


def test_news_of_another_order_leave_a_referral_as_it_is(desk: Any, example: Any) -> None:
    desk.push(example("iron-meets-criteria"))
    foreign = visit(desk, 1, "booked") | {"basedOn": [{"reference": "ServiceRequest/in-other"}]}
    assert desk.hear(foreign).reason == "nothing-to-change"


# The placer and the pharmacy


def test_a_dispense_of_the_pharmacy_is_kept(desk: Any, example: Any) -> None:
    desk.push(example("iron-meets-criteria"))
    dispense = {
        "resourceType": "MedicationDispense",
        "identifier": [{"system": "https://pharmacy.example/dispense", "value": "1"}],
        "status": "in-progress",
        "medicationCodeableConcept": {"text": "Ferric carboxymaltose"},
        "subject": {"reference": reference(desk.one("Patient"))},
    }
    assert desk.send(dispense, "prairie-pharmacy").reason == "dispense-received"
    assert desk.send(dispense, "prairie-pharmacy").reason == "nothing-to-change"


def untaken(desk: Any, number: int, **elements: Any) -> dict[str, Any]:
    """A question about a message that could not be taken, as the run loop of auth asks it."""
    return {
        "resourceType": "Task",
        "id": f"au-00000000-0000-5000-8000-00000000000{number}",
        "meta": {"versionId": "1-1", "lastUpdated": "2026-11-21T15:00:00Z"},
        "status": "requested",
        "intent": "order",
        "code": concept("task-code", "message-question"),
        "for": {"reference": reference(desk.one("Patient"))},
        "authoredOn": f"2026-11-21T15:0{number}:00+00:00",
        **elements,
    }


def told_of(desk: Any) -> list[tuple[str, str]]:
    """(reference, display) of every question the placer is told of."""
    outputs = [o for o in desk.task("referral").get("output", ()) if "valueReference" in o]
    return [(o["valueReference"]["reference"], o["valueReference"].get("display", "")) for o in outputs]


def test_the_placer_is_told_once_that_messages_could_not_be_taken_and_no_more_when_they_are(
    desk: Any, example: Any
) -> None:
    desk.push(example("iron-meets-criteria"))
    first = untaken(desk, 1, basedOn=[{"reference": reference(desk.order)}])
    desk.hear(first)
    desk.hear(untaken(desk, 2))
    text = "A message about this referral could not be processed; a coordinator has been asked."
    assert told_of(desk) == [(reference(first), text)]
    assert desk.task("referral")["status"] == "accepted"
    desk.hear({**first, "status": "completed"})
    assert told_of(desk) == [(reference(untaken(desk, 2)), text)]
    desk.hear({**untaken(desk, 2), "status": "completed"})
    assert told_of(desk) == []


def test_a_message_about_another_order_is_not_told_of(desk: Any, example: Any) -> None:
    desk.push(example("iron-meets-criteria"))
    desk.hear(untaken(desk, 1, basedOn=[{"reference": "ServiceRequest/in-00000000-0000-5000-8000-0000000000ff"}]))
    assert told_of(desk) == []
