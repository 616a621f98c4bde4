"""The pharmacy at work: takes each order once, prepares it for its lead time, tells of it until heard or refused."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from starlette.responses import Response

from partners.backend import TokenRefused, backend_token
from partners.clock import Clock
from partners.faults import Faults
from partners.keys import PrivateKey
from partners.pharmacy.dispense import SYSTEM, dispense
from partners.store import Store
from partners.timers import Timers
from partners.wire import FHIR_JSON, Issue, answer, decoded, dumps, outcome, refuse, resource_model

SCHEMA = """
CREATE TABLE IF NOT EXISTS pharmacy_order (
  appointment TEXT NOT NULL, version TEXT NOT NULL, start TEXT NOT NULL, number TEXT NOT NULL UNIQUE,
  received INTEGER NOT NULL, body TEXT NOT NULL, status TEXT NOT NULL, dispense TEXT,
  attempts INTEGER NOT NULL DEFAULT 0, answer INTEGER,
  PRIMARY KEY (appointment, version));
"""
OPERATIONS = frozenset({"orders"})
SCOPE = "system/MedicationDispense.c"
TRY_AGAIN = {401, 408, 425, 429}
"""Refusals that may be over by the next attempt: the token was too old, or too much was asked at once."""
TOKEN_KEPT = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Customer:
    """Where the pharmacy tells of what is ready: the FHIR base, the token endpoint, its client id there."""

    fhir: str
    token_url: str
    client_id: str


class Pharmacy:
    """The pharmacy: its orders, its key, its customer."""

    def __init__(
        self,
        store: Store,
        *,
        key: PrivateKey,
        customer: Customer,
        http: httpx.AsyncClient,
        now: Clock,
        lead_time: timedelta,
    ) -> None:
        self.key = key
        self._store, self._customer, self._http, self._now, self._lead_time = store, customer, http, now, lead_time
        self._token: tuple[str, datetime] | None = None
        self.faults = Faults(store, OPERATIONS)
        self.timers = Timers(store, now, self._dispensed, at_once=4)

    async def order(self, body: bytes) -> Response:
        """Takes an order: 201 the first time, 200 for the same visit at the same time again, or for one called off."""
        appointment = _appointment(resource_model(decoded(body), "Bundle"))
        with self._store.transaction():
            if appointment.status == "cancelled":
                said, status = self._ended(str(appointment.id), "cancelled"), 200
            else:
                said, status = self._taken(appointment, body.decode())
        return answer(outcome([Issue("informational", said)], "information"), status)

    def _taken(self, booked: Any, body: str) -> tuple[str, int]:
        appointment, start = str(booked.id), booked.start.astimezone(UTC).isoformat()
        version = str(getattr(booked.meta, "versionId", None) or "1")
        # A later version that leaves the time as it was changes nothing for the pharmacy.
        sql = (
            "UPDATE pharmacy_order SET received = received + 1 WHERE appointment = ? AND "
            "(version = ? OR start = ? AND status NOT IN ('superseded', 'cancelled')) RETURNING number"
        )
        if (known := self._store.row(sql, appointment, version, start)) is not None:
            return f"order {known['number']} is known", 200
        self._ended(appointment, "superseded")
        return f"order {self._added(appointment, version, start, body)} is taken", 201

    def _added(self, appointment: str, version: str, start: str, body: str) -> str:
        number = f"RX{self._store.count('order'):07d}"
        sql = (
            "INSERT INTO pharmacy_order (appointment, version, start, number, received, body, status) "
            "VALUES (?, ?, ?, ?, 1, ?, 'preparing')"
        )
        self._store.run(sql, appointment, version, start, number, body)
        self.timers.set("dispense", number, self._now() + self._lead_time)
        return number

    def _ended(self, appointment: str, status: str) -> str:
        """What was ordered for this visit and is not ready yet is not prepared any more."""
        sql = (
            "UPDATE pharmacy_order SET status = ? "
            "WHERE appointment = ? AND status = 'preparing' AND dispense IS NULL RETURNING number"
        )
        for row in self._store.rows(sql, status, appointment):
            self.timers.clear("dispense", row["number"])
        return f"what was ordered for this visit is {status}"

    async def _dispensed(self, _kind: str, number: str) -> bool:
        """Tells of one order; True once it was taken or refused for good."""
        row = self._store.rows("SELECT * FROM pharmacy_order WHERE number = ?", number)[0]
        try:
            response = await self._told(self._written(row), number)
        except (httpx.HTTPError, TokenRefused):
            return self._noted(number, None, "preparing")
        if response.is_success:
            return self._noted(number, response.status_code, "on-hand")
        if response.is_client_error and response.status_code not in TRY_AGAIN:
            return self._noted(number, response.status_code, "refused")
        self._token = None
        return self._noted(number, response.status_code, "preparing")

    def _written(self, row: sqlite3.Row) -> str:
        """The MedicationDispense, written once, so that every attempt says the same."""
        if row["dispense"] is None:
            text = dumps(dispense(decoded(row["body"]), row["number"], self._now()))
            self._store.run("UPDATE pharmacy_order SET dispense = ? WHERE number = ?", text, row["number"])
            return text
        return str(row["dispense"])

    async def _told(self, text: str, number: str) -> httpx.Response:
        headers = {
            "Authorization": f"Bearer {await self._bearer()}",
            "Content-Type": FHIR_JSON,
            "If-None-Exist": f"identifier={SYSTEM}|{number}",
        }
        url = f"{self._customer.fhir}/MedicationDispense"
        return await self._http.post(url, content=text.encode(), headers=headers)

    async def _bearer(self) -> str:
        at = self._now()
        if self._token is None or self._token[1] <= at:
            customer = self._customer
            token = await backend_token(customer.token_url, customer.client_id, self.key, SCOPE, http=self._http, at=at)
            self._token = (token, at + TOKEN_KEPT)
        return self._token[0]

    def _noted(self, number: str, status: int | None, now: str) -> bool:
        sql = "UPDATE pharmacy_order SET attempts = attempts + 1, answer = ?, status = ? WHERE number = ?"
        self._store.run(sql, status, now, number)
        return now != "preparing"

    def listing(self) -> list[dict[str, Any]]:
        """What a test may ask: ids, counts and statuses, and nothing of a patient."""
        shown = ("appointment", "version", "number", "received", "status", "attempts", "answer")
        return [{k: row[k] for k in shown} for row in self._store.rows("SELECT * FROM pharmacy_order ORDER BY rowid")]


def _appointment(model: Any) -> Any:
    """The booked or cancelled Appointment of an order Bundle. Raises Refused (400) naming what is missing."""
    if model.type != "collection":
        refuse(400, "invalid", "the Bundle must be a collection", "Bundle.type")
    found: dict[str, Any] = {e.resource.get_resource_type(): e.resource for e in model.entry or () if e.resource}
    for wanted in ("Appointment", "MedicationRequest", "Patient"):
        if wanted not in found or not found[wanted].id:
            refuse(400, "required", f"the Bundle must hold one {wanted} with an id", "Bundle.entry")
    appointment = found["Appointment"]
    if appointment.status not in {"booked", "cancelled"}:
        refuse(400, "business-rule", "the Appointment must be booked or cancelled", "Appointment.status")
    if appointment.start is None:
        refuse(400, "required", "the Appointment must have a start", "Appointment.start")
    return appointment
