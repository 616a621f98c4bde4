"""One patient's case as the services have it now, read from their own stores, and waited for."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.cases import CLIENT, patient_id
from benchmarks.disturbed import Deployment
from shared.core import Resource

OWNERS = {"in-": "intake", "au-": "auth", "sc-": "scheduling", "nu-": "nursing"}


@dataclass(frozen=True, slots=True)
class Case:
    """Each resource of one patient as its owner has it."""

    resources: tuple[Resource, ...]

    def of(self, kind: str) -> list[Resource]:
        """Resources of one type."""
        return [r for r in self.resources if r["resourceType"] == kind]

    def tasks(self, code: str) -> list[Resource]:
        """Tasks of one kind."""
        return [t for t in self.of("Task") if t["code"]["coding"][0]["code"] == code]

    def task(self, code: str) -> Resource:
        """The one Task of a kind; an empty one while there is none."""
        found = self.tasks(code)
        assert len(found) <= 1, f"{len(found)} Tasks {code}"
        return found[0] if found else {}

    def stage(self, code: str) -> str | None:
        """The business status of the one Task of a kind."""
        found: list[Mapping[str, str]] = self.task(code).get("businessStatus", {}).get("coding", [])
        return found[0]["code"] if found else None

    def visits(self, status: str) -> list[Resource]:
        """Appointments of one status, by dose."""
        return [a for a in self.of("Appointment") if a["status"] == status]

    def gaps(self, task: str = "referral") -> set[str]:
        """The codes of what a Task says is missing."""
        outputs = self.task(task).get("output", ())
        missing = (o["valueCodeableConcept"] for o in outputs if o["type"]["coding"][0]["code"] == "missing")
        return {m["coding"][0]["code"] for m in missing}

    @property
    def versions(self) -> dict[str, str]:
        """Every resource with its version: equal when nothing has changed."""
        return {r["id"]: r["meta"]["versionId"] for r in self.resources}


async def case_of(deployment: Deployment, number: int, client: str = CLIENT) -> Case:
    """The case of the patient of one generated referral, as this client sent it."""
    return await case_in(deployment, patient_id(number, client))


async def case_in(deployment: Deployment, patient: str) -> Case:
    """The case of one patient by our id, as it stood at one moment.

    Four stores are read one after another, until two readings are the same: versions only grow.
    """
    case, before = await _read(deployment, patient), None
    while before is None or case.versions != before.versions:
        case, before = await _read(deployment, patient), case
    return case


async def _read(deployment: Deployment, patient: str) -> Case:
    found: list[Resource] = []
    for prefix, service in OWNERS.items():
        sql = "select body from resource where lane = $1 order by id"
        rows = await deployment.rows(service, sql, f"patient/{patient}")
        found += [r for r in map(json.loads, (row[0] for row in rows)) if r["id"].startswith(prefix)]
    return Case(tuple(found))


async def until(
    deployment: Deployment, number: int, wanted: Callable[[Case], object], seconds: float = 30.0, client: str = CLIENT
) -> Case:
    """Waits until a case is as wanted; where the time is over, fails with where it stands."""
    loop = asyncio.get_running_loop()
    ends = loop.time() + seconds
    while not wanted(case := await case_of(deployment, number, client)):
        stages = [(c, t["status"]) for c in ("referral", "preauthorization", "chair") for t in case.tasks(c)]
        assert loop.time() < ends, (stages, [a["status"] for a in case.of("Appointment")], case.gaps())
        await asyncio.sleep(0.1)
    return case


def booked(case: Case) -> bool:
    """Whether both doses are booked and the placer has been told so."""
    return len(case.visits("booked")) == 2 and case.stage("referral") == "5.1.1"


def outputs(case: Case, kind: str) -> list[Any]:
    """The values of the outputs of this kind of Task `preauthorization`."""
    found = case.task("preauthorization").get("output", ())
    named = (o for o in found if o["type"]["coding"][0]["code"] == kind)
    return [next(v for k, v in o.items() if k.startswith("value")) for o in named]


def entries(bundle: Mapping[str, Any], kind: str) -> list[dict[str, Any]]:
    """The resources of one type in a Bundle, to be changed."""
    return [e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == kind]


def lab(bundle: Mapping[str, Any], loinc: str) -> dict[str, Any]:
    """The Observation of one LOINC code in a Bundle."""
    return next(o for o in entries(bundle, "Observation") if o["code"]["coding"][0]["code"] == loinc)


def without(bundle: dict[str, Any], gone: Sequence[Mapping[str, Any]]) -> None:
    """Takes resources out of a Bundle, with every reference of its orders to them."""
    urls = {e["fullUrl"] for e in bundle["entry"] if e["resource"] in gone}
    bundle["entry"] = [e for e in bundle["entry"] if e["fullUrl"] not in urls]
    for entry in bundle["entry"]:
        for key, value in list(entry["resource"].items()):
            if isinstance(value, list) and (kept := _kept(value, urls)) != value:
                entry["resource"].pop(key)
                entry["resource"].update({key: kept} if kept else {})


def _kept(value: Iterable[Any], urls: set[str]) -> list[Any]:
    return [v for v in value if not (isinstance(v, dict) and v.get("reference") in urls)]
