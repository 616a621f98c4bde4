"""A placer's own system as the channel sees it: the records of one demo referral under its addresses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

import httpx

from shared.core import Resource
from shared.fhir.json import decode, encode
from shared.settings import Site

BASE = "http://partners.test/ehr/mercy"


def records(bundle: Resource) -> dict[str, dict[str, Any]]:
    """The records of a pushed Bundle as its sender keeps them: `Type/id` -> resource, references relative."""
    places = {e["fullUrl"]: f"{e['resource']['resourceType']}/r{n}" for n, e in enumerate(bundle["entry"])}
    text = encode(bundle).decode()
    for url, place in places.items():
        text = text.replace(url, place)
    found = (e["resource"] | {"id": f"r{n}"} for n, e in enumerate(decode(text.encode())["entry"]))
    return {f"{r['resourceType']}/{r['id']}": r for r in found}


def of_type(held: dict[str, dict[str, Any]], kind: str) -> dict[str, Any]:
    return next(r for r in held.values() if r["resourceType"] == kind)


class System:
    """Answers reads and searches from `held`; `failing` may answer a request in its place."""

    def __init__(self, site: Site, held: dict[str, dict[str, Any]]) -> None:
        self.site, self.held, self.asked = site, held, list[str]()
        self.failing: Callable[[httpx.Request], httpx.Response | None] = lambda _: None
        self.http = httpx.AsyncClient(transport=httpx.MockTransport(self._answered))

    async def token(self, partner: str) -> str:
        return f"token-of-{partner}"

    def _answered(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(str(request.url))
        if (failed := self.failing(request)) is not None:
            return failed
        assert request.headers["Authorization"] == "Bearer token-of-ehr-mercy"
        place = request.url.path.removeprefix("/ehr/mercy/")
        if "/" in place:
            found = self.held.get(place)
            return httpx.Response(200, content=encode(found)) if found else httpx.Response(404)
        patient = parse_qs(request.url.query.decode())["patient"][0]
        return httpx.Response(200, content=encode(self._searched(place, patient)))

    def _searched(self, kind: str, patient: str) -> dict[str, Any]:
        named = f'"reference":"Patient/{patient}"'
        found = [r for r in self.held.values() if r["resourceType"] == kind and named in encode(r).decode()]
        return {
            "resourceType": "Bundle",
            "type": "searchset",
            **({"entry": [{"resource": r} for r in found]} if found else {}),
        }


class Reader:
    """Reads what a desk holds."""

    def __init__(self, desk: Any) -> None:
        self.desk = desk

    async def read(self, resource_id: str) -> Any:
        return next((r for r in self.desk.held.values() if r["id"] == resource_id), None)
