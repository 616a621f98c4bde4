"""What is posted to the base: a transaction as one decision, a batch entry by entry, a notification to its door."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from fastapi import HTTPException
from fastapi.responses import Response

from shared.app import Application
from shared.core import Resource
from shared.fhir.json import GateError, decode
from shared.fhir.outcomes import Issue, outcome
from shared.ports import Conflict, Unavailable
from shared.smart.clients import OURSELVES
from shared.web.answers import answered
from shared.web.calls import Call, body_of_entry
from shared.web.entries import calls_of, refusal_told, told
from shared.web.interactions import Interactions
from shared.web.limits import Limiter
from shared.web.notifications import Notifications
from shared.web.requests import DOCUMENT_LIMIT, Refused, checked_resource, refused
from shared.web.senders import Sender
from shared.web.transactions import Transactions
from shared.web.writing import Writing

PLACE = "POST /fhir"
LIMIT = DOCUMENT_LIMIT
"""Bytes of a Bundle: a document fits."""


class Bundles:
    """Bundles posted to the base, in the process of the door."""

    def __init__(
        self, app: Application, writing: Writing, interactions: Interactions, transactions: Transactions,
        notifications: Notifications, limiter: Limiter,
    ) -> None:  # fmt: skip
        self._app, self._writing, self._notifications = app, writing, notifications
        self._interactions, self._transactions, self._limiter = interactions, transactions, limiter
        self._base = app.settings.base_url + "/fhir"

    async def taken(self, sender: Sender, body: bytes, prefer: str) -> Response:
        """One Bundle; what is refused as a whole is kept as a whole."""
        handle, _ = self._writing.door()
        async with self._writing.kept(handle, sender, PLACE, body):
            bundle = self._checked(body)
            await self._counted(sender, bundle)
            match bundle["type"]:
                case "transaction":
                    return await self._transactions.taken(sender, bundle, prefer)
                case "history":
                    return await self._notifications.taken(sender, _noticed(bundle))
                case "batch":
                    calls = calls_of(bundle, self._base, prefer)
                case _:
                    right = "a Bundle of type transaction or batch would be right"
                    raise refused(422, "not-supported", right, "Bundle.type")
        listed = bundle.get("entry", ())
        entries = [await self._one(sender, call, listed[n]) for n, call in sorted(calls.items())]
        told_ = {"entry": entries} if entries else {}
        return answered({"resourceType": "Bundle", "type": "batch-response", **told_})

    async def _counted(self, sender: Sender, bundle: Resource) -> None:
        """Counts what comes in one body but is a request each: entries of a batch, and what a transaction reads."""
        methods = [e["request"]["method"] for e in bundle.get("entry", ()) if "request" in e]
        requests = len(methods) if bundle["type"] == "batch" else methods.count("GET")
        if requests > 1 and sender.access.client_id != OURSELVES:
            await self._limiter.admit(sender.client, requests - 1)

    async def _one(self, sender: Sender, call: Call, entry: Resource) -> dict[str, Any]:
        """The answer to one entry of a batch, whatever became of the others."""
        try:
            return told(await self._interactions.answer(sender, replace(call, body=body_of_entry(entry))))
        except HTTPException as refusal:
            return refusal_told(refusal)
        except (Conflict, Unavailable):
            issue = Issue("transient", "", "nothing was stored; the same request after a moment would be right")
            return refusal_told(HTTPException(503, outcome([issue])))

    def _checked(self, body: bytes) -> dict[str, Any]:
        """A Bundle through the gate and base R4; the resources of a batch are each its own entry's affair."""
        try:
            bundle = decode(body, limit=LIMIT)
        except GateError as error:
            raise Refused(error.status, error.issues) from None
        if bundle.get("resourceType") == "Bundle" and bundle.get("type") == "batch":
            checked_resource(_emptied(bundle), self._app.validator)
            return bundle
        checked_resource(bundle, self._app.validator)
        if bundle["resourceType"] != "Bundle":
            raise refused(422, "not-supported", "a Bundle of type transaction or batch would be right", "resourceType")
        return bundle


def _noticed(bundle: dict[str, Any]) -> dict[str, Any]:
    """A history Bundle that says something."""
    if not bundle.get("entry"):
        raise refused(422, "structure", "a history that begins with the Subscription's status would be right", "Bundle")
    return bundle


def _emptied(bundle: Resource) -> dict[str, Any]:
    """A batch without the resources in it."""
    listed = bundle.get("entry")
    if not isinstance(listed, list):
        return dict(bundle)
    return {**bundle, "entry": [_without_resource(e) for e in listed]}


def _without_resource(entry: Any) -> Any:
    """An entry without a resource that can be read as one."""
    if not isinstance(entry, dict) or not isinstance(entry.get("resource"), dict):
        return entry
    typed = isinstance(entry["resource"].get("resourceType"), str)
    return {k: v for k, v in entry.items() if k != "resource"} if typed else entry
