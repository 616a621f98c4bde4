"""Entries of a Bundle: what each asks, whether it may, and how its answer is told in the Bundle that answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

from fastapi import HTTPException
from fastapi.responses import Response

from shared.clock import stamp
from shared.core import Resource
from shared.fhir.json import decode
from shared.fhir.outcomes import Issue
from shared.smart.scopes import Interaction
from shared.smart.tokens import Access
from shared.web.calls import Call, entry_call
from shared.web.requests import Refused, permitted, status_of

_WRITING: Mapping[str, Interaction] = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_LARGEST = 1 << 40


def calls_of(bundle: Resource, base: str, prefer: str) -> dict[int, Call]:
    """The calls of a Bundle by entry; every entry that asks nothing is told at once."""
    entries = bundle.get("entry", ())
    if issues := [issue for n, entry in enumerate(entries) for issue in _unasked(n, entry)]:
        raise Refused(status_of(issues), issues)
    return {n: entry_call(entry, base, prefer) for n, entry in enumerate(entries)}


def _unasked(n: int, entry: Resource) -> Iterator[Issue]:
    """What keeps an entry from being an interaction."""
    method = entry.get("request", {}).get("method")
    if method not in (*_WRITING, "GET"):
        right = "GET, POST, PUT, PATCH or DELETE would be right"
        yield Issue("not-supported", f"Bundle.entry[{n}].request.method", right)
    elif method in ("POST", "PUT", "PATCH") and "resource" not in entry:
        yield Issue("required", f"Bundle.entry[{n}].resource", "a resource would be right")


def check_permitted(access: Access, call: Call, kind: str) -> None:
    """403 where the token does not reach what an entry asks of this type."""
    reading: Interaction = "read" if call.id else "search-type"
    permitted(access, kind, _WRITING.get(call.method, reading))


def told(response: Response) -> dict[str, Any]:
    """An answer as an entry."""
    headers = {name: response.headers.get(name) for name in ("location", "etag", "last-modified")}
    body = decode(bytes(response.body), limit=_LARGEST, parts=None) if response.body else None
    changed = headers["last-modified"]
    said: dict[str, Any] = {
        "status": _status(response.status_code),
        "location": headers["location"],
        "etag": headers["etag"],
        "lastModified": stamp(parsedate_to_datetime(changed)) if changed else None,
    }
    is_outcome = body is not None and body["resourceType"] == "OperationOutcome"
    return {
        **({"resource": body} if body is not None and not is_outcome else {}),
        "response": {k: v for k, v in said.items() if v} | ({"outcome": body} if is_outcome else {}),
    }


def refusal_told(error: HTTPException) -> dict[str, Any]:
    """A refusal as an entry."""
    outcome: dict[str, Any] = {"outcome": error.detail} if isinstance(error.detail, dict) else {}
    return {"response": {"status": _status(error.status_code), **outcome}}


def _status(code: int) -> str:
    return f"{code} {HTTPStatus(code).phrase}"
