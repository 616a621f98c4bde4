"""The HTTP operations of an EHR."""

from __future__ import annotations

import sqlite3

import httpx
from fastapi import APIRouter, Request
from starlette.responses import Response

from partners.clock import Clock, instant
from partners.ehr.notices import Wanted, notification
from partners.ehr.records import Records
from partners.ehr.tasks import Tasks, etag, shown
from partners.faults import Faults
from partners.keys import PrivateKey
from partners.routes import partner_routes
from partners.store import Store
from partners.tokens import Tokens
from partners.wire import FHIR_JSON, answer, decoded, dumps, refuse, resource_model

OPERATIONS = frozenset({"token", "task", "read", "search", "events"})


class Ehr:
    """One EHR: its tokens, its records, the Tasks it was sent, its own key."""

    def __init__(
        self, ehr: str, store: Store, tokens: Tokens, key: PrivateKey, now: Clock, base: str, http: httpx.AsyncClient
    ) -> None:
        self.name, self.key = ehr, key
        self.faults = Faults(store, OPERATIONS)
        self.tasks = Tasks(store)
        self.records = Records(store)
        self._base, self._http = base, http
        self.tokens, self.now = tokens, now

    async def put(self, task_id: str, request: Request, body: bytes) -> Response:
        """Takes a Task update: 201 for a first version, 200 after that."""
        self.tokens.require(request, "Task", "u", "c")
        task = decoded(body)
        resource_model(task, "Task")
        if task.get("id") != task_id:
            refuse(400, "invalid", "id must be the id in the address", "Task.id")
        row, created = self.tasks.put(task, request.headers, self.now())
        return _task(row, 201 if created else 200)

    async def get(self, task_id: str, request: Request) -> Response:
        """A Task it was sent, else one of its own."""
        # Who may write a Task here may also read back what it wrote.
        self.tokens.require(request, "Task", "r", "u", "c")
        row = self.tasks.current(task_id)
        if row is not None:
            return _task(row, 200)
        if self.records.read("Task", task_id) is None:
            refuse(404, "not-found", "no Task has this id")
        return await self.read("Task", task_id, request)

    async def read(self, kind: str, record_id: str, request: Request) -> Response:
        """One record."""
        self.records.count(f"{kind}/{record_id}")
        self.tokens.require(request, kind, "r")
        record = self.records.read(kind, record_id)
        if record is None:
            refuse(404, "not-found", "no record has this id")
        return answer(record)

    async def search(self, kind: str, request: Request) -> Response:
        """Records of one type about one patient."""
        self.records.count(kind)
        self.tokens.require(request, kind, "s")
        asked = request.query_params
        if not asked.get("patient"):
            refuse(400, "required", "patient is required")
        patient = asked["patient"].rpartition("Patient/")[2]
        found = self.records.of_patient(kind, patient, asked.get("category"), asked.get("status"))
        entries = [{"fullUrl": f"{self._base}/{kind}/{r['id']}", "resource": r} for r in found]
        rest = {"entry": entries} if entries else {}
        return answer({"resourceType": "Bundle", "type": "searchset", "total": len(found), **rest})

    async def events(self, request: Request) -> Response:
        """What the Subscription told between two numbers."""
        self.tokens.require(request, "Subscription", "r")
        asked = request.query_params
        events = self.records.events(int(asked["eventsSinceNumber"]), int(asked["eventsUntilNumber"]))
        return answer(notification(self._base, "query-event", events, len(events)))

    async def notify(self, wanted: Wanted) -> Response:
        """Sends a notification now; the status it was answered with."""
        at = wanted.at or instant(self.now())
        numbered = wanted.number is not None
        told = [(wanted.number if numbered else self.records.told(focus, at), at, focus) for focus in wanted.focus]
        events = [(n or 0, when, focus) for n, when, focus in told]
        if wanted.lost:
            return answer({"status": 0, "numbers": [n for n, _, _ in events]})
        named = [*wanted.focus, *wanted.with_records] if wanted.content == "full-resource" else []
        brought = [r for place in named if (r := self.records.read(*place.split("/"))) is not None]
        count = max((n for n, _, _ in events), default=self.records.latest())
        bundle = notification(self._base, wanted.kind, events, count, brought)
        headers = {"Authorization": f"Bearer {wanted.bearer}", "Content-Type": FHIR_JSON}
        response = await self._http.post(wanted.to, content=dumps(bundle), headers=headers)
        return answer({"status": response.status_code, "numbers": [n for n, _, _ in events], "at": at})


def _task(row: sqlite3.Row, status: int) -> Response:
    return answer(shown(row), status, {"ETag": etag(row)})


def ehr_routes(ehr: Ehr, *, debug: bool) -> APIRouter:
    """Its keys, its tokens, the Tasks it takes and the records it gives."""
    routes = partner_routes(f"EHR {ehr.name}", ehr.faults, debug=debug, key=ehr.key, tokens=ehr.tokens)

    @routes.put("/Task/{task_id}")
    async def put(task_id: str, request: Request) -> Response:
        body = await request.body()
        return await ehr.faults.around("task", lambda: ehr.put(task_id, request, body))

    @routes.get("/Task/{task_id}")
    async def get(task_id: str, request: Request) -> Response:
        return await ehr.faults.around("read", lambda: ehr.get(task_id, request))

    @routes.get("/Subscription/referrals/$events")
    async def events(request: Request) -> Response:
        return await ehr.faults.around("events", lambda: ehr.events(request))

    if debug:
        _debug_routes(routes, ehr)

    @routes.get("/{kind}/{record_id}")
    async def read(kind: str, record_id: str, request: Request) -> Response:
        return await ehr.faults.around("read", lambda: ehr.read(kind, record_id, request))

    @routes.get("/{kind}")
    async def search(kind: str, request: Request) -> Response:
        return await ehr.faults.around("search", lambda: ehr.search(kind, request))

    return routes


def _debug_routes(routes: APIRouter, ehr: Ehr) -> None:
    @routes.get("/debug/tasks")
    async def tasks() -> Response:
        return answer(ehr.tasks.listing())

    @routes.put("/debug/records", status_code=204)
    async def keep(request: Request) -> None:
        for resource in decoded(await request.body())["records"]:
            ehr.records.put(resource, instant(ehr.now()))

    @routes.delete("/debug/records/{kind}/{record_id}", status_code=204)
    async def forget(kind: str, record_id: str) -> None:
        ehr.records.remove(kind, record_id)

    @routes.get("/debug/reads")
    async def reads() -> Response:
        return answer(ehr.records.counts())

    @routes.post("/debug/notify")
    async def notify(wanted: Wanted) -> Response:
        return await ehr.notify(wanted)
