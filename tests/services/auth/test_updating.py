"""A changed order may change the request the payer has: one chain, every sequence kept, and what is new says so."""

from __future__ import annotations

from typing import Any

import pytest

from services.auth.deliver import cancellation_due, claim_due
from services.auth.wire.bundles import broken, request_bundle
from services.auth.wire.claims import CERTIFICATION, X12
from services.auth.wire.responses import prior_of
from services.auth.wire.updating import INFO_CHANGED
from services.auth.wire.withdrawing import takes_back
from services.auth.words import INFO_CANCELLED, code_of, extension, question_code
from shared.core import Decision, Resource, reference
from tests.services.auth.home import ivig
from tests.services.auth.journey import Journey, benefit_answer, claim_answer
from tests.services.auth.outward import broken_request
from tests.services.auth.patient import PARTIES, PRACTICE, complete, coverage, lab, medication, order, referral


def asked(action: str | None = "A4") -> tuple[Journey, Resource]:
    """A request, and what the payer said of it."""
    journey = Journey().benefit_known(*complete(referral()))
    claim = journey.one("Claim")
    if action:
        journey.answered("preauthorization-answered", claim, claim_answer(claim, action))
    return journey, claim


def changed(journey: Journey, *resources: Resource) -> Resource:
    """The order asks for another dose: the question that follows."""
    journey.hears(*(resources or complete([medication(500, 2)])))
    asks = (q for q in journey.tasks("authorization-question") if question_code(q) == "order-changed")
    return next(q for q in asks if q["status"] == "requested")


def updated(journey: Journey, *resources: Resource) -> Decision:
    return journey.person(changed(journey, *resources), "update")


def latest(journey: Journey) -> Resource:
    return journey.of("Claim")[-1]


def marks(part: Resource) -> list[Any]:
    return [e["valueCode"] for e in part["extension"] if e["url"] == INFO_CHANGED]


def kind(item: Resource) -> str | None:
    return code_of((extension(item, CERTIFICATION) or {}).get("valueCodeableConcept"), X12 + "1322")


@pytest.mark.parametrize("action", ["A4", "A1"])
def test_what_the_payer_holds_is_changed_and_nothing_is_taken_back(action: str) -> None:
    journey, first = asked(action)
    assert updated(journey).reason == "preauthorization-asked"
    update = latest(journey)
    assert prior_of(update) == reference(first)
    assert takes_back(update) is None
    assert len(journey.of("Claim")) == 2
    assert journey.store.known[reference(first)]["status"] == "active"
    assert (claim_due(None, update), cancellation_due(None, update)) == ("1", None)
    assert journey.status == ("submitted", "in-progress")


def test_a_changed_item_keeps_its_sequence_and_says_that_it_changed() -> None:
    journey, first = asked()
    updated(journey)
    (before,), (item,) = first["item"], latest(journey)["item"]
    assert (item["sequence"], item["quantity"]["value"]) == (before["sequence"], 1000)
    assert before["quantity"]["value"] == 1500
    assert (kind(item), marks(item)) == ("4", ["changed"])


def test_evidence_keeps_its_sequence_and_what_is_new_comes_after_it() -> None:
    journey, first = asked()
    another = complete([lab("ferritin", 8, days_ago=1, id="in-another")])
    updated(journey, *complete([medication(500, 2)]), *another)
    info = latest(journey)["supportingInfo"]
    kept = first["supportingInfo"]
    assert info[: len(kept)] == kept
    assert [i["sequence"] for i in info] == list(range(1, len(info) + 1))
    assert [marks(i) for i in info[len(kept) :]] == [["added"]] * (len(info) - len(kept))
    assert len(info) > len(kept)


async def test_an_update_travels_with_the_request_it_changes_and_that_ones_predecessor_stays_at_home() -> None:
    journey, first = asked()
    updated(journey)
    second = latest(journey)
    journey.answered("preauthorization-answered", second, claim_answer(second, "A4", "ph2"))
    updated(journey, *complete([medication(400, 2)]))
    third = latest(journey)
    assert prior_of(third) == reference(second)
    bundle = request_bundle(third, await journey.gathered(), PRACTICE, PRACTICE.payers[0])
    claims = [e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == "Claim"]
    assert [c["id"] for c in claims] == [third["id"], second["id"]]
    assert "related" not in claims[1]
    assert first["id"] not in {c["id"] for c in claims}
    assert broken(bundle) == []


def test_the_answer_to_the_update_is_what_counts_from_then_on() -> None:
    journey, _ = asked("A1")
    updated(journey)
    update = latest(journey)
    journey.answered("preauthorization-answered", update, claim_answer(update, answer_id="ph2"))
    assert journey.status == ("approved", "completed")
    assert [q["value"] for q in journey.outputs("units")] == [1000]


@pytest.mark.parametrize("action", ["A3", None])
def test_what_was_denied_or_may_not_have_arrived_cannot_be_changed(action: str | None) -> None:
    journey, _ = asked(action)
    question = changed(journey)
    assert journey.person(question, "update").refusals == ("answer-unknown",)
    assert len(journey.of("Claim")) == 1


def test_an_order_that_ends_after_an_update_takes_back_the_update_alone() -> None:
    journey, first = asked()
    updated(journey)
    update = latest(journey)
    journey.answered("preauthorization-answered", update, claim_answer(update, "A4", "ph2"))
    order = next(r for r in referral() if r["resourceType"] == "ServiceRequest")
    journey.hears({**order, "status": "revoked"})
    cancelled = [takes_back(c) for c in journey.of("Claim") if takes_back(c)]
    assert cancelled == [reference(update)]
    assert journey.store.known[reference(first)]["status"] == "cancelled"


# What is asked for no more


async def cancelling() -> tuple[Journey, Resource, Resource]:
    """Immune globulin at home, approved; then in a chair: the update, and the Bundle it travels in."""
    journey = Journey().approved(*complete([*ivig("prairie-health"), *PARTIES]), days=180)
    updated(journey, ivig("prairie-health", locationCode=order()["locationCode"])[0])
    update = latest(journey)
    return journey, update, request_bundle(update, await journey.gathered(), PRACTICE, PRACTICE.payers[0])


def cancelled_items(claim: Resource) -> list[int]:
    flags = [
        (i["sequence"], extension({"extension": i.get("modifierExtension", ())}, INFO_CANCELLED)) for i in claim["item"]
    ]
    return [sequence for sequence, flag in flags if flag and flag["valueBoolean"]]


async def test_what_falls_away_is_sent_under_its_sequence_as_cancelled_and_not_kept_as_asked_for() -> None:
    journey, update, bundle = await cancelling()
    first = journey.of("Claim")[0]
    sent, prior = [e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == "Claim"]
    assert [i["productOrService"]["coding"][0]["code"] for i in update["item"]] == ["J1561"]
    assert [i["sequence"] for i in sent["item"]] == [i["sequence"] for i in first["item"]]
    assert cancelled_items(sent) == [i["sequence"] for i in first["item"][1:]]
    assert {kind(i) for i in sent["item"][1:]} == {"3"}
    assert cancelled_items(prior) == []
    assert broken(bundle) == []
    assert broken_request(bundle) == []


async def test_an_answer_that_counts_what_is_cancelled_as_cancelled_decides_the_rest() -> None:
    journey, update, bundle = await cancelling()
    sent = bundle["entry"][0]["resource"]
    told = claim_answer(sent, answer_id="ph2")
    for item in told["item"][1:]:
        item.clear()
        item |= claim_answer(sent, "C")["item"][1]
    for at, item in enumerate(told["item"]):
        item["itemSequence"] = sent["item"][at]["sequence"]
    journey.answered("preauthorization-answered", update, told)
    assert journey.status == ("approved", "completed")
    assert [q["code"] for q in journey.outputs("units")] == ["J1561"]


async def test_what_is_asked_for_again_is_new_and_no_sequence_comes_twice() -> None:
    journey, update, _ = await cancelling()
    journey.answered("preauthorization-answered", update, claim_answer(update, answer_id="ph2"))
    updated(journey, ivig("prairie-health")[0])
    again = latest(journey)
    before = [i["sequence"] for i in journey.of("Claim")[0]["item"]]
    sequences = [i["sequence"] for i in again["item"]]
    assert sequences[0] == before[0]
    assert min(sequences[1:]) > max(before)
    assert [marks(i) for i in again["item"][1:]] == [["added"]] * (len(sequences) - 1)
    bundle = request_bundle(again, await journey.gathered(), PRACTICE, PRACTICE.payers[0])
    assert cancelled_items(bundle["entry"][0]["resource"]) == before[1:]
    assert broken(bundle) == []


def test_a_request_of_which_nothing_is_left_is_made_anew() -> None:
    journey, _ = asked()
    question = changed(journey, order(("iron-sucrose", "J1756")))
    assert journey.person(question, "update").refusals == ("answer-unknown",)


def refused_update(action: str) -> tuple[Journey, Resource]:
    """A request the payer holds, and an update of it that it refused unread."""
    journey, first = asked(action)
    updated(journey)
    journey.answered("preauthorization-refused-by-payer", latest(journey))
    return journey, first


def test_a_request_whose_update_was_refused_is_still_taken_back_with_its_order() -> None:
    journey, first = refused_update("A4")
    journey.hears(order(status="revoked"))
    assert [prior for c in journey.of("Claim") if (prior := takes_back(c))] == [reference(first)]


def test_after_a_refused_update_the_next_request_changes_the_one_the_payer_holds() -> None:
    journey, first = refused_update("A1")
    question = next(q for q in journey.tasks("authorization-question") if q["status"] == "requested")
    journey.person(question, "resubmit")
    assert prior_of(latest(journey)) == reference(first)


def insured_elsewhere(journey: Journey, **changes: Any) -> None:
    """Another plan takes the place of the one that was asked, and wants the drug authorized."""
    journey.hears(coverage("lakeland-advantage", **changes))
    for request in journey.of("CoverageEligibilityRequest"):
        if request["insurer"]["identifier"]["value"] == "lakeland-advantage":
            journey.answered("benefit-answered", request, benefit_answer(request, required=True))


async def test_another_insurer_is_asked_anew_and_never_shown_what_the_first_one_was_asked() -> None:
    journey, _ = refused_update("A4")
    insured_elsewhere(journey)
    claim = next(c for c in journey.of("Claim") if c["insurer"]["identifier"]["value"] == "lakeland-advantage")
    assert (prior_of(claim), [marks(i) for i in claim["item"]]) == (None, [[]])
    bundle = request_bundle(claim, await journey.gathered(), PRACTICE, PRACTICE.payers[1])
    claims = [e["resource"]["id"] for e in bundle["entry"] if e["resource"]["resourceType"] == "Claim"]
    assert claims == [claim["id"]]
    assert broken(bundle) == []


def test_what_the_first_insurer_still_holds_is_taken_back_there() -> None:
    journey, first = refused_update("A4")
    insured_elsewhere(journey)
    assert [prior for c in journey.of("Claim") if (prior := takes_back(c))] == [reference(first)]
