"""One generated referral in each of its wire shapes, and the records its EHR keeps of it."""

from __future__ import annotations

import json
from typing import Any

import httpx

from benchmarks.cases import Template
from benchmarks.disturbed import Deployment
from shared.clock import system_clock

SECRET = "demo-notification-secret-mercy"
_I12 = {"system": "http://terminology.hl7.org/CodeSystem/v2-0003", "code": "I12"}


def bundle(number: int) -> dict[str, Any]:
    """The transaction Bundle of one generated referral."""
    found: dict[str, Any] = json.loads(Template(system_clock().date()).referral(number))
    return found


def records(number: int) -> dict[str, dict[str, Any]]:
    """`Type/id` -> the record as the EHR keeps it, its references relative."""
    pushed = bundle(number)
    places = {e["fullUrl"]: f"{e['resource']['resourceType']}/m{number}-{n}" for n, e in enumerate(pushed["entry"])}
    text = json.dumps(pushed)
    for url, place in places.items():
        text = text.replace(url, place)
    named = zip(places.values(), json.loads(text)["entry"], strict=True)
    return {place: e["resource"] | {"id": place.partition("/")[2]} for place, e in named}


def place_of(number: int, kind: str) -> str:
    """`Type/id` of the one record of a type."""
    return next(place for place in records(number) if place.startswith(kind + "/"))


def message(number: int, message_id: str) -> bytes:
    """The referral as a message Bundle."""
    entries = [{k: v for k, v in e.items() if k != "request"} for e in bundle(number)["entry"]]
    task = next(e["fullUrl"] for e in entries if e["resource"]["resourceType"] == "Task")
    header = {
        "resourceType": "MessageHeader", "id": message_id, "eventCoding": _I12, "focus": [{"reference": task}],
        "source": {"endpoint": "https://ehr.mercy.example/fhir"},
    }  # fmt: skip
    entry = [{"fullUrl": f"urn:uuid:6f6f0c3e-5e0f-4e0e-9d5e-0000{number:08d}", "resource": header}, *entries]
    return json.dumps({"resourceType": "Bundle", "type": "message", "entry": entry}).encode()


def alone(number: int, kind: str) -> bytes:
    """The referral's Task or order by itself, as its EHR keeps it."""
    return json.dumps(records(number)[place_of(number, kind)]).encode()


class Ehr:
    """The stand-in EHR of one deployment, told what to keep and to send."""

    def __init__(self, deployment: Deployment) -> None:
        self._base, self._to = f"{deployment.partners_url}/ehr/mercy", deployment.base_url

    async def keeps(self, *kept: dict[str, Any]) -> None:
        await self._asked("PUT", "/debug/records", {"records": list(kept)})

    async def keeps_referral(self, number: int) -> None:
        await self.keeps(*records(number).values())

    async def forgets(self, place: str) -> None:
        await self._asked("DELETE", f"/debug/records/{place}")

    async def fails(self, operation: str, kind: str, times: int = 1) -> None:
        await self._asked("POST", "/debug/fail", {"operation": operation, "kind": kind, "times": times})

    async def notifies(self, *focus: str, **how: Any) -> dict[str, Any]:
        """Sends one notification; its status and the numbers of its events."""
        sent = {"to": f"{self._to}/notifications/ehr/mercy-ehr", "bearer": SECRET, "focus": list(focus), **how}
        found: dict[str, Any] = (await self._asked("POST", "/debug/notify", sent)).json()
        return found

    async def reads(self) -> dict[str, int]:
        """How often each path was read."""
        found: dict[str, int] = (await self._asked("GET", "/debug/reads")).json()
        return found

    async def _asked(self, method: str, path: str, body: Any = None) -> httpx.Response:
        async with httpx.AsyncClient(trust_env=False, timeout=30.0) as http:
            return (await http.request(method, self._base + path, json=body)).raise_for_status()
