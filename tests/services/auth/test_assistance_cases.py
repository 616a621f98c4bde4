"""The rules of assistance one by one: criteria, consent, classes of insurance and the balance, each as YAML cases."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.auth.assistance.balance import Dose, balanced
from services.auth.assistance.consent import gate
from services.auth.assistance.eligibility import Applicant, Insured, judged, overall
from services.auth.assistance.insurance import ACT_CODE, SELF_PAYING, SOPT, class_of
from services.auth.assistance.programmes import (
    DOCUMENTS,
    PROGRAMME,
    Programme,
    check_programmes,
    offered,
    poverty_level,
    programme,
)
from services.auth.policy import AuthPolicy
from shared.core import IDENTIFIERS
from shared.policy import Figure, PolicyError
from tests.services.auth.assisted import HELPING, consent
from tests.services.auth.patient import CHICAGO, TODAY, coded

assert isinstance(HELPING.policy, AuthPolicy)
FIGURES = HELPING.policy.figures
PROGRAMMES = {p.id: p for p in (programme(f) for f in FIGURES.figures if f.id == PROGRAMME)}
Row = Mapping[str, Any]


def cases(name: str) -> list[Any]:
    file = Path(__file__).with_name("cases") / f"assistance-{name}.yaml"
    return [pytest.param(row, id=row["name"]) for row in yaml.safe_load(file.read_text(encoding="utf-8"))]


# Criteria


def applicant(row: Row) -> Applicant:
    states = {"AK": "alaska", "HI": "hawaii", None: None}
    region, size = states.get(row.get("state", "NE"), "contiguous"), row.get("size")
    insured = (Insured(f"Coverage/{n}", None if c == "?" else c) for n, c in enumerate(row.get("insured", ())))
    return Applicant(
        insurance=tuple(insured),
        income=Decimal(str(row["income"])) if "income" in row else None,
        size=size,
        lives_in=region,
        level=poverty_level(FIGURES, region, size, row.get("day", TODAY)) if region and size else None,
        age=row.get("age", 40),
        diagnoses=tuple(row.get("icd10", ())),
        documents={p: f"DocumentReference/{p}" for p in row.get("papers", ())},
        enrolled=frozenset(row.get("enrolled", ())),
        channel=row.get("channel"),
    )


@pytest.mark.parametrize("row", cases("eligibility"))
def test_a_programme_judges_what_is_known_of_the_patient(row: Row) -> None:
    verdicts = judged(PROGRAMMES[row["programme"]], applicant(row))
    if row["criterion"] == "overall":
        assert overall(verdicts) == row["verdict"]
        return
    found = next((v for v in verdicts if v.criterion == row["criterion"]), None)
    assert (found.verdict if found else None) == row["verdict"]
    assert found is None or "missing" not in row or list(found.missing) == row["missing"]


def test_every_criterion_that_is_not_documented_says_what_would_document_it() -> None:
    for known in PROGRAMMES.values():
        for verdict in judged(known, Applicant()):
            assert (verdict.verdict == "not-documented") == bool(verdict.missing), (known.id, verdict)


@pytest.mark.parametrize("kind", ["medicare", "medicaid", "tricare", "va", "other-government"])
@pytest.mark.parametrize("card", [p for p in PROGRAMMES.values() if p.kind == "copay"], ids=lambda p: p.id)
def test_no_copay_card_of_any_file_is_for_a_federal_payer(card: Programme, kind: str) -> None:
    known = Applicant((Insured("Coverage/1", "commercial"), Insured("Coverage/2", kind)), age=40, diagnoses=card.icd10)
    assert overall(judged(card, known)) == "not-met"


@pytest.mark.parametrize(
    ("region", "size", "on", "level"),
    [
        ("contiguous", 1, date(2025, 1, 15), 15650), ("contiguous", 2, date(2025, 6, 1), 21150),
        ("contiguous", 3, date(2025, 6, 1), 26650), ("contiguous", 4, date(2025, 6, 1), 32150),
        ("contiguous", 5, date(2025, 6, 1), 37650), ("contiguous", 6, date(2025, 6, 1), 43150),
        ("contiguous", 7, date(2025, 6, 1), 48650), ("contiguous", 8, date(2026, 1, 12), 54150),
        ("contiguous", 1, date(2026, 1, 13), 15960), ("contiguous", 4, date(2026, 11, 1), 33000),
        ("alaska", 1, date(2025, 6, 1), 19550), ("hawaii", 1, date(2025, 6, 1), 17990),
        ("contiguous", 1, date(2025, 1, 14), None),
    ],
)  # fmt: skip
def test_the_poverty_level_is_the_published_one(region: str, size: int, on: date, level: int | None) -> None:
    assert poverty_level(FIGURES, region, size, on) == level


# Consent


LIMITS: Row = {
    "purpose": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "HRESCH"}],
    "class": [{"system": "urn:ietf:rfc:3986", "code": "http://hl7.org/fhir/StructureDefinition/lipidprofile"}],
    "data": [{"meaning": "instance", "reference": {"reference": "Observation/in-ferritin"}}],
    "dataPeriod": {"end": "2026-01-01"},
}


def _consent(number: int, row: Row) -> dict[str, Any]:
    scope = {
        "system": "http://terminology.hl7.org/CodeSystem/consentscope",
        "code": row.get("scope", "patient-privacy"),
    }
    named = [row.get("recipient", "the-hub"), row.get("also")]
    actors = [{"reference": {"identifier": {"system": IDENTIFIERS + "hub", "value": r}}} for r in named if r]
    said = {"start": date(2026, 11, 1), "end": date(2027, 11, 1), **row}
    made = consent(consent_id=f"in-{number}", status=row.get("status", "active"), scope={"coding": [scope]})
    made["provision"] = {
        "type": row.get("type", "permit"),
        "period": {edge: said[edge].isoformat() for edge in ("start", "end") if said[edge]},
        "actor": actors,
    }
    made["dateTime"] = str(row.get("dated", "2026-11-01"))
    if row.get("dated", "") is None:
        del made["dateTime"]
    if "rule" in row:
        made["policyRule"] = coded("http://terminology.hl7.org/CodeSystem/v3-ActCode", row["rule"])
    if "exception" in row:
        made["provision"]["provision"] = [{"type": row["exception"]}]
    if "limit" in row:
        made["provision"][row["limit"]] = LIMITS[row["limit"]]
    if "source" in row:
        del made["sourceReference"]
    return made | ({"verification": [{"verified": row["verified"]}]} if "verified" in row else {})


@pytest.mark.parametrize("row", cases("consent"))
def test_the_gate_is_open_only_by_a_signed_consent_in_force(row: Row) -> None:
    found = gate([_consent(n, c) for n, c in enumerate(row["consents"])], "the-hub", TODAY, CHICAGO)
    assert found.shut == row["shut"]
    assert "changes" not in row or found.changes == row["changes"]
    assert (found.shut is None) == found.why.endswith("on file.")


# Insurance


@pytest.mark.parametrize("row", cases("insurance"))
def test_any_sign_of_a_federal_payer_decides_the_class(row: Row) -> None:
    systems = {"act": ACT_CODE, "self": SELF_PAYING, "sopt": SOPT, "other": "https://other.example"}
    said = row.get("type", [])
    codings = [{"system": systems[s], "code": c} for s, c in zip(said[::2], said[1::2], strict=True)]
    covered = {"resourceType": "Coverage", "id": "1", **({"type": {"coding": codings}} if codings else {})}
    assert class_of(covered, row["line"]) == row["class"]


# The balance


@pytest.mark.parametrize("row", cases("balance"))
def test_the_balance_follows_from_the_doses(row: Row) -> None:
    value = {"programme": "p", "name": "P", "kind": "copay", "insurance": ["commercial"], "pays": row.get("pays")}
    limits = (PROGRAMMES[row["programme"]] if "programme" in row else programme(_figure(value))).limits
    assert limits is not None
    doses = [
        Dose(f"Appointment/{n}", d[0], d[1] == "given", None if d[2] is None else Decimal(d[2]), *d[3:])
        for n, d in enumerate(row["doses"])
    ]
    found = balanced(limits, [(s, e) for s, e in row["enrolled"]], doses, row["day"])
    wanted = [(Decimal(paid), None if left is None else Decimal(left), why) for paid, left, why in row["rows"]]
    assert [(r.paid, r.left, r.why) for r in found.rows] == wanted
    assert [found.used, found.left] == [None if v is None else Decimal(v) for v in row["balance"]]
    assert all(r.paid >= 0 and (r.left is None or r.left >= 0) for r in found.rows)


# The files


def _figure(value: Any, figure_id: str = PROGRAMME, **applies_to: Any) -> Figure:
    scope = applies_to or {"drugs": ["infliximab"]}
    return Figure("auth/x", figure_id, value, "usd", scope, "s (2026)", "PD", "site", date(2026, 1, 1), None)


VALUE: Row = {"programme": "p", "name": "P", "kind": "foundation", "insurance": ["commercial"]}


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"kind": "coupon"}, "value.kind"),
        ({"insurance": ["private"]}, "value.insurance"),
        ({"insurance": []}, "value.insurance"),
        ({"kind": "copay", "insurance": ["commercial", "medicare"]}, "value.insurance"),
        ({"channels": ["mule"]}, "value.channels"),
        ({"not_with": ["coupon"]}, "value.not_with"),
        ({"documents": ["photograph"]}, "value.documents"),
        ({"income_percent": "400"}, "value.income_percent"),
        ({"age_from": "18"}, "value.age_from"),
        ({"pays": {"maximum_usd": 1}}, "value.pays"),
        ({"pays": {"per": "month"}}, "value.pays"),
        ({"pays": {"per": "enrolment", "maximum_eur": 1}}, "value.pays"),
        ({"pays": {"per": "enrolment", "patient_pays_usd": {"first": 1}}}, "value.pays"),
        ({"valid": {"days": 0}}, "value.valid"),
        ({"valid": {"months": 1}}, "value.valid"),
        ({"colour": "red"}, "value"),
    ],
)
def test_a_programme_that_says_something_else_is_told_where(change: Row, place: str) -> None:
    check_programmes([_figure(VALUE)])
    with pytest.raises(PolicyError, match=f"auth/x: assistance_programme: {place}: "):
        check_programmes([_figure({**VALUE, **change})])


def test_a_programme_for_a_drug_nobody_knows_or_a_table_of_no_region_is_told() -> None:
    with pytest.raises(PolicyError, match="drugs of the catalogue"):
        check_programmes([_figure(VALUE, drugs=["unobtainium"])])
    with pytest.raises(PolicyError, match="region"):
        check_programmes([_figure({"first": 1, "each_more": 1}, "poverty_level", region="guam")])
    with pytest.raises(PolicyError, match="each_more"):
        check_programmes([_figure({"first": 1}, "poverty_level", region="alaska")])


def test_every_programme_of_the_files_is_a_draft_until_a_practice_adopts_it() -> None:
    assert {f.verified for f in FIGURES.figures if f.id in (PROGRAMME, "poverty_level")} <= {"V2", "K", "PD"}
    assert offered(type(FIGURES)(FIGURES.figures), "ferric-carboxymaltose", TODAY) == ()
    assert [p.id for p in offered(FIGURES, "ferric-carboxymaltose", TODAY)] == [
        "injectafer-savings", "prairie-iron-free-drug", "prairie-iron-fund",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("named", "start", "end"),
    [
        ("injectafer-savings", date(2026, 11, 20), date(2027, 11, 19)),
        ("ocrevus-copay", date(2026, 1, 1), date(2026, 12, 31)),
        ("ocrevus-copay", date(2026, 12, 31), date(2026, 12, 31)),
        ("injectafer-savings", date(9999, 6, 1), date(9999, 12, 31)),
    ],
)
def test_an_enrolment_lasts_as_long_as_the_programme_says(named: str, start: date, end: date) -> None:
    assert PROGRAMMES[named].ends(start) == end


def test_the_documents_a_programme_may_want_are_what_a_person_may_enter() -> None:
    assert {d for p in PROGRAMMES.values() for d in p.documents} <= set(DOCUMENTS)
