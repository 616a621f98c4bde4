"""A whole Carepod on SQLite behind ASGI, its registered clients with real tokens, and the demo's iron referral."""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

import httpx

from services import declared
from shared.app import Application, build
from shared.cli.demo import REFERRALS, WRITTEN_ON
from shared.cli.push import shifted
from shared.clock import system_clock
from shared.settings import Referrer, Settings, load_site
from shared.smart.clients import registered
from shared.smart.keys import key_file, public_jwks
from shared.smart.scopes import parse

FHIR = "application/fhir+json"

CLIENTS = ("mercy-ehr", "other-ehr", "prairie-pharmacy", "office")


def referral(case: str = "iron-meets-criteria") -> dict[str, Any]:
    """One of the demo's referrals, its dates moved to today."""
    body = (REFERRALS / f"{case}.json").read_bytes()
    found: dict[str, Any] = json.loads(shifted(body, WRITTEN_ON, system_clock().date()))
    return found


def of(bundle: dict[str, Any], kind: str) -> dict[str, Any]:
    """The first resource of a type in a Bundle, to be changed."""
    found: dict[str, Any] = next(e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == kind)
    return found


def renamed(bundle: dict[str, Any], suffix: str) -> dict[str, Any]:
    """The same referral of another patient: every business identifier with a suffix."""
    other = deepcopy(bundle)
    for entry in other["entry"]:
        for identifier in entry["resource"].get("identifier", []):
            if "us-npi" not in identifier.get("system", ""):
                identifier["value"] += suffix
    return other


@dataclass
class Client:
    """One registered program and its HTTP client."""

    http: httpx.AsyncClient
    token: str

    async def send(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        sent = {"Authorization": f"Bearer {self.token}"} | ({"Content-Type": FHIR} if body is not None else {})
        named = {k.replace("_", "-"): v for k, v in headers.items()}
        return await self.http.request(method, path, content=content, headers=sent | named)

    async def push(self, bundle: Any, **headers: str) -> httpx.Response:
        return await self.send("POST", "/fhir", bundle, **headers)

    async def get(self, path: str, **headers: str) -> httpx.Response:
        return await self.send("GET", path, **headers)


@dataclass
class Carepod:
    """The application under test."""

    app: Application
    http: httpx.AsyncClient

    def client(self, client_id: str = "mercy-ehr", scopes: str = "system/*.cruds") -> Client:
        token = self.app.authority.tokens.issued(client_id, parse(scopes), self.app.clock())
        return Client(self.http, token)

    async def quarantined(self) -> list[Any]:
        """(place, issues, body) of everything refused, oldest first."""
        async with self.app.handles["intake"].database.reading() as tx:
            rows = await tx.fetch("select place, issues, body, client from quarantine order by id")
        return [(r[0], json.loads(r[1]), r[2], r[3]) for r in rows]

    async def count(self, sql: str, service: str = "intake") -> int:
        async with self.app.handles[service].database.reading() as tx:
            return int((await tx.fetch(sql))[0][0])


async def built(settings: Settings, referrers: Mapping[str, Referrer] | None = None, **changes: Any) -> Application:
    """An application whose clients are registered; `referrers` are added to the site's, `changes` made to it."""
    site = load_site(settings.site_file, partners_url=settings.partners_url, base_url=settings.base_url)
    site = replace(site, referrers={**site.referrers, **(referrers or {})}, **changes)
    app = await build(declared(site), settings, site)
    jwks = json.dumps(public_jwks(key_file(settings.secrets / "ehr.pem")))
    for name in CLIENTS:
        await app.authority.clients.add(registered(name, name, jwks, "system/*.cruds"))
    return app


def places(response: Any) -> dict[str, str]:
    """The last `Type/id` of each type in a transaction response."""
    found = [
        e["response"]["location"].partition("/fhir/")[2].rpartition("/_history/")[0] for e in response.json()["entry"]
    ]
    return {place.partition("/")[0]: place for place in found}


def observation(patient: str, value: str = "7.10", number: str = "obs-1") -> bytes:
    text = {
        "resourceType": "Observation", "status": "final", "subject": {"reference": patient},
        "identifier": [{"system": "https://lab.example/results", "value": number}],
        "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}]},
        "valueQuantity": {"value": "EXACT", "unit": "g/dL", "system": "http://unitsofmeasure.org", "code": "g/dL"},
    }  # fmt: skip
    return json.dumps(text).replace('"EXACT"', value).encode()


async def pushed(client: Client, bundle: Any = None) -> dict[str, str]:
    response = await client.push(bundle or referral())
    assert response.status_code == 200, response.text
    return places(response)
