"""What the tests of the stand-ins build on: a clock they set, apps in a folder of their own, request Bundles."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from fastapi import FastAPI

from partners.app import Partners, create_app
from partners.arrangements import arrangements
from partners.keys import PrivateKey, jwks

CAREPOD = "http://carepod.test"
ADDRESS = "http://partners.test"
HCPCS = "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"
NOW = datetime(2026, 11, 21, 15, 0, tzinfo=UTC)

Json = dict[str, Any]


class SetClock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.at = NOW

    def __call__(self) -> datetime:
        return self.at

    def pass_seconds(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@dataclass
class Carepod:
    """The practice as the stand-ins see it: what they sent, and what it answers next."""

    received: list[httpx.Request] = field(default_factory=list)
    answers: list[int | Exception] = field(default_factory=list)
    jwks: Json = field(default_factory=lambda: {"keys": []})

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/.well-known/jwks.json":
            return httpx.Response(200, json=self.jwks)
        if request.url.path == "/token":
            return httpx.Response(200, json={"access_token": "a-token"})
        self.received.append(request)
        answer = self.answers.pop(0) if self.answers else 200
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer)

    def bodies(self) -> list[Json]:
        return [json.loads(r.content) for r in self.received]


@dataclass
class Outside:
    """A running set of stand-ins: a client for them, their clock, and the practice they talk to."""

    http: httpx.AsyncClient
    app: FastAPI
    now: SetClock
    carepod: Carepod

    @property
    def partners(self) -> Partners:
        found: Partners = self.app.state.partners
        return found

    async def after(self, seconds: float) -> int:
        """Lets time pass and does what is then due."""
        self.now.pass_seconds(seconds)
        return await self.partners.tick()


Start = Callable[..., Outside]


@pytest.fixture
def now() -> SetClock:
    return SetClock()


@pytest.fixture
def client_key() -> PrivateKey:
    return ec.generate_private_key(ec.SECP384R1())


@pytest.fixture
async def start(tmp_path: Path, now: SetClock, client_key: PrivateKey) -> AsyncIterator[Start]:
    """Starts the stand-ins on one folder; called again it is the same ones restarted."""
    carepod = Carepod(jwks=jwks(client_key))
    running: list[Outside] = []

    def started(*, debug: bool = True, folder: Path = tmp_path, **changed: Any) -> Outside:
        outgoing = httpx.AsyncClient(transport=httpx.MockTransport(carepod))
        arranged = replace(arrangements(CAREPOD), **{"others": {}, **changed})
        app = create_app(folder, CAREPOD, address=ADDRESS, arranged=arranged, http=outgoing, now=now, debug=debug)
        incoming = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=ADDRESS)
        running.append(Outside(incoming, app, now, carepod))
        return running[-1]

    yield started
    for one in running:
        await one.http.aclose()
        await one.partners.stop()


@pytest.fixture
def outside(start: Start) -> Outside:
    return start()


# Request Bundles


def observation(name: str, code: str, **rest: Any) -> Json:
    return {
        "resourceType": "Observation",
        "id": name,
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
        "subject": {"reference": "Patient/p1"},
        "effectiveDateTime": "2026-11-10",
        **rest,
    }


def measured(name: str, code: str, value: str, unit: str, **rest: Any) -> Json:
    return observation(name, code, valueQuantity={"value": value, "code": unit, "unit": unit}, **rest)


def negative(name: str, code: str, **rest: Any) -> Json:
    concept = {"coding": [{"system": "http://snomed.info/sct", "code": "260385009"}]}
    return observation(name, code, valueCodeableConcept=concept, **rest)


def taken(name: str, drug: str, begins: str = "2026-08-01", ends: str = "2026-11-01", **rest: Any) -> Json:
    return {
        "resourceType": "MedicationStatement",
        "id": name,
        "status": "completed",
        "medicationCodeableConcept": {"text": drug},
        "subject": {"reference": "Patient/p1"},
        "effectivePeriod": {"start": begins, "end": ends},
        **rest,
    }


IRON = {
    "hb": measured("hb", "718-7", "9.1", "g/dL"),
    "ferritin": measured("ferritin", "2276-4", "8", "ng/mL"),
    "tsat": measured("tsat", "2502-3", "6", "%"),
    "oral": taken("oral", "Ferrous sulfate 325 mg"),
}
PAS = "http://hl7.org/fhir/us/davinci-pas/StructureDefinition/"
INFLIXIMAB = {
    "tb": negative("tb", "71773-6"),
    "hbv": negative("hbv", "5195-3"),
    "prior": taken("prior", "Azathioprine 50 mg"),
}


@dataclass(frozen=True)
class Case:
    """A PAS request in the few facts that change from test to test. `chart` holds what supports it, by name."""

    hcpcs: str = "J1439"
    units: str = "1500"
    diagnosis: str = "D50.9"
    gender: str = "female"
    member: str = "PHP100000001"
    group: str = "GOLD"
    value: str = "claim-1"
    created: str = "2026-11-20T09:00:00-06:00"
    certification: str = "I"
    chart: Mapping[str, Json] = field(default_factory=lambda: IRON)

    def but(self, **changed: Any) -> Case:
        return replace(self, **changed)

    def with_(self, **chart: Json | None) -> Case:
        """The same with these records replaced or, where None, left out."""
        kept = {**self.chart, **chart}
        return replace(self, chart={k: v for k, v in kept.items() if v is not None})

    def claim(self) -> Json:
        info = enumerate(self.chart.values(), 1)
        named = [(n, f"{r['resourceType']}/{r['id']}") for n, r in info]
        return {
            "resourceType": "Claim",
            "id": "c1",
            "identifier": [{"system": "https://carepod.example/id/claim", "value": self.value}],
            "status": "active",
            "type": {"coding": [{"code": "professional"}]},
            "use": "preauthorization",
            "patient": {"reference": "Patient/p1"},
            "created": self.created,
            "insurer": {"reference": "Organization/payer"},
            "provider": {"reference": "Organization/practice"},
            "priority": {"coding": [{"code": "normal"}]},
            "supportingInfo": [
                {"sequence": n, "category": {"text": "additional"}, "valueReference": {"reference": r}}
                for n, r in named
            ],
            "diagnosis": [{"sequence": 1, "diagnosisCodeableConcept": self._diagnosed()}],
            "insurance": [{"sequence": 1, "focal": True, "coverage": {"reference": "Coverage/cov"}}],
            "item": [
                {
                    "extension": [self._certified()],
                    "sequence": 1,
                    "productOrService": {"coding": [{"system": HCPCS, "code": self.hcpcs}]},
                    "servicedPeriod": {"start": "2026-12-01", "end": "2027-02-28"},
                    "quantity": {"value": self.units},
                }
            ],
        }

    def _certified(self) -> Json:
        code = {"system": "https://codesystem.x12.org/005010/1322", "code": self.certification}
        return {"url": PAS + "extension-certificationType", "valueCodeableConcept": {"coding": [code]}}

    def _diagnosed(self) -> Json:
        return {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": self.diagnosis}]}

    def bundle(self) -> Json:
        coverage = {
            "resourceType": "Coverage",
            "id": "cov",
            "status": "active",
            "subscriberId": self.member,
            "beneficiary": {"reference": "Patient/p1"},
            "payor": [{"reference": "Organization/payer"}],
            "class": [{"type": {"coding": [{"code": "group"}]}, "value": self.group}],
        }
        patient = {"resourceType": "Patient", "id": "p1", "gender": self.gender, "name": [{"family": "Doe"}]}
        parties = [{"resourceType": "Organization", "id": i, "name": i} for i in ("payer", "practice")]
        resources = [self.claim(), patient, coverage, *parties, *self.chart.values()]
        return {
            "resourceType": "Bundle",
            "identifier": {"system": "https://carepod.example/id/claim", "value": self.value},
            "type": "collection",
            "timestamp": self.created,
            "entry": [
                {"fullUrl": f"https://carepod.example/fhir/{r['resourceType']}/{r['id']}", "resource": r}
                for r in resources
            ],
        }

    def infliximab(self, **changed: Any) -> Case:
        plain = {"hcpcs": "J1745", "units": "120", "diagnosis": "K50.90", "chart": INFLIXIMAB}
        return replace(self, **{**plain, **changed})


@pytest.fixture
def case() -> Case:
    """Female, Hb 9.1, ferritin 8, TSAT 6 %, three months of oral iron, D50.9: ferric carboxymaltose for Prairie."""
    return Case()


@pytest.fixture
def lab() -> Callable[..., Json]:
    return measured


@pytest.fixture
def screen() -> Callable[..., Json]:
    return observation


@pytest.fixture
def medicine() -> Callable[..., Json]:
    return taken


def review_of(answer: Json) -> Json:
    """The parts of the first item's review action: action, number, reasons (X12, own code)."""
    response = answer["entry"][0]["resource"]
    parts = response["item"][0]["adjudication"][0]["extension"][0]["extension"]
    by_url: dict[str, list[Json]] = {}
    for part in parts:
        by_url.setdefault(part["url"].rpartition("/")[2], []).append(part)
    reasons = [p["valueCodeableConcept"]["coding"] for p in by_url.get("reasonCode", ())]
    return {
        "action": by_url["extension-reviewActionCode"][0]["valueCodeableConcept"]["coding"][0]["code"],
        "number": by_url.get("number", [{}])[0].get("valueString"),
        "reasons": [(x12["code"], own["code"]) for x12, own in reasons],
    }


@pytest.fixture
def review() -> Callable[[Json], Json]:
    return review_of


@pytest.fixture
def submit(outside: Outside) -> Callable[..., Any]:
    """Submits a case (or a Bundle) to a payer and returns the answer Bundle."""

    async def submitted(what: Case | Json, payer: str = "prairie-health") -> Json:
        bundle = what.bundle() if isinstance(what, Case) else what
        response = await outside.http.post(f"/payer/{payer}/Claim/$submit", json=bundle)
        assert response.status_code == 200, response.text
        found: Json = response.json()
        return found

    return submitted
