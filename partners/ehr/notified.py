"""An EHR that is told by notifications alone: wants a handshake first, keeps every event, and sees gaps in numbers."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from partners.clock import Clock, instant
from partners.faults import Faults
from partners.routes import partner_routes, post, refusing_route
from partners.store import Store
from partners.wire import answer, decoded, dumps, refuse, resource_model

SCHEMA = """
CREATE TABLE IF NOT EXISTS event (
  number INTEGER PRIMARY KEY, at TEXT NOT NULL, received INTEGER NOT NULL, focus TEXT NOT NULL, body TEXT NOT NULL);
"""
OPERATIONS = frozenset({"notification"})


class Subscriber:
    """One EHR's end of a subscription. `secret` is what a notification must show; it refuses while told to."""

    def __init__(self, ehr: str, store: Store, secret: str, now: Clock) -> None:
        self.name, self._store, self._secret, self._now = ehr, store, secret, now
        self.faults = Faults(store, OPERATIONS)
        self.refusing = False

    async def take(self, request: Request, body: bytes) -> Response:
        """200 for a handshake and for each event, new or known; 409 for an event before the handshake."""
        if request.headers.get("authorization") != f"Bearer {self._secret}":
            refuse(401, "login", "the secret agreed on is required")
        if self.refusing:
            refuse(422, "business-rule", "notifications are not taken at present")
        bundle = decoded(body)
        status = _status(bundle)
        if status.get("type") == "handshake":
            self._store.count("handshake")
            return Response(status_code=200)
        if not self._shaken():
            refuse(409, "conflict", "a handshake first would be right")
        self._kept(_event(status), bundle)
        return Response(status_code=200)

    def _shaken(self) -> bool:
        return self._store.row("SELECT * FROM counter WHERE name = 'handshake'") is not None

    def _kept(self, event: dict[str, Any], bundle: dict[str, Any]) -> None:
        number, focus = int(event["event-number"]), event["focus"]["reference"]
        entries = bundle["entry"][1:]
        if [e.get("fullUrl") for e in entries] != [focus]:
            refuse(422, "invalid", "one entry, the focus of the event", "Bundle.entry[1].fullUrl")
        sql = "INSERT INTO event VALUES (?, ?, 1, ?, ?) ON CONFLICT (number) DO UPDATE SET received = received + 1"
        self._store.run(sql, number, instant(self._now()), focus, dumps(bundle))

    def listing(self) -> dict[str, Any]:
        """Handshakes, every event by number, and the numbers that are missing below the highest."""
        events = self._store.rows("SELECT * FROM event ORDER BY number")
        shaken = self._store.row("SELECT * FROM counter WHERE name = 'handshake'")
        numbers = [e["number"] for e in events]
        return {
            "handshakes": shaken["value"] if shaken else 0,
            "events": [{k: e[k] for k in ("number", "received", "focus")} | _inside(e["body"]) for e in events],
            "missing": sorted(set(range(1, max(numbers, default=0))) - set(numbers)),
        }


def _status(bundle: dict[str, Any]) -> dict[str, Any]:
    """The parameters of the subscription status, by name."""
    resource_model(bundle, "Bundle")
    entries = bundle.get("entry", [])
    if bundle.get("type") != "history" or not entries:
        refuse(422, "invalid", "a Bundle of type history whose first entry is the status", "Bundle.type")
    parameters = entries[0].get("resource", {})
    if parameters.get("resourceType") != "Parameters":
        refuse(422, "invalid", "the subscription status as Parameters", "Bundle.entry[0].resource")
    return {p["name"]: _value(p) for p in parameters.get("parameter", ())}


def _event(status: dict[str, Any]) -> dict[str, Any]:
    """The one event told of."""
    event = status.get("notification-event")
    if status.get("type") != "event-notification" or not isinstance(event, dict) or "event-number" not in event:
        refuse(422, "required", "an event with its number", "Bundle.entry[0].resource.parameter")
    if status.get("events-since-subscription-start") != event["event-number"]:
        refuse(422, "invalid", "as many events as the number says", "Bundle.entry[0].resource.parameter")
    return event


def _value(parameter: dict[str, Any]) -> Any:
    if "part" in parameter:
        return {p["name"]: _value(p) for p in parameter["part"]}
    return next((v for k, v in parameter.items() if k.startswith("value")), None)


def _inside(body: str) -> dict[str, Any]:
    """The resource a full-resource notification carries, None where it is id-only."""
    return {"resource": decoded(body)["entry"][1].get("resource")}


def notified_routes(ehr: Subscriber, *, debug: bool) -> APIRouter:
    """The one operation by which it is notified."""
    routes = partner_routes(f"EHR {ehr.name}", ehr.faults, debug=debug)
    post(routes, "/notifications", ehr.faults, "notification", ehr.take)
    if debug:
        refusing_route(routes, ehr)

        @routes.get("/debug/notifications")
        async def notifications() -> Response:
            return answer(ehr.listing())

    return routes
