"""Referral examples, the demo practice, and intake run on plain dictionaries."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from services.intake.consequences import Policy
from services.intake.coordinator import coordinate
from services.intake.doors import bundles
from services.intake.facts import Facts
from services.intake.questions import asks
from services.intake.requirements.demands import demands_of
from services.intake.service import GAPS, POLICIES
from shared.borders import checking
from shared.core import Decision, Event, Resource, reference
from shared.fhir.json import decode
from shared.fhir.profiles import carepod
from shared.policy import load_figures
from shared.settings import ROOT, Site, load_site

AT = datetime(2026, 11, 21, 15, 0, tzinfo=UTC)
EXAMPLES = ROOT / "contracts" / "examples" / "referrals"
DEMO = ROOT / "deploy" / "sites" / "demo.yaml"


@dataclass
class Desk:
    """Intake's decisions one after another: what one saves, the next one knows."""

    policy: Policy
    held: dict[str, Resource] = field(default_factory=dict)
    at: datetime = AT

    def push(self, bundle: Resource, client: str = "mercy-ehr") -> Decision:
        arrival = bundles.resolved(bundle, client)
        assert isinstance(arrival, bundles.Arrival), arrival
        return self.take("command", "referral-received", arrival.lane, arrival.resources, None, client)

    def send(self, resource: Resource, client: str = "mercy-ehr") -> Decision:
        arrival = bundles.single(resource, client)
        assert isinstance(arrival, bundles.Arrival), arrival
        return self.take("command", "resource-received", arrival.lane, arrival.resources, None, client)

    def answer(self, task: Resource, client: str = "clinic-portal") -> Decision:
        return self.take(
            "command", "task-answered", task["for"]["reference"].replace("P", "p", 1), (task,), None, client
        )

    def hear(self, *resources: Resource, reason: str = "said") -> Decision:
        return self.take("message", reason, f"patient/{self.one('Patient')['id']}", resources)

    def take(
        self,
        kind: Any,
        reason: str,
        lane: str,
        resources: tuple[Resource, ...] = (),
        focus: str | None = None,
        client: str = "mercy-ehr",
    ) -> Decision:
        event = Event(kind, reason, lane, self.at, self.at, tuple(resources), focus, client)
        if kind == "message":
            self.held |= {reference(r): r for r in resources}
        decision = coordinate(event, Facts(lane.removeprefix("patient/"), dict(self.held)), self.policy)
        assert isinstance(decision, Decision)
        self.held |= {reference(s): s for s in decision.saves}
        return decision

    def all(self, resource_type: str) -> list[Resource]:
        return [r for r in self.held.values() if r["resourceType"] == resource_type]

    def one(self, resource_type: str, **elements: Any) -> Resource:
        found = [r for r in self.all(resource_type) if all(r.get(k) == v for k, v in elements.items())]
        assert len(found) == 1, (resource_type, len(found))
        return found[0]

    @property
    def order(self) -> Resource:
        return self.one("ServiceRequest", intent="filler-order")

    def task(self, code: str) -> Resource:
        about_people = frozenset({"nobody-to-tell", "language-unavailable"})
        coded = [t for t in self.all("Task") if t["code"]["coding"][0]["code"] == code]
        found = [t for t in coded if not asks(t) & about_people]
        assert len(found) == 1, (code, len(found))
        return found[0]

    @property
    def referral(self) -> Resource:
        return self.task("referral")

    def outputs(self, code: str) -> list[Mapping[str, Any]]:
        return [o for o in self.referral.get("output", ()) if o["type"]["coding"][0]["code"] == code]

    @property
    def missing(self) -> list[str]:
        return [o["valueCodeableConcept"]["coding"][0]["code"] for o in self.outputs("missing")]


@pytest.fixture(scope="session")
def site() -> Site:
    return load_site(DEMO, partners_url="http://partners.test", base_url="http://carepod.test")


@pytest.fixture(scope="session")
def policy(site: Site) -> Policy:
    figures = load_figures("intake", POLICIES, ["intake/answers", "intake/changes", "intake/requirements"])
    demands = demands_of(GAPS, checking(carepod()))
    return Policy(figures, replace(site, auto_confirm=frozenset({"order-verification"})), demands)


@pytest.fixture
def desk(policy: Policy) -> Desk:
    return Desk(policy)


@pytest.fixture
def asking_desk(policy: Policy) -> Desk:
    """The same practice, where a pharmacist verifies every order himself."""
    return Desk(replace(policy, site=replace(policy.site, auto_confirm=frozenset())))


@pytest.fixture
def example() -> Callable[[str], dict[str, Any]]:
    """A fresh copy of one demo referral."""
    return lambda name: deepcopy(decode((EXAMPLES / f"{name}.json").read_bytes()))


@pytest.fixture
def edited() -> Callable[[dict[str, Any], Mapping[str, Any]], dict[str, Any]]:
    return edit


def edit(bundle: dict[str, Any], case: Mapping[str, Any]) -> dict[str, Any]:
    """A Bundle without the entries `drop` names (and references to them), with the elements `set` names.

    An entry is named by its type, or `Observation/<LOINC code>`; an element set to null is taken away.
    """
    gone = [e for e in bundle["entry"] if _names(e["resource"], case.get("drop", ()))]
    urls = {e["fullUrl"] for e in gone}
    kept = [e for e in bundle["entry"] if e not in gone]
    for entry in kept:
        entry["resource"] = _without(entry["resource"], urls)
        for name, elements in case.get("set", {}).items():
            if _names(entry["resource"], [name]):
                changed = entry["resource"] | elements
                entry["resource"] = {k: v for k, v in changed.items() if v is not None}
    return {**bundle, "entry": kept}


def _names(resource: Resource, names: Any) -> bool:
    codes = [c.get("code") for c in resource.get("code", {}).get("coding", ())] if "code" in resource else []
    own = {resource["resourceType"], *(f"{resource['resourceType']}/{c}" for c in codes)}
    return bool(own & set(names))


def _without(value: Any, urls: set[str]) -> Any:
    """An element without references to the entries taken out."""
    match value:
        case dict():
            cleaned = {k: _without(v, urls) for k, v in value.items() if not _means(v, urls)}
            return {k: v for k, v in cleaned.items() if v not in ({}, [])}
        case list():
            return [_without(v, urls) for v in value if not _means(v, urls)]
    return value


def _means(value: Any, urls: set[str]) -> bool:
    return isinstance(value, dict) and value.get("reference") in urls
