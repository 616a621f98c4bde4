"""Each rule of the payers, at, below and above its threshold: one changed fact in the Bundle flips the verdict."""

from __future__ import annotations

from typing import Any

import pytest

PRAIRIE_HAEMOGLOBIN = [
    ("female", "11.9", "A1"),
    ("female", "12.0", "A3"),
    ("female", "12.1", "A3"),
    ("male", "12.9", "A1"),
    ("male", "13", "A3"),
    ("male", "13.1", "A3"),
    ("unknown", "11.9", "A1"),
    ("unknown", "12", "A3"),
]


@pytest.mark.parametrize(("gender", "value", "action"), PRAIRIE_HAEMOGLOBIN)
@pytest.mark.parametrize("payer", ["prairie-health", "lakeland-advantage"])
async def test_haemoglobin_must_be_below_the_bound_of_the_gender(
    submit: Any, case: Any, lab: Any, review: Any, payer: str, gender: str, value: str, action: str
) -> None:
    answer = await submit(case.but(gender=gender).with_(hb=lab("hb", "718-7", value, "g/dL")), payer)
    assert review(answer)["action"] == action


async def test_haemoglobin_in_grams_per_litre_means_the_same(submit: Any, case: Any, lab: Any, review: Any) -> None:
    below, at = (case.but(value=v).with_(hb=lab("hb", "718-7", v, "g/L")) for v in ("119", "120"))
    assert [review(await submit(c))["action"] for c in (below, at)] == ["A1", "A3"]


FERRITIN = [
    ("prairie-health", "39.9", "A1"),
    ("prairie-health", "40", "A1"),
    ("prairie-health", "40.1", "A3"),
    ("lakeland-advantage", "99", "A1"),
    ("lakeland-advantage", "100", "A1"),
    ("lakeland-advantage", "100.1", "A3"),
]


@pytest.mark.parametrize(("payer", "value", "action"), FERRITIN)
async def test_ferritin_decides_where_saturation_does_not_help(
    submit: Any, case: Any, lab: Any, review: Any, payer: str, value: str, action: str
) -> None:
    chart = case.with_(ferritin=lab("ferritin", "2276-4", value, "ng/mL"), tsat=lab("tsat", "2502-3", "25", "%"))
    assert review(await submit(chart, payer))["action"] == action


SATURATION = [
    ("prairie-health", "15.9", "A1"),
    ("prairie-health", "16", "A3"),
    ("prairie-health", "16.1", "A3"),
    ("lakeland-advantage", "19.9", "A1"),
    ("lakeland-advantage", "20", "A3"),
    ("lakeland-advantage", "20.1", "A3"),
]


@pytest.mark.parametrize(("payer", "value", "action"), SATURATION)
async def test_saturation_decides_where_ferritin_does_not_help(
    submit: Any, case: Any, lab: Any, review: Any, payer: str, value: str, action: str
) -> None:
    chart = case.with_(ferritin=lab("ferritin", "2276-4", "300", "ng/mL"), tsat=lab("tsat", "2502-3", value, "%"))
    assert review(await submit(chart, payer))["action"] == action


INFLAMED = [("100", "25", "A1"), ("100.1", "25", "A3"), ("300", "19.9", "A1"), ("300", "20", "A3")]


@pytest.mark.parametrize(("ferritin", "saturation", "action"), INFLAMED)
async def test_chronic_inflammation_widens_both_bounds(
    submit: Any, case: Any, lab: Any, review: Any, ferritin: str, saturation: str, action: str
) -> None:
    crohn = {
        "resourceType": "Condition",
        "id": "crohn",
        "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "K50.90"}]},
        "subject": {"reference": "Patient/p1"},
    }
    chart = case.with_(
        ferritin=lab("ferritin", "2276-4", ferritin, "ng/mL"), tsat=lab("tsat", "2502-3", saturation, "%")
    )
    assert review(await submit(chart.with_(crohn=crohn)))["action"] == action


async def test_criteria_not_met_names_every_reason(submit: Any, case: Any, lab: Any, review: Any) -> None:
    chart = case.with_(
        ferritin=lab("ferritin", "2276-4", "85", "ng/mL"), tsat=lab("tsat", "2502-3", "18", "%"), oral=None
    )
    found = review(await submit(chart))
    assert found == {"action": "A3", "number": None, "reasons": [("0F", "iron-stores"), ("44", "oral-iron")]}


@pytest.mark.parametrize(("ends", "action"), [("2026-08-28", "A3"), ("2026-08-29", "A1"), ("2026-08-30", "A1")])
async def test_oral_iron_must_have_been_tried_for_28_days(
    submit: Any, case: Any, medicine: Any, review: Any, ends: str, action: str
) -> None:
    answer = await submit(case.with_(oral=medicine("oral", "Ferrous gluconate", "2026-08-01", ends)))
    assert review(answer)["action"] == action


async def test_a_trial_still_going_on_counts_until_the_claim(
    submit: Any, case: Any, medicine: Any, review: Any
) -> None:
    short, long = (
        case.but(value=begins).with_(oral=medicine("oral", "Ferrous sulfate", effectivePeriod={"start": begins}))
        for begins in ("2026-10-24", "2026-10-23")
    )
    assert [review(await submit(c))["action"] for c in (short, long)] == ["A3", "A1"]


async def test_oral_iron_that_was_not_taken_is_no_trial(submit: Any, case: Any, medicine: Any, review: Any) -> None:
    answer = await submit(case.with_(oral=medicine("oral", "Ferrous sulfate", status="not-taken")))
    assert review(answer)["reasons"] == [("44", "oral-iron")]


async def test_an_intolerance_of_oral_iron_counts_as_tried(submit: Any, case: Any, review: Any) -> None:
    allergy = {
        "resourceType": "AllergyIntolerance",
        "id": "oral",
        "code": {"text": "Ferrous sulfate: constipation"},
        "patient": {"reference": "Patient/p1"},
    }
    assert review(await submit(case.with_(oral=allergy)))["action"] == "A1"


LAB_AGE = [("2026-05-25", "A1"), ("2026-05-24", "A1"), ("2026-05-23", "A3")]


@pytest.mark.parametrize(("on", "action"), LAB_AGE)
async def test_prairie_takes_labs_of_180_days_before_the_claim(
    submit: Any, case: Any, lab: Any, review: Any, on: str, action: str
) -> None:
    chart = case.with_(hb=lab("hb", "718-7", "9.1", "g/dL", effectiveDateTime=on))
    assert review(await submit(chart))["action"] == action


async def test_the_latest_value_decides(submit: Any, case: Any, lab: Any, review: Any) -> None:
    chart = case.with_(later=lab("later", "718-7", "12.5", "g/dL", effectiveDateTime="2026-11-15"))
    assert review(await submit(chart))["action"] == "A3"


NOT_FINAL = {"status": "preliminary"}
UNKNOWN_UNIT = {"valueQuantity": {"value": "9.1", "code": "mmol/L"}}
OPEN_VALUE = {"valueQuantity": {"value": "9.1", "comparator": ">", "code": "g/dL"}}


@pytest.mark.parametrize("spoilt", [NOT_FINAL, UNKNOWN_UNIT, OPEN_VALUE])
async def test_a_value_that_cannot_be_read_is_not_documented(
    submit: Any, case: Any, lab: Any, review: Any, spoilt: dict[str, Any]
) -> None:
    hb = {**lab("hb", "718-7", "9.1", "g/dL"), **spoilt}
    assert review(await submit(case.with_(hb=hb)))["reasons"] == [("0U", "haemoglobin")]


@pytest.mark.parametrize(("diagnosis", "action"), [("D50.0", "A1"), ("D63.1", "A1"), ("D51.0", "A3"), ("R53.83", "A3")])
async def test_the_diagnosis_must_be_on_the_payers_list(
    submit: Any, case: Any, review: Any, diagnosis: str, action: str
) -> None:
    assert review(await submit(case.but(diagnosis=diagnosis)))["action"] == action


async def test_prairie_does_not_cover_ferric_derisomaltose_and_lakeland_does(
    submit: Any, case: Any, review: Any
) -> None:
    asked = case.but(hcpcs="J1437", units="100")
    assert review(await submit(asked))["reasons"] == [("0F", "not-covered")]
    assert review(await submit(asked, "lakeland-advantage"))["action"] == "A1"


@pytest.mark.parametrize(("units", "action"), [("1499", "A1"), ("1500", "A1"), ("1501", "A6")])
async def test_more_units_than_the_payer_gives_are_modified(
    submit: Any, case: Any, review: Any, units: str, action: str
) -> None:
    answer = await submit(case.but(units=units))
    assert review(answer)["action"] == action
    added = answer["entry"][0]["resource"].get("addItem", [])
    assert [(a["itemSequence"], a["quantity"]["value"]) for a in added] == ([([1], 1500)] if action == "A6" else [])


@pytest.mark.parametrize("member", ["PHP990000001", "12", "PHP-12345"])
async def test_a_stranger_is_not_certified(submit: Any, case: Any, review: Any, member: str) -> None:
    assert review(await submit(case.but(member=member)))["reasons"] == [("0F", "member-not-in-force")]


async def test_a_product_off_the_list_is_not_certified(submit: Any, case: Any, review: Any) -> None:
    assert review(await submit(case.but(hcpcs="J9999")))["reasons"] == [("0F", "product-unknown")]


# Infliximab


@pytest.mark.parametrize("missing", ["tb", "hbv"])
async def test_infliximab_needs_both_screens(submit: Any, case: Any, review: Any, missing: str) -> None:
    found = review(await submit(case.infliximab().with_(**{missing: None})))
    names = {"tb": "tuberculosis-screen", "hbv": "hepatitis-b-screen"}
    assert (found["action"], found["reasons"]) == ("A3", [("0U", names[missing])])


RESULTS = [
    ({"valueString": "Negative"}, "A4"),
    ({"valueString": "Not detected"}, "A4"),
    ({"valueString": "Positive"}, "A3"),
    ({"valueString": "Indeterminate"}, "A3"),
    ({"interpretation": [{"coding": [{"code": "NEG"}]}]}, "A4"),
    ({"interpretation": [{"coding": [{"code": "POS"}]}]}, "A3"),
]


@pytest.mark.parametrize(("answer", "action"), RESULTS)
async def test_a_screen_must_say_negative(
    submit: Any, case: Any, screen: Any, review: Any, answer: dict[str, Any], action: str
) -> None:
    chart = case.infliximab().with_(tb=screen("tb", "45323-3", **answer))
    assert review(await submit(chart))["action"] == action


@pytest.mark.parametrize(("on", "action"), [("2025-11-21", "A4"), ("2025-11-20", "A4"), ("2025-11-19", "A3")])
async def test_the_tuberculosis_screen_holds_365_days(
    submit: Any, case: Any, screen: Any, review: Any, on: str, action: str
) -> None:
    tb = screen("tb", "71773-6", valueString="negative", effectiveDateTime=on)
    assert review(await submit(case.infliximab().with_(tb=tb)))["action"] == action


async def test_infliximab_for_a_diagnosis_off_the_list_is_denied(submit: Any, case: Any, review: Any) -> None:
    assert review(await submit(case.infliximab(diagnosis="D86.0")))["reasons"] == [("0F", "infliximab-diagnosis")]


async def test_step_therapy_binds_only_its_plan_group(submit: Any, case: Any, medicine: Any, review: Any) -> None:
    gold, step = case.infliximab(value="gold"), case.infliximab(value="step", group="STEP")
    tried = step.but(value="tried").with_(ada=medicine("ada", "Adalimumab 40 mg"))
    found = [review(await submit(c)) for c in (gold, step, tried)]
    assert [f["action"] for f in found] == ["A4", "A3", "A4"]
    assert found[1]["reasons"] == [("44", "step-therapy")]


async def test_lakeland_wants_a_biosimilar_first(submit: Any, case: Any, medicine: Any, review: Any) -> None:
    plain = case.infliximab(value="plain", member="LKA200000001")
    tried = plain.but(value="tried").with_(bio=medicine("bio", "Infliximab-dyyb 100 mg"))
    own = plain.but(value="own", hcpcs="Q5103")
    actions = [review(await submit(c, "lakeland-advantage"))["action"] for c in (plain, tried, own)]
    assert actions == ["A3", "A1", "A1"]


async def test_lakeland_reviews_iron_without_an_oral_trial(submit: Any, case: Any, review: Any) -> None:
    answer = await submit(case.but(member="1EG4-TE5-MK73").with_(oral=None), "lakeland-advantage")
    assert review(answer)["action"] == "A4"


async def test_a_plan_group_under_review_pends_what_would_be_certified(submit: Any, case: Any, review: Any) -> None:
    assert review(await submit(case.but(group="REVIEW")))["action"] == "A4"


async def test_evidence_in_a_bundle_of_its_own_counts_as_any_other(submit: Any, case: Any, review: Any) -> None:
    tried = case.chart["oral"]
    entry = {"fullUrl": "https://carepod.example/fhir/MedicationStatement/oral", "resource": tried}
    enclosed = {"resourceType": "Bundle", "id": "oral", "type": "collection", "entry": [entry]}
    without, within = case.but(value="without").with_(oral=None), case.but(value="within").with_(oral=enclosed)
    assert [review(await submit(c))["action"] for c in (without, within)] == ["A3", "A1"]
