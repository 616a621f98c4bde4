"""The pharmacy at work: takes each order once, prepares it for its lead time, tells of it until heard or refused.

An order for a chair is on hand after the lead time. One for a home visit is promised at once, delivered when promised.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from starlette.responses import Response

from partners.backend import TokenRefused
from partners.clock import Clock
from partners.faults import Faults
from partners.keys import PrivateKey
from partners.pharmacy import home
from partners.pharmacy.dispense import SYSTEM, dispense, order_of
from partners.store import Store
from partners.telling import Customer, Telling, settled
from partners.timers import Timers
from partners.wire import Issue, answer, decoded, dumps, outcome, refuse, resource_model

SCHEMA = """
CREATE TABLE IF NOT EXISTS pharmacy_order (
  appointment TEXT NOT NULL, version TEXT NOT NULL, start TEXT NOT NULL, number TEXT NOT NULL UNIQUE,
  received INTEGER NOT NULL, body TEXT NOT NULL, status TEXT NOT NULL, dispense TEXT,
  attempts INTEGER NOT NULL DEFAULT 0, answer INTEGER,
  PRIMARY KEY (appointment, version));
CREATE TABLE IF NOT EXISTS home_delivery (
  number TEXT PRIMARY KEY, promised TEXT NOT NULL, ended TEXT, nobody_home INTEGER NOT NULL DEFAULT 0);
"""
OPERATIONS = frozenset({"orders"})
SCOPE = "system/MedicationDispense.c system/SupplyDelivery.c"


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
        self._store, self._now, self._lead_time = store, now, lead_time
        self._telling = Telling(customer, key, http, now, SCOPE)
        self.faults = Faults(store, OPERATIONS)
        self.timers = Timers(store, now, self._worked, at_once=4)

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
        order, at = decoded(body), self._now()
        if home.is_home(order_of(order, "Appointment")):
            self._promise(number, home.promised(order, at, self._lead_time), at)
        else:
            self.timers.set("dispense", number, at + self._lead_time)
        return number

    def _promise(self, number: str, promised: datetime, at: datetime) -> None:
        sql = "INSERT INTO home_delivery (number, promised) VALUES (?, ?)"
        self._store.run(sql, number, promised.isoformat())
        self.timers.set("promise", number, at)
        self.timers.set("deliver", number, promised)

    def _ended(self, appointment: str, status: str) -> str:
        """What was ordered for this visit and is not ready yet is not prepared any more."""
        sql = (
            "UPDATE pharmacy_order SET status = ? "
            "WHERE appointment = ? AND status = 'preparing' AND dispense IS NULL RETURNING number"
        )
        for row in self._store.rows(sql, status, appointment):
            for kind in ("dispense", "promise", "deliver"):
                self.timers.clear(kind, row["number"])
            if self._store.row("SELECT number FROM home_delivery WHERE number = ?", row["number"]) is not None:
                self.timers.set("abandon", row["number"], self._now())
        return f"what was ordered for this visit is {status}"

    # Telling of it

    async def _worked(self, kind: str, number: str) -> bool:
        """Does what is due of one order; True once it was taken or refused for good."""
        work: Mapping[str, Callable[[str], Awaitable[list[httpx.Response]]]] = {
            "dispense": self._dispensed,
            "promise": self._promised,
            "deliver": self._delivered,
            "abandon": self._abandoned,
        }
        try:
            told = (await work[kind](number))[-1]
        except (httpx.HTTPError, TokenRefused):
            return self._noted(kind, number, None)
        return self._noted(kind, number, told)

    async def _dispensed(self, number: str) -> list[httpx.Response]:
        text = self._written(number, lambda order, at: dispense(order, number, at))
        return [await self._telling.post("MedicationDispense", text, f"{SYSTEM}|{number}")]

    async def _promised(self, number: str) -> list[httpx.Response]:
        row = self._delivery(number)
        text = dumps(home.supplies(self._order(number), number, datetime.fromisoformat(row["promised"]), "in-progress"))
        return [await self._telling.post("SupplyDelivery", text, f"{home.SYSTEM}|{number}")]

    async def _delivered(self, number: str) -> list[httpx.Response]:
        """Drug and supplies, handed over together, or both brought back because nobody was there."""
        there = not self._delivery(number)["nobody_home"]
        text = self._written(number, lambda order, at: home.handed_over(order, number, at, delivered=there))
        drug = await self._telling.post("MedicationDispense", text, f"{SYSTEM}|{number}")
        if not drug.is_success:
            return [drug]
        return [drug, await self._told_of_supplies(number, "completed" if there else "abandoned")]

    async def _abandoned(self, number: str) -> list[httpx.Response]:
        return [await self._told_of_supplies(number, "abandoned")]

    async def _told_of_supplies(self, number: str, status: str) -> httpx.Response:
        """The same SupplyDelivery as was promised, as it ended; it ends once, so that every attempt says the same."""
        ended = self._delivery(number)["ended"] or self._now().isoformat()
        self._store.run("UPDATE home_delivery SET ended = ? WHERE number = ?", ended, number)
        text = dumps(home.supplies(self._order(number), number, datetime.fromisoformat(ended), status))
        return await self._telling.post("SupplyDelivery", text)

    def _written(self, number: str, write: Callable[[dict[str, Any], datetime], dict[str, Any]]) -> str:
        """The MedicationDispense, written once, so that every attempt says the same."""
        row = self._row(number)
        if row["dispense"] is None:
            text = dumps(write(decoded(row["body"]), self._now()))
            self._store.run("UPDATE pharmacy_order SET dispense = ? WHERE number = ?", text, number)
            return text
        return str(row["dispense"])

    def _noted(self, kind: str, number: str, told: httpx.Response | None) -> bool:
        """Keeps how an attempt went, and how the order ended where this was its end; whether it is settled."""
        done = told is not None and settled(told)
        refused = done and told is not None and not told.is_success
        now = self._row(number)["status"]
        if now == "preparing" and (refused or (done and kind in ("dispense", "deliver"))):
            now = "refused" if refused else self._end(kind, number)
            self.timers.clear("deliver", number)
        sql = "UPDATE pharmacy_order SET attempts = attempts + 1, answer = ?, status = ? WHERE number = ?"
        self._store.run(sql, told.status_code if told is not None else None, now, number)
        return done

    def _end(self, kind: str, number: str) -> str:
        if kind == "dispense":
            return "on-hand"
        return "undelivered" if self._delivery(number)["nobody_home"] else "delivered"

    def _row(self, number: str) -> sqlite3.Row:
        return self._store.rows("SELECT * FROM pharmacy_order WHERE number = ?", number)[0]

    def _order(self, number: str) -> dict[str, Any]:
        return decoded(self._row(number)["body"])

    def _delivery(self, number: str) -> sqlite3.Row:
        return self._store.rows("SELECT * FROM home_delivery WHERE number = ?", number)[0]

    # What a test may ask and arrange

    def nobody_home(self, appointment: str) -> bool:
        """The next delivery for a visit finds nobody; whether one is on its way."""
        sql = (
            "UPDATE home_delivery SET nobody_home = 1 WHERE number IN "
            "(SELECT number FROM pharmacy_order WHERE appointment = ? AND status = 'preparing')"
        )
        return self._store.run(sql, appointment) > 0

    def listing(self) -> list[dict[str, Any]]:
        """Ids, counts and statuses, and nothing of a patient."""
        shown = ("appointment", "version", "number", "received", "status", "attempts", "answer")
        return [{k: row[k] for k in shown} for row in self._store.rows("SELECT * FROM pharmacy_order ORDER BY rowid")]


def _appointment(model: Any) -> Any:
    """The booked or cancelled Appointment of an order Bundle. Raises Refused (400) naming what is missing."""
    if model.type != "collection":
        refuse(400, "invalid", "the Bundle must be a collection", "Bundle.type")
    found: dict[str, Any] = {e.resource.get_resource_type(): e.resource for e in model.entry or () if e.resource}
    called_off = "Appointment" in found and found["Appointment"].status == "cancelled"
    for wanted in ("Appointment",) if called_off else ("Appointment", "MedicationRequest", "Patient"):
        if wanted not in found or not found[wanted].id:
            refuse(400, "required", f"the Bundle must hold one {wanted} with an id", "Bundle.entry")
    appointment = found["Appointment"]
    if appointment.status not in {"booked", "cancelled"}:
        refuse(400, "business-rule", "the Appointment must be booked or cancelled", "Appointment.status")
    if appointment.start is None:
        refuse(400, "required", "the Appointment must have a start", "Appointment.start")
    return appointment
