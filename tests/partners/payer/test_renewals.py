"""A payer answers a request for another period by its own terms: what shows the response, or no."""

from __future__ import annotations

from typing import Any

import pytest


def note(description: str) -> dict[str, Any]:
    return {
        "resourceType": "DocumentReference",
        "id": "note",
        "status": "current",
        "subject": {"reference": "Patient/p1"},
        "description": description,
        "content": [{"attachment": {"contentType": "text/plain", "data": "eA=="}}],
    }


def period(answer: Any) -> Any:
    return answer["entry"][0]["resource"]["preAuthPeriod"]


@pytest.mark.parametrize(
    ("words", "action", "reasons"),
    [("In remission", "A1", []), ("Clinical response", "A1", []), ("Active disease", "A3", [("0U", "response")])],
)
async def test_infliximab_is_renewed_on_a_note_of_the_response(
    submit: Any, case: Any, review: Any, words: str, action: str, reasons: list[Any]
) -> None:
    asked = case.infliximab(certification="R").with_(note=note(words))
    found = review(await submit(asked))
    assert (found["action"], found["reasons"]) == (action, reasons)


async def test_without_a_note_another_period_of_infliximab_is_denied(submit: Any, case: Any, review: Any) -> None:
    assert review(await submit(case.infliximab(certification="R")))["action"] == "A3"
    assert review(await submit(case.infliximab(value="claim-2")))["action"] == "A4"


@pytest.mark.parametrize(
    ("trough", "taken", "action"),
    [
        ("499", "2026-11-10", "A3"), ("500", "2026-11-10", "A1"), ("501", "2026-11-10", "A1"),
        ("800", "2026-08-22", "A1"), ("800", "2026-08-21", "A3"),
    ],
)  # fmt: skip
async def test_immune_globulin_is_renewed_on_a_trough(
    submit: Any, case: Any, lab: Any, review: Any, trough: str, taken: str, action: str
) -> None:
    result = lab("igg", "2465-3", trough, "mg/dL") | {"effectiveDateTime": taken}
    asked = case.but(hcpcs="J1561", units="360", diagnosis="D83.9", certification="R", chart={"igg": result})
    assert review(await submit(asked))["action"] == action


async def test_the_days_of_a_trial_are_those_of_the_first_period_alone(submit: Any, case: Any) -> None:
    later = case.infliximab(group="TRIAL", certification="R").with_(note=note("Clinical response"))
    assert period(await submit(later)) == {"start": "2026-12-01", "end": "2027-11-30"}
