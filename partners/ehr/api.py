"""The HTTP operations of an EHR."""

from __future__ import annotations

import sqlite3
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from partners.clock import Clock
from partners.ehr.tasks import Tasks, etag, shown
from partners.ehr.tokens import OAuthError, Tokens, allows
from partners.faults import Faults, Ordered
from partners.keys import PrivateKey, jwks
from partners.store import Store
from partners.wire import answer, decoded, refuse, resource_model

OPERATIONS = frozenset({"token", "task"})
_NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}


class Ehr:
    """One EHR: its tokens, its Tasks, its own key."""

    def __init__(self, ehr: str, store: Store, tokens: Tokens, key: PrivateKey, now: Clock) -> None:
        self.name, self.key = ehr, key
        self.faults = Faults(store, OPERATIONS)
        self.tasks = Tasks(store)
        self._tokens, self._now = tokens, now

    async def token(self, form: bytes) -> Response:
        try:
            return JSONResponse(await self._tokens.given(form), headers=_NO_STORE)
        except OAuthError as error:
            return JSONResponse({"error": error.code, "error_description": error.description}, 400, _NO_STORE)

    async def put(self, task_id: str, request: Request, body: bytes) -> Response:
        """Takes a Task update: 201 for a first version, 200 after that."""
        self._permitted(request, "u")
        task = decoded(body)
        resource_model(task, "Task")
        if task.get("id") != task_id:
            refuse(400, "invalid", "id must be the id in the address", "Task.id")
        row, created = self.tasks.put(task, request.headers.get("if-match"), self._now())
        return _task(row, 201 if created else 200)

    async def get(self, task_id: str, request: Request) -> Response:
        self._permitted(request, "r")
        row = self.tasks.current(task_id)
        if row is None:
            refuse(404, "not-found", "no Task has this id")
        return _task(row, 200)

    def _permitted(self, request: Request, action: str) -> None:
        scope = self._tokens.scope_of(request.headers.get("authorization"), self._now())
        if scope is None:
            refuse(401, "login", "a valid bearer token is required")
        # Who may write a Task here may also read back what it wrote.
        if not any(allows(scope, "Task", a) for a in ("u", "c", action)):
            refuse(403, "forbidden", f"the token's scope must allow system/Task.{action}")


def _task(row: sqlite3.Row, status: int) -> Response:
    return answer(shown(row), status, {"ETag": etag(row)})


def ehr_routes(ehr: Ehr, *, debug: bool) -> APIRouter:
    """Routes relative to the EHR's own base; those under `debug` only where it is on."""
    routes = APIRouter(tags=[f"EHR {ehr.name}"])

    @routes.get("/.well-known/jwks.json")
    async def keys() -> dict[str, Any]:
        return jwks(ehr.key)

    @routes.post("/token")
    async def token(request: Request) -> Response:
        form = await request.body()
        return await ehr.faults.around("token", lambda: ehr.token(form))

    @routes.put("/Task/{task_id}")
    async def put(task_id: str, request: Request) -> Response:
        body = await request.body()
        return await ehr.faults.around("task", lambda: ehr.put(task_id, request, body))

    @routes.get("/Task/{task_id}")
    async def get(task_id: str, request: Request) -> Response:
        return await ehr.get(task_id, request)

    if debug:
        _debug_routes(routes, ehr)
    return routes


def _debug_routes(routes: APIRouter, ehr: Ehr) -> None:
    @routes.post("/debug/fail", status_code=204)
    async def fail(ordered: Ordered) -> None:
        ehr.faults.order(ordered)

    @routes.get("/debug/tasks")
    async def tasks() -> Response:
        return answer(ehr.tasks.listing())
