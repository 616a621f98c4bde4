"""The payer's answers, and a store that runs authorization's decisions as the run loop would."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from services.auth.facts import Facts
from services.auth.policy import AuthPolicy
from services.auth.reading import gather_lane
from services.auth.rules import RULES
from services.auth.viewing import case_of
from services.auth.wire.claims import PAS
from services.auth.words import OUTPUT, STATUS, code_of, task_code
from shared.core import CANONICAL, Decision, Event, Resource, Seat, Service, derived_id, reference
from tests.services.auth.patient import LANE, NOW, SERVICE, coded, referral, validator

# What the payer answers


def benefit_answer(request: Resource, *, required: bool | None = True, inforce: bool = True) -> dict[str, Any]:
    item: dict[str, Any] = {"productOrService": request["item"][0]["productOrService"]}
    item |= {"excluded": True} if required is None else {"authorizationRequired": required}
    return {
        "resourceType": "CoverageEligibilityResponse",
        "id": "answer-1",
        "status": "active",
        "purpose": request["purpose"],
        "patient": request["patient"],
        "created": NOW.isoformat(),
        "request": {"reference": f"CoverageEligibilityRequest/{request['id']}"},
        "outcome": "complete",
        "insurer": request["insurer"],
        "insurance": [{"coverage": request["insurance"][0]["coverage"], "inforce": inforce, "item": [item]}],
    }


def claim_answer(
    claim: Resource, action: str = "A1", answer_id: str = "ph1", units: Any = None,
    created: str = "2026-11-21T10:00:00Z", days: int = 90, **changes: Any,
) -> dict[str, Any]:  # fmt: skip
    """A ClaimResponse as a PAS payer writes it, from the first day asked for."""
    begins = date.fromisoformat(claim["item"][0]["servicedPeriod"]["start"])
    period = {"start": begins.isoformat(), "end": (begins + timedelta(days=days - 1)).isoformat()}
    items = [_answered(i, action, units, period) for i in claim["item"]]
    return {
        "resourceType": "ClaimResponse",
        "id": answer_id,
        "identifier": [dict(claim["identifier"][0]), {"system": "urn:prairie:answer", "value": answer_id}],
        "status": "active",
        "type": claim["type"],
        "use": "preauthorization",
        "patient": claim["patient"],
        "created": created,
        "insurer": claim["insurer"],
        "request": {"reference": f"Claim/{claim['id']}"},
        "outcome": "complete",
        "item": items,
    } | changes


def _answered(item: Mapping[str, Any], action: str, units: Any, period: dict[str, str]) -> dict[str, Any]:
    review: list[dict[str, Any]] = [
        {
            "url": PAS + "extension-reviewActionCode",
            "valueCodeableConcept": coded("https://codesystem.x12.org/005010/306", action),
        }
    ]
    extensions: list[dict[str, Any]] = []
    if action == "A1":
        review.append({"url": "number", "valueString": "AUTH-1"})
        extensions.append({"url": PAS + "extension-itemPreAuthPeriod", "valuePeriod": period})
        quantity = [{"url": "quantity", "valueQuantity": {"value": units}}]
        if units is not None:
            extensions.append({"url": PAS + "extension-itemAuthorizedDetail", "extension": quantity})
    if action == "A3":
        review.append({"url": "reasonCode", "valueCodeableConcept": {"text": "Not medically necessary"}})
    adjudication = {
        "extension": [{"url": PAS + "extension-reviewAction", "extension": review}],
        "category": coded("http://terminology.hl7.org/CodeSystem/adjudication", "submitted"),
    }
    told = {"itemSequence": item["sequence"], "adjudication": [adjudication]}
    return {"extension": extensions, **told} if extensions else told


# The store


@dataclass(slots=True)
class Store:
    """Resources by reference: what a reader reads."""

    known: dict[str, Resource] = field(default_factory=dict)

    async def read(self, resource_id: str) -> Resource | None:
        return next((r for r in self.known.values() if r["id"] == resource_id), None)

    async def several(self, ids: Iterable[str]) -> dict[str, Resource]:
        return {i: found for i in ids if (found := await self.read(i)) is not None}

    async def of_lane(self, lane: str, *types: str) -> list[Resource]:
        return [r for r in self.known.values() if not types or r["resourceType"] in types]

    async def search(self, resource_type: str, parameter: str, value: str) -> list[Resource]:
        values = SERVICE.search[resource_type][parameter]
        return [r for r in self.known.values() if r["resourceType"] == resource_type and value in values(r)]

    async def identified(self, client: str, system: str, value: str) -> str | None:
        return None

    async def taken(self, resources: Sequence[str], first_cell: int, last_cell: int) -> list[Seat]:
        return []


@dataclass(slots=True)
class Journey:
    """Runs events through the coordinator; every save must be legal R4, every decision a fixed point."""

    service: Service = SERVICE
    at: datetime = NOW
    store: Store = field(default_factory=Store)
    decisions: list[Decision] = field(default_factory=list)

    def hears(self, *resources: Resource) -> Decision:
        """A message of another service."""
        for resource in resources:
            self._keep(resource)
        return self.take(Event("message", "told", LANE, self.at, self.at, resources))

    def answered(self, reason: str, focus: Resource, *resources: Resource) -> Decision:
        """A partner's answer about one of our resources."""
        return self.take(Event("answer", reason, LANE, self.at, self.at, resources, reference(focus), "channel"))

    def wakes(self, key: str) -> Decision:
        return self.take(Event("wake", key, LANE, self.at, self.at))

    def person(self, task: Resource, answer: str) -> Decision:
        """A person completes one of our Tasks."""
        output = [{"type": coded(CANONICAL + "CodeSystem/answer", answer), "valueBoolean": True}]
        given = {**task, "status": "completed", "output": output}
        return self.take(Event("command", "task-answered", LANE, self.at, self.at, (given,), reference(task), "person"))

    def take(self, event: Event) -> Decision:
        service = self.service
        decision = service.coordinate(event, Facts(self.store.known), service.policy)
        assert isinstance(decision, Decision)
        for resource in decision.saves:
            assert validator().check(resource) == []
            assert resource["resourceType"] in service.owns
            assert resource["id"].startswith("au-")
            self._keep(resource)
        if decision.saves:
            assert decision.reason in service.reasons
            assert decision.focus in {reference(r) for r in decision.saves}
            self._settled(event)
        self._by_a_declared_rule(event)
        self.decisions.append(decision)
        return decision

    def _by_a_declared_rule(self, event: Event) -> None:
        """Every order stands where the rule that speaks of it says it may."""
        facts, known = Facts(self.store.known), self.service.policy
        assert isinstance(known, AuthPolicy)
        for order in facts.orders:
            case = case_of(order, facts, known, event.at)
            rule, stage = next((r, s) for r in RULES if (s := r(case)) is not None)
            assert stage.status in RULES[rule], rule.__name__

    def _settled(self, event: Event) -> None:
        """The same event again, and nothing at all, change nothing more."""
        later = self.at + timedelta(hours=1)
        for again in (event, Event("message", "told", LANE, later, later)):
            if again.kind != "command":
                repeated = self.service.coordinate(again, Facts(self.store.known), self.service.policy)
                assert isinstance(repeated, Decision)
                assert (repeated.reason, repeated.saves, repeated.wakes) == ("nothing-to-do", (), {})

    def _keep(self, resource: Resource) -> None:
        stored = self.store.known.get(reference(resource))
        number = 1 + int(stored["meta"]["versionId"][2:]) if stored else 1
        meta = {**resource.get("meta", {}), "versionId": f"1-{number}"}
        self.store.known[reference(resource)] = {**resource, "meta": meta}

    # What stands

    def of(self, kind: str) -> list[Resource]:
        return [r for r in self.store.known.values() if r["resourceType"] == kind]

    def one(self, kind: str) -> Resource:
        (found,) = self.of(kind)
        return found

    def tasks(self, code: str) -> list[Resource]:
        return [t for t in self.of("Task") if task_code(t) == code]

    @property
    def task(self) -> Resource:
        return self.store.known["Task/" + derived_id("au", "preauthorization", "in-order", "1")]

    @property
    def status(self) -> tuple[str | None, str]:
        return code_of(self.task["businessStatus"], STATUS), self.task["status"]

    def outputs(self, kind: str) -> list[Any]:
        found = [o for o in self.task.get("output", ()) if code_of(o["type"], OUTPUT) == kind]
        return [next(v for k, v in o.items() if k.startswith("value")) for o in found]

    def missing(self) -> list[str]:
        return [c["coding"][0]["code"] for c in self.outputs("missing")]

    # Shortcuts

    def benefit_known(self, *resources: Resource, required: bool = True) -> Journey:
        """Until the payer said whether an authorization is needed."""
        self.hears(*(resources or referral()))
        request = self.one("CoverageEligibilityRequest")
        self.answered("benefit-answered", request, benefit_answer(request, required=required))
        return self

    def approved(self, *resources: Resource, units: Any = None, days: int = 90) -> Journey:
        """Until the payer approved."""
        self.benefit_known(*resources)
        claim = self.one("Claim")
        self.answered("preauthorization-answered", claim, claim_answer(claim, units=units, days=days))
        return self

    async def gathered(self) -> Mapping[str, Resource]:
        return await gather_lane(self.store, LANE)
