"""An EHR that knows no Tasks and files documents: DocumentReference by `If-None-Exist`, each with a readable PDF."""

from __future__ import annotations

import base64
import binascii
import sqlite3
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from partners.clock import Clock, instant
from partners.faults import Faults
from partners.routes import partner_routes, post, refusing_route
from partners.store import Store
from partners.tokens import Tokens
from partners.wire import answer, decoded, dumps, refuse, resource_model

SCHEMA = """
CREATE TABLE IF NOT EXISTS document (
  id INTEGER PRIMARY KEY AUTOINCREMENT, known TEXT NOT NULL UNIQUE, at TEXT NOT NULL, received INTEGER NOT NULL,
  body TEXT NOT NULL);
"""
OPERATIONS = frozenset({"token", "document"})


class Filing:
    """One EHR's inbox of documents. It refuses everything while it is told to (`refusing`)."""

    def __init__(self, ehr: str, store: Store, tokens: Tokens, now: Clock) -> None:
        self.name, self.tokens, self._store, self._now = ehr, tokens, store, now
        self.faults = Faults(store, OPERATIONS)
        self.refusing = False

    async def create(self, request: Request, body: bytes) -> Response:
        """201 for a new document, 200 for one that is filed already."""
        self.tokens.require(request, "DocumentReference", "c")
        if self.refusing:
            refuse(422, "business-rule", "documents of this practice are not taken at present")
        document = decoded(body)
        _checked(document)
        known, row = _known(document), None
        if request.headers.get("if-none-exist") is not None:
            row = self._filed(known, request.headers["if-none-exist"])
        if row is not None:
            self._store.run("UPDATE document SET received = received + 1 WHERE id = ?", row["id"])
            return answer(_shown(row), 200)
        sql = "INSERT OR IGNORE INTO document (known, at, received, body) VALUES (?, ?, 1, ?)"
        if not self._store.run(sql, known, instant(self._now()), dumps(document)):
            refuse(409, "duplicate", "this document is filed; If-None-Exist would find it", "DocumentReference")
        return answer(_shown(self._store.rows("SELECT * FROM document WHERE known = ?", known)[0]), 201)

    def _filed(self, known: str, condition: str) -> sqlite3.Row | None:
        if condition != f"identifier={known}":
            refuse(400, "invalid", "If-None-Exist must be the document's own identifier", "If-None-Exist")
        return self._store.row("SELECT * FROM document WHERE known = ?", known)

    def listing(self) -> list[dict[str, Any]]:
        """Every document with how often it came."""
        rows = self._store.rows("SELECT * FROM document ORDER BY id")
        return [{"identifier": r["known"], "received": r["received"], "document": _shown(r)} for r in rows]


def _checked(document: dict[str, Any]) -> None:
    """What this EHR files: a document about a patient it can find, with one PDF of the size it says."""
    resource_model(document, "DocumentReference")
    if not document.get("subject", {}).get("identifier", {}).get("value"):
        refuse(422, "required", "the patient by an identifier would be right", "DocumentReference.subject.identifier")
    attachments = [c.get("attachment", {}) for c in document.get("content", ())]
    if len(attachments) != 1 or attachments[0].get("contentType") != "application/pdf":
        refuse(422, "invalid", "one attachment of type application/pdf", "DocumentReference.content")
    try:
        content = base64.b64decode(attachments[0].get("data", ""), validate=True)
    except binascii.Error:
        refuse(422, "invalid", "base64", "DocumentReference.content[0].attachment.data")
    if not content.startswith(b"%PDF-") or len(content) != attachments[0].get("size"):
        refuse(422, "invalid", "a PDF of the size it says", "DocumentReference.content[0].attachment")


def _known(document: dict[str, Any]) -> str:
    identifier = document.get("masterIdentifier", {})
    if not identifier.get("system") or not identifier.get("value"):
        refuse(422, "required", "a masterIdentifier with system and value", "DocumentReference.masterIdentifier")
    return f"{identifier['system']}|{identifier['value']}"


def _shown(row: sqlite3.Row) -> dict[str, Any]:
    return {**decoded(row["body"]), "id": str(row["id"]), "meta": {"versionId": "1", "lastUpdated": row["at"]}}


def filing_routes(ehr: Filing, *, debug: bool) -> APIRouter:
    """Its tokens, and the one operation by which a document is filed."""
    routes = partner_routes(f"EHR {ehr.name}", ehr.faults, debug=debug, tokens=ehr.tokens)
    post(routes, "/DocumentReference", ehr.faults, "document", ehr.create)
    if debug:
        refusing_route(routes, ehr)

        @routes.get("/debug/documents")
        async def documents() -> Response:
            return answer(ehr.listing())

    return routes
