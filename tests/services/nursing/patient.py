"""A patient on vancomycin or immune globulin at home; a store that runs nursing's decisions as the run loop would."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from services.nursing.appointments import kinds_of
from services.nursing.service import declared
from shared.core import CANONICAL, IDENTIFIERS, Decision, Event, Needs, Resource, Seat, Service
from shared.home import Agency, HomeNurse, HomeNursing, Licence
from shared.home import Place as Point
from shared.settings import Adoption, InfusionSite, Partner, Site
from shared.visits.elements import extended, is_task

CHICAGO = ZoneInfo("America/Chicago")
PATIENT = "Patient/in-p"
LANE = "patient/in-p"
ORDER = "ServiceRequest/in-order"
NOW = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)  # a Monday, 9:00 in Chicago
START = date(2026, 11, 26)
END = date(2026, 12, 16)

LINCOLN, FAR = "68506", "69101"
POINTS = {
    LINCOLN: Point(LINCOLN, "NE", 40.78, -96.64),
    "68502": Point("68502", "NE", 40.79, -96.69),
    FAR: Point(FAR, "NE", 41.13, -100.77),
}
SKILLS = frozenset({"assessment", "blood-draw", "cvad", "first-dose", "iv-start", "ivig", "picc-dressing", "teaching"})
NURSE = HomeNurse("rn-a", (Licence("NE"),), SKILLS, POINTS["68502"], 60, frozenset(range(7)), time(8), time(18))
AGENCIES = (
    Agency("valley", "Valley", "agency-valley", "valley-client", frozenset({"NE"}), SKILLS),
    Agency("plains", "Plains", "agency-plains", "plains-client", frozenset({"NE"}), SKILLS),
)
REGION = HomeNursing("prairie-home", "Prairie Home", CHICAGO, (NURSE,), AGENCIES, POINTS)
DRAFTS = ("holds", "deadlines", "labs", "visits", "first-dose", "roads", "licences", "agency")
SITE = Site(
    organization="Prairie",
    npi="1234567893",
    sites=(InfusionSite("riverside", "Riverside", CHICAGO, {}, 1, ()),),
    partners={
        "pharmacy": Partner("pharmacy", "http://pharmacy.test"),
        "agency-valley": Partner("agency-valley", "http://valley.test"),
        "agency-plains": Partner("agency-plains", "http://plains.test"),
    },
    adopted=tuple(Adoption(f"nursing/{name}", "practice", date(2026, 11, 1)) for name in DRAFTS),
    pharmacy="pharmacy",
    home=REGION,
)


def coded(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": f"{CANONICAL}CodeSystem/{system}", "code": code}]}


def order(drug: str = "vancomycin", **changes: Any) -> dict[str, Any]:
    return {
        "resourceType": "ServiceRequest",
        "id": "in-order",
        "status": "active",
        "intent": "filler-order",
        "authoredOn": "2026-11-23T08:00:00-06:00",
        "code": coded("drug", drug),
        "subject": {"reference": PATIENT},
        "basedOn": [{"reference": "ServiceRequest/in-received"}],
        "locationCode": [coded("site-of-care", "home")],
        "occurrencePeriod": {"start": START.isoformat()},
        "insurance": [{"reference": "Coverage/in-cov"}],
        "supportingInfo": [{"reference": "MedicationRequest/in-mr"}, {"reference": "Consent/in-con"}],
    } | changes


def received(note: str = "First dose given at Mercy Hospital on 2026-11-20.") -> dict[str, Any]:
    about = {"status": "active", "intent": "order", "subject": {"reference": PATIENT}, "note": [{"text": note}]}
    return {"resourceType": "ServiceRequest", "id": "in-received"} | about


def request(repeat: Mapping[str, Any] | None = None) -> dict[str, Any]:
    bounds = {"boundsPeriod": {"start": START.isoformat(), "end": END.isoformat()}}
    twice_a_day = {**bounds, "frequency": 1, "period": 12, "periodUnit": "h"}
    return {
        "resourceType": "MedicationRequest",
        "id": "in-mr",
        "status": "active",
        "intent": "order",
        "authoredOn": "2026-11-20",
        "subject": {"reference": PATIENT},
        "dosageInstruction": [{"timing": {"repeat": repeat or twice_a_day}}],
    }


def patient(postal_code: str = LINCOLN, **changes: Any) -> dict[str, Any]:
    address = [{"use": "home", "state": "NE", "postalCode": postal_code}]
    return {"resourceType": "Patient", "id": "in-p", "birthDate": "1967-03-02", "address": address} | changes


def line(status: str = "active") -> dict[str, Any]:
    about = {"status": status, "subject": {"reference": PATIENT}, "device": {"display": "PICC"}}
    return {"resourceType": "DeviceUseStatement", "id": "in-line"} | about


def lab(id_: str, loinc: str, on: str) -> dict[str, Any]:
    code = {"coding": [{"system": "http://loinc.org", "code": loinc}]}
    about = {"subject": {"reference": PATIENT}, "effectiveDateTime": on, "valueQuantity": {"value": 1}}
    return {"resourceType": "Observation", "id": id_, "status": "final", "code": code} | about


def consent(status: str = "active") -> dict[str, Any]:
    scope = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "treatment"}]}
    about = {"status": status, "scope": scope, "patient": {"reference": PATIENT}}
    return {"resourceType": "Consent", "id": "in-con"} | about


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
        "input": [{"type": coded("question", "order-verification"), "valueString": "?"}],
        "output": [{"type": coded("answer", answer), "valueBoolean": True}],
    }


def benefit() -> dict[str, Any]:
    return {
        "resourceType": "CoverageEligibilityResponse",
        "id": "au-benefit",
        "status": "active",
        "extension": [{"url": f"{CANONICAL}StructureDefinition/order", "valueReference": {"reference": ORDER}}],
        "insurance": [{"coverage": {"reference": "Coverage/in-cov"}, "inforce": True}],
    }


def authorization(
    status: str = "approved", answers: Sequence[tuple[str, int, str]] = (), units_left: int = 1500
) -> dict[str, Any]:
    """Task `preauthorization`; answers are (Appointment id, hold number, answer)."""
    output: list[dict[str, Any]] = [
        {"type": coded("preauthorization-output", "units-left"), "valueQuantity": {"value": units_left}}
    ]
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


def dispense(appointment: str, status: str = "completed") -> dict[str, Any]:
    return {
        "resourceType": "MedicationDispense",
        "id": f"in-dispense-{appointment[-6:]}",
        "status": status,
        "supportingInformation": [{"reference": f"Appointment/{appointment}"}],
    }


def supplies(appointment: str, status: str = "completed", at: datetime | None = None) -> dict[str, Any]:
    ordered = {"system": IDENTIFIERS + "pharmacy-order", "value": appointment}
    when = {"occurrenceDateTime": at.isoformat()} if at else {}
    about = {"status": status, "basedOn": [{"identifier": ordered}], "patient": {"reference": PATIENT}} | when
    return {"resourceType": "SupplyDelivery", "id": f"in-supply-{appointment[-6:]}"} | about


def stay(begins: str, ends: str | None = None, status: str | None = None) -> dict[str, Any]:
    """A stay in a hospital."""
    period = {"start": begins} | ({"end": ends} if ends else {})
    about = {"status": status or ("finished" if ends else "in-progress"), "class": {"code": "IMP"}, "period": period}
    return {"resourceType": "Encounter", "id": f"in-stay-{begins[:10]}", "subject": {"reference": PATIENT}} | about


def opat() -> list[dict[str, Any]]:
    """Everything a course of vancomycin needs but its authorization."""
    creatinine = lab("in-scr", "2160-0", "2026-11-20")
    known = [patient(), received(), order(), request(), coverage(), consent(), verification(), benefit()]
    return [*known, line(), creatinine]


MONTHLY = {"count": 3, "period": 4, "periodUnit": "wk"}


def ivig() -> list[dict[str, Any]]:
    """Everything monthly immune globulin needs but its authorization; the patient has had it before."""
    had = {
        "status": "active",
        "medicationCodeableConcept": coded("drug", "gamunex-c"),
        "subject": {"reference": PATIENT},
    }
    labs = [lab("in-scr", "2160-0", "2026-11-20"), lab("in-bun", "3094-0", "2026-11-20")]
    known = [patient(), received(""), order("gamunex-c"), request(MONTHLY), coverage(), consent(), verification()]
    return [*known, benefit(), *labs, {"resourceType": "MedicationStatement", "id": "in-had"} | had]


@dataclass
class World:
    """Nursing's store: current resources in order of arrival, seats by holder, wakes, and every decision."""

    site: Site = SITE
    resources: dict[str, Resource] = field(default_factory=dict)
    seats: dict[Seat, str] = field(default_factory=dict)
    wakes: dict[str, datetime] = field(default_factory=dict)
    decisions: list[Decision] = field(default_factory=list)
    delivered: list[tuple[str, str, str]] = field(default_factory=list)
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
            self._deliver(resource)
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

    def _deliver(self, resource: Resource) -> None:
        for channel in self.service.channels:
            occurrence = channel.due(self.resources.get(resource["id"]), resource)
            if occurrence is not None:
                self.delivered.append((channel.name, resource["id"], occurrence))

    def _seat(self, resource: Resource, capacity: Any) -> None:
        if resource["resourceType"] == "Appointment":
            self.seats = {s: holder for s, holder in self.seats.items() if holder != resource["id"]}
            for seat in capacity(resource):
                assert seat not in self.seats, f"{seat} twice"
                self.seats[seat] = resource["id"]

    async def hears(
        self, *resources: Resource, at: datetime = NOW, kind: str = "message", source: str = ""
    ) -> Decision:
        focus = f"{resources[0]['resourceType']}/{resources[0]['id']}" if resources else None
        event = Event(kind, "told", LANE, at, at, tuple(resources), focus, source)  # type: ignore[arg-type]
        return await self.take(event)

    async def wakes_up(self, key: str, at: datetime | None = None) -> Decision:
        due = self.wakes.pop(key)
        return await self.take(Event("wake", key, LANE, at or due, at or due))

    def visits(self, *statuses: str) -> list[Resource]:
        """The Appointments that are not cancelled (or of these statuses), by their days."""
        found = [r for r in self.resources.values() if r["resourceType"] == "Appointment"]
        kept = (a for a in found if (a["status"] in statuses if statuses else a["status"] != "cancelled"))
        return sorted(kept, key=lambda a: (a["requestedPeriod"][0]["start"], a.get("start", ""), a["id"]))

    def shown(self) -> list[tuple[str, str, str]]:
        """(leading kind, status, local start) of every visit."""
        return [(kinds_of(a)[0], a["status"], a.get("start", "")[:16]) for a in self.visits()]

    def statuses(self) -> list[str]:
        return [a["status"] for a in self.visits()]

    def task(self) -> Resource:
        return next(r for r in self.resources.values() if is_task(r, "home-nursing"))

    def stage(self) -> str:
        return str(self.task()["businessStatus"]["coding"][0]["code"])

    def waits_for(self) -> list[str]:
        return [c["code"] for c in self.task().get("statusReason", {}).get("coding", ())]

    def questions(self, status: str = "requested") -> list[str]:
        tasks = [r for r in self.resources.values() if is_task(r, "nursing-question") and r["status"] == status]
        return sorted(t["input"][0]["type"]["coding"][0]["code"] for t in tasks)

    def asked(self, status: str = "requested") -> list[Resource]:
        return [r for r in self.resources.values() if is_task(r, "agency-visit") and r["status"] == status]

    def requirement(self, name: str, visit: int = 0) -> dict[str, Any]:
        found = self.visits()[visit]["extension"]
        parts = ({p["url"]: next(v for k, v in p.items() if k != "url") for p in e.get("extension", ())} for e in found)
        return next(p for p in parts if p.get("requirement") == name)

    async def answers(self, answer: str = "reserved", at: datetime = NOW) -> Decision:
        """auth answers every hold there is."""
        held = [(a["id"], extended(a, "hold")["number"], answer) for a in self.visits() if a["status"] != "proposed"]
        return await self.hears(authorization(answers=held), at=at)


def chicago(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime.combine(day, time(hour, minute), CHICAGO)


def start_of(appointment: Resource) -> datetime:
    return datetime.fromisoformat(appointment["start"])


def far_away() -> Site:
    """The practice without nurses of its own near the patient."""
    return replace(SITE, home=replace(REGION, nurses=()))


async def held(course: Sequence[Resource] | None = None, site: Site = SITE) -> World:
    world = World(site)
    await world.hears(*(course or opat()), authorization())
    return world


async def booked(course: Sequence[Resource] | None = None) -> World:
    world = await held(course)
    await world.answers()
    return world
