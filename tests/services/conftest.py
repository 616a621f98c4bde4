"""Records every decision a service takes in a test: what it would save must satisfy the profile it declares."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from contracts.catalogue.declarations import demo_services, said_by
from shared.borders import Border, checking, kind_of, worded
from shared.core import Decision, Resource, reference
from shared.fhir.profiles import carepod

SERVICES = demo_services()
BORDERS: Mapping[str, Border] = {s.prefix: Border(s, checking(carepod())) for s in SERVICES}
"""What each service may save, by the two letters its ids begin with."""
ABOUT = {(s.prefix, said.reason): said.focus for s in SERVICES for said in said_by(s)}
"""(service, reason) -> kinds a decision of this reason is declared to be about."""


def unfit(resource: Resource) -> list[str]:
    """Why a resource may not be saved by its owner, with its kind and id."""
    border = BORDERS.get(str(resource["id"])[:2])
    if border is None:
        return [f"{resource['resourceType']}/{resource['id']} belongs to no service"]
    _, issues = border.leaving(resource)
    return [f"{resource['resourceType']}/{resource['id']}: {text}" for text in worded(issues, len(issues))]


def misnamed(decision: Decision) -> list[str]:
    """What a decision that saves something is about, where its reason does not declare that."""
    if not decision.saves:
        return []
    about = decision.focus or reference(decision.saves[0])
    focus = next((r for r in decision.saves if reference(r) == about), decision.saves[0])
    kinds = ABOUT.get((str(focus["id"])[:2], decision.reason), ())
    return [] if kind_of(focus) in kinds else [f"{decision.reason} is about {kind_of(focus)}, which is not declared"]


@pytest.fixture(autouse=True)
def recorded(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Decision]]:
    """Every decision made during the test; at its end each of their saves is held to its profile."""
    decisions: list[Decision] = []
    made = Decision.__init__

    def recording(self: Decision, *arguments: Any, **named: Any) -> None:
        made(self, *arguments, **named)
        decisions.append(self)

    monkeypatch.setattr(Decision, "__init__", recording)
    yield decisions
    wrong = sorted({text for d in decisions for text in (*misnamed(d), *(t for r in d.saves for t in unfit(r)))})
    assert not wrong, "\n".join(wrong[:20])
