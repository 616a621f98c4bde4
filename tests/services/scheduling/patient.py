"""A patient on iron in a small practice, and a store that runs scheduling's decisions as the run loop would."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from services.scheduling.service import declared
from shared.core import CANONICAL, IDENTIFIERS, Decision, Event, Needs, Resource, Seat, Service
from shared.settings import Adoption, InfusionSite, Nurse, Partner, Site
from shared.visits.cells import cell_of
from shared.visits.elements import extended, is_task

CHICAGO = ZoneInfo("America/Chicago")
PATIENT = "Patient/in-p"
LANE = "patient/in-p"
ORDER = "ServiceRequest/in-order"
NOW = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)  # a Monday, 9:00 in Chicago
START = date(2026, 12, 1)

RIVERSIDE = InfusionSite(
    "riverside",
    "Riverside",
    CHICAGO,
    {day: (time(8), time(17)) for day in range(5)},
    2,
    (Nurse("rn-a", frozenset(range(5)), time(8), time(17)),),
    frozenset({date(2026, 11, 26), date(2026, 12, 25)}),
)
NORTHGATE = replace(RIVERSIDE, id="northgate", name="Northgate")
DRAFTS = ("holds", "deadlines", "labs", "capacity")
PRACTICE = Site(
    organization="Prairie",
    npi="1234567893",
    sites=(RIVERSIDE, NORTHGATE),
    partners={"pharmacy": Partner("pharmacy", "http://pharmacy.test")},
    adopted=tuple(Adoption(f"scheduling/{name}", "practice", date(2026, 11, 1)) for name in DRAFTS),
    pharmacy="pharmacy",
)


def coded(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": f"{CANONICAL}CodeSystem/{system}", "code": code}]}


def order(**changes: Any) -> dict[str, Any]:
    return {
        "resourceType": "ServiceRequest",
        "id": "in-order",
        "status": "active",
        "intent": "filler-order",
        "authoredOn": "2026-11-20",
        "code": coded("drug", "ferric-carboxymaltose"),
        "subject": {"reference": PATIENT},
        "occurrencePeriod": {"start": START.isoformat()},
        "insurance": [{"reference": "Coverage/in-cov"}],
        "performer": [{"identifier": {"system": IDENTIFIERS + "site", "value": "riverside"}}],
        "supportingInfo": [{"reference": "MedicationRequest/in-mr"}, {"reference": "Consent/in-con"}],
    } | changes


def request(timing: Mapping[str, Any] | None = None) -> dict[str, Any]:
    weekly = {"repeat": {"count": 2, "period": 1, "periodUnit": "wk"}}
    return {
        "resourceType": "MedicationRequest",
        "id": "in-mr",
        "status": "active",
        "intent": "order",
        "subject": {"reference": PATIENT},
        "dosageInstruction": [{"timing": timing or weekly}],
    }


def lab(id_: str, loinc: str, on: str, status: str = "final") -> dict[str, Any]:
    code = {"coding": [{"system": "http://loinc.org", "code": loinc}]}
    about = {"subject": {"reference": PATIENT}, "effectiveDateTime": on, "valueQuantity": {"value": 9, "unit": "g/dL"}}
    return {"resourceType": "Observation", "id": id_, "status": status, "code": code} | about


def consent(status: str = "active", scope: str = "treatment", **changes: Any) -> dict[str, Any]:
    scoped = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": scope}]}
    about = {"status": status, "scope": scoped, "patient": {"reference": PATIENT}}
    return {"resourceType": "Consent", "id": "in-con"} | about | changes


def coverage(**changes: Any) -> dict[str, Any]:
    about = {"status": "active", "beneficiary": {"reference": PATIENT}}
    return {"resourceType": "Coverage", "id": "in-cov"} | about | changes


def verification(answer: str = "confirmed", status: str = "completed") -> dict[str, Any]:
    return {
        "resourceType": "Task",
        "id": "in-question",
        "status": status,
        "intent": "order",
        "code": coded("task-code", "intake-question"),
        "focus": {"reference": ORDER},
        "for": {"reference": PATIENT},
        "input": [{"type": coded("question", "order-verification"), "valueString": "?"}],
        "output": [{"type": coded("answer", answer), "valueBoolean": True}],
    }


def benefit(*, inforce: bool = True) -> dict[str, Any]:
    url = f"{CANONICAL}StructureDefinition/order"
    return {
        "resourceType": "CoverageEligibilityResponse",
        "id": "au-benefit",
        "status": "active",
        "extension": [{"url": url, "valueReference": {"reference": ORDER}}],
        "insurance": [{"coverage": {"reference": "Coverage/in-cov"}, "inforce": inforce}],
    }


def authorization(
    status: str = "approved",
    answers: Sequence[tuple[str, int, str]] = (),
    period: tuple[str, str] | None = None,
    units_left: int = 1500,
    allowed: tuple[str, str] | None = None,
) -> dict[str, Any]:
    """Task `preauthorization`; answers are (Appointment id, hold number, answer)."""
    output: list[dict[str, Any]] = [
        {"type": coded("preauthorization-output", "units-left"), "valueQuantity": {"value": units_left}}
    ]
    for code, days in (("period", period), ("allowed-until", allowed)):
        if days:
            span = {"start": days[0], "end": days[1]}
            output.append({"type": coded("preauthorization-output", code), "valuePeriod": span})
    for id_, number, answer in answers:
        parts = [{"url": "number", "valuePositiveInt": number}, {"url": "answer", "valueCode": answer}]
        output.append(
            {
                "type": coded("preauthorization-output", "hold-answer"),
                "extension": [{"url": f"{CANONICAL}StructureDefinition/hold", "extension": parts}],
                "valueReference": {"reference": f"Appointment/{id_}"},
            }
        )
    return {
        "resourceType": "Task",
        "id": "au-task",
        "status": "completed",
        "intent": "order",
        "code": coded("task-code", "preauthorization"),
        "basedOn": [{"reference": ORDER}],
        "focus": {"reference": ORDER},
        "businessStatus": coded("preauthorization-status", status),
        "output": output,
    }


def dispense(appointment: str, status: str = "in-progress") -> dict[str, Any]:
    return {
        "resourceType": "MedicationDispense",
        "id": f"in-dispense-{appointment[-6:]}",
        "status": status,
        "supportingInformation": [{"reference": f"Appointment/{appointment}"}],
    }


def everything_but_authorization() -> list[dict[str, Any]]:
    labs = [lab("in-hb", "718-7", "2026-11-15"), lab("in-fer", "2276-4", "2026-11-15")]
    return [order(), request(), coverage(), consent(), verification(), benefit(), *labs]


@dataclass
class World:
    """Scheduling's store: current resources in order of arrival, seats by holder, wakes, and every decision."""

    site: Site = PRACTICE
    resources: dict[str, Resource] = field(default_factory=dict)
    seats: dict[Seat, str] = field(default_factory=dict)
    wakes: dict[str, datetime] = field(default_factory=dict)
    decisions: list[Decision] = field(default_factory=list)
    rounds: int = 0
    version: int = 0

    @cached_property
    def service(self) -> Service:
        return declared(self.site)

    async def of_lane(self, lane: str, *types: str) -> list[Resource]:
        return [r for r in self.resources.values() if not types or r["resourceType"] in types]

    async def taken(self, resources: Sequence[str], first: int, last: int) -> list[Seat]:
        wanted = set(resources)
        return [s for s in self.seats if s.resource in wanted and first <= s.cell <= last]

    async def read(self, resource_id: str) -> Resource | None:
        return self.resources.get(resource_id)

    async def take(self, event: Event) -> Decision:
        """One event as the run loop runs it: copies stored, lanes added until decided, saves and seats written."""
        service = self.service
        for resource in event.resources if event.kind == "message" else ():
            self._store(resource)
        lanes = frozenset({event.lane})
        for rounds in range(1, 20):
            self.rounds = rounds
            facts = await service.gather(event, self, lanes)  # type: ignore[arg-type]
            decision = service.coordinate(event, facts, service.policy)
            if not isinstance(decision, Needs):
                break
            assert not set(decision.lanes) <= lanes
            lanes |= set(decision.lanes)
        assert isinstance(decision, Decision)
        for resource in decision.saves:
            self._seat(resource, service.capacity)
            self._store(resource)
        for key, due in decision.wakes.items():
            self.wakes.pop(key, None) if due is None else self.wakes.update({key: due})
        self.decisions.append(decision)
        return decision

    def _store(self, resource: Resource) -> None:
        self.version += 1
        self.resources.pop(resource["id"], None)
        self.resources[resource["id"]] = {**resource, "meta": {"versionId": f"1-{self.version}"}}

    def _seat(self, resource: Resource, capacity: Any) -> None:
        if resource["resourceType"] == "Appointment":
            self.seats = {s: holder for s, holder in self.seats.items() if holder != resource["id"]}
            for seat in capacity(resource):
                assert seat not in self.seats, f"{seat} twice"
                self.seats[seat] = resource["id"]

    async def hears(self, *resources: Resource, at: datetime = NOW, kind: str = "message") -> Decision:
        return await self.take(Event(kind, "told", LANE, at, at, tuple(resources)))  # type: ignore[arg-type]

    async def wakes_up(self, key: str, at: datetime | None = None) -> Decision:
        due = self.wakes.pop(key)
        return await self.take(Event("wake", key, LANE, at or due, at or due))

    def appointments(self) -> list[Resource]:
        found = [r for r in self.resources.values() if r["resourceType"] == "Appointment"]
        return sorted(found, key=lambda a: extended(a, "dose")["number"])

    def statuses(self) -> list[str]:
        return [a["status"] for a in self.appointments()]

    def holds(self) -> list[int]:
        return [extended(a, "hold").get("number", 0) for a in self.appointments()]

    def task(self) -> Resource:
        return next(r for r in self.resources.values() if is_task(r, "chair"))

    def stage(self) -> str:
        return str(self.task()["businessStatus"]["coding"][0]["code"])

    def questions(self, status: str = "requested") -> list[str]:
        tasks = [r for r in self.resources.values() if is_task(r, "scheduling-question") and r["status"] == status]
        return sorted(t["input"][0]["type"]["coding"][0]["code"] for t in tasks)

    def requirement(self, name: str, dose: int = 1) -> dict[str, Any]:
        found = self.appointments()[dose - 1]["extension"]
        parts = ({p["url"]: next(v for k, v in p.items() if k != "url") for p in e["extension"]} for e in found)
        return next(p for p in parts if p.get("requirement") == name)


def chicago(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime.combine(day, time(hour, minute), CHICAGO)


def start_of(appointment: Resource) -> datetime:
    return datetime.fromisoformat(appointment["start"])


async def decided(world: World, event: Event, lanes: frozenset[str]) -> Decision | Needs:
    """One answer of the coordinator under these lanes; nothing is written."""
    service = world.service
    facts = await service.gather(event, world, lanes)  # type: ignore[arg-type]
    return service.coordinate(event, facts, service.policy)


def full(site: str, first: date, until: date) -> dict[Seat, str]:
    """Both chairs of a site taken from the first day to before the last."""
    cells = range(cell_of(chicago(first, 0)), cell_of(chicago(until, 0)))
    return {Seat(f"chair/{site}/{chair}", cell): "others" for chair in (1, 2) for cell in cells}


def renamed(resource: dict[str, object]) -> dict[str, object]:
    """The same about a second order."""
    text = json.dumps(resource).replace("in-order", "in-other").replace(f'"{resource["id"]}"', f'"{resource["id"]}-2"')
    return json.loads(text.replace("in-other-2", "in-other"))  # type: ignore[no-any-return]


async def held() -> World:
    """A world in which both doses are held under number 1."""
    world = World()
    await world.hears(*everything_but_authorization(), authorization())
    assert world.statuses() == ["pending", "pending"]
    return world


async def booked() -> World:
    """A world in which both doses are booked."""
    world = await held()
    first, second = (a["id"] for a in world.appointments())
    await world.hears(authorization(answers=[(first, 1, "reserved"), (second, 1, "not-needed")]), at=NOW + MINUTE)
    assert world.statuses() == ["booked", "booked"]
    return world


MINUTE = timedelta(minutes=1)
