"""What every FHIR request passes: media types, size while it streams, the JSON gate, base R4, and who may."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from fastapi import HTTPException, Request

from shared.fhir.json import GateError, decode
from shared.fhir.outcomes import Issue, errors, outcome
from shared.fhir.profiles import Validator
from shared.smart.scopes import Interaction, allows
from shared.smart.tokens import Access

FHIR_JSON = "application/fhir+json"
FORM_TYPE = "application/x-www-form-urlencoded"
BODY_LIMIT = 5 * 1024 * 1024
"""Bytes of a body."""
DOCUMENT_LIMIT = 36 * 1024 * 1024
"""Bytes of a body that may hold a document: 25 MiB in base64 fit."""

MOST_ENTRIES = 1000
"""Entries of one Bundle."""

_DOCUMENTS = ("Binary", "DocumentReference")
JSON_TYPES = frozenset((FHIR_JSON, "application/json"))
_FORMATS = {*JSON_TYPES, "json"}
_UNREADABLE = {"structure", "value", "invalid", "too-long", "too-costly", "duplicate"}
_SHOWN = {"txt-1", "txt-2"}
"""Rules of the narrative: who breaks them can be read, but must not be shown."""
_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_WEAK = re.compile(r'W/"([A-Za-z0-9\-.]{1,64})"')


class Refused(HTTPException):
    """An answer that is an OperationOutcome."""

    def __init__(self, status: int, issues: Sequence[Issue], headers: dict[str, str] | None = None) -> None:
        super().__init__(status, outcome(issues), headers)
        self.issues = tuple(issues)


def refused(status: int, code: str, diagnostics: str, expression: str = "") -> Refused:
    """A refusal with one issue."""
    return Refused(status, [Issue(code, expression, diagnostics)])


def check_media_types(request: Request, *, body: bool) -> None:
    """406 where the client takes no JSON, 415 where it sends something else."""
    check_accept(request)
    if body:
        _check_content(request)


def check_json(request: Request) -> None:
    """The same for a request with a resource."""
    check_media_types(request, body=True)


def check_accept(request: Request) -> None:
    """406 where the client takes no JSON."""
    if not takes_json(request):
        raise refused(406, "not-supported", f"Accept: {FHIR_JSON} would be right")


def _check_content(request: Request) -> None:
    if media_type(request.headers.get("content-type", "")) not in JSON_TYPES:
        raise refused(415, "not-supported", f"Content-Type: {FHIR_JSON} would be right")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise refused(415, "not-supported", "Content-Encoding: none would be right")


def takes_json(request: Request) -> bool:
    """Whether the client takes JSON; `_format` says it over the header (R4 http, content types)."""
    asked = request.query_params.get("_format")
    if asked is not None:
        return media_type(asked.replace(" ", "+")) in _FORMATS
    listed = ",".join(request.headers.getlist("accept")).split(",")
    return bool({media_type(a) for a in listed} & (JSON_TYPES | {"*/*", "application/*", ""}))


def media_type(text: str) -> str:
    """A media type without its parameters."""
    return text.split(";")[0].strip().lower()


def limit_of(kind: str) -> int:
    """Bytes of a body of this type."""
    return DOCUMENT_LIMIT if kind in _DOCUMENTS else BODY_LIMIT


async def body_of(request: Request, limit: int = BODY_LIMIT) -> bytes:
    """The body, counted while it streams; 413 past the limit, whatever its length was said to be."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise refused(413, "too-long", f"a body of at most {limit} bytes would be right")
    return bytes(body)


def checked(body: bytes, validator: Validator, limit: int = BODY_LIMIT) -> dict[str, Any]:
    """A body through the JSON gate and base R4."""
    try:
        resource = decode(body, limit=limit)
    except GateError as error:
        raise Refused(error.status, error.issues) from None
    return checked_resource(resource, validator)


def checked_resource(resource: dict[str, Any], validator: Validator) -> dict[str, Any]:
    """A resource through base R4; a Bundle of too many entries is not looked through."""
    listed = resource.get("entry")
    if isinstance(listed, list) and len(listed) > MOST_ENTRIES:
        text = f"a Bundle of at most {MOST_ENTRIES} entries would be right"
        raise refused(413, "too-costly", text, "Bundle.entry")
    if issues := errors(validator.check(resource)):
        raise Refused(status_of(issues), issues)
    return resource


def checked_as(kind: str, body: bytes, validator: Validator) -> dict[str, Any]:
    """The same, of the type its address says."""
    resource = checked(body, validator, limit_of(kind))
    if resource["resourceType"] != kind:
        raise refused(400, "invalid", "the type of the address would be right", "resourceType")
    return resource


def check_id(resource_id: str) -> None:
    """400 for what can be no id of FHIR."""
    if not is_id(resource_id):
        raise refused(400, "invalid", "an id of 1 to 64 letters, digits, - and . would be right")


def is_id(text: str) -> bool:
    """Whether a text may be a FHIR id."""
    return _ID.fullmatch(text) is not None


def version_asked(if_match: str | None) -> str | None:
    """The version of an If-Match; None where any will do. 400 where it is no weak ETag of ours."""
    if if_match is None or if_match.strip() == "*":
        return None
    found = _WEAK.fullmatch(if_match.strip())
    if found is None:
        raise refused(400, "value", 'If-Match: W/"<version>" would be right')
    return found[1]


def status_of(issues: Sequence[Issue]) -> int:
    """400 where the body cannot be read as FHIR, 422 where it can and breaks a rule."""
    return 400 if any(i.code in _UNREADABLE and i.rule not in _SHOWN for i in issues) else 422


def permitted(access: Access, kind: str, interaction: Interaction) -> None:
    """403 where the token's scopes do not reach."""
    if not allows(access.scopes, kind, interaction):
        raise refused(403, "forbidden", f"a scope of system/{kind} for {interaction} would be right")
