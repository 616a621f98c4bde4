"""What every FHIR request passes: media types, size while it streams, the JSON gate, base R4, and who may."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from fastapi import HTTPException, Request

from shared.core import Resource
from shared.fhir.json import GateError, decode
from shared.fhir.outcomes import Issue, errors, outcome
from shared.fhir.profiles import Validator
from shared.smart.scopes import Interaction, allows
from shared.smart.tokens import Access

FHIR_JSON = "application/fhir+json"
BODY_LIMIT = 5 * 1024 * 1024
MOST_ENTRIES = 1000
_JSON = {FHIR_JSON, "application/json"}
_FORMATS = {*_JSON, "json"}
_UNREADABLE = {"structure", "value", "invalid", "too-long", "too-costly"}
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
    if not _takes_json(request):
        raise refused(406, "not-supported", f"Accept: {FHIR_JSON} would be right")
    if not body:
        return
    if _media_type(request.headers.get("content-type", "")) not in _JSON:
        raise refused(415, "not-supported", f"Content-Type: {FHIR_JSON} would be right")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise refused(415, "not-supported", "Content-Encoding: none would be right")


def _takes_json(request: Request) -> bool:
    """`_format` says it over the header (R4 http, content types)."""
    asked = request.query_params.get("_format")
    if asked is not None:
        return _media_type(asked.replace(" ", "+")) in _FORMATS
    listed = ",".join(request.headers.getlist("accept")).split(",")
    return bool({_media_type(a) for a in listed} & (_JSON | {"*/*", "application/*", ""}))


def _media_type(text: str) -> str:
    return text.split(";")[0].strip().lower()


async def body_of(request: Request) -> bytes:
    """The body, counted while it streams; 413 past the limit, whatever its length was said to be."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_LIMIT:
            raise refused(413, "too-long", f"a body of at most {BODY_LIMIT} bytes would be right")
    return bytes(body)


def checked(body: bytes, validator: Validator) -> dict[str, Any]:
    """A body through the JSON gate and base R4."""
    try:
        resource = decode(body, limit=BODY_LIMIT)
    except GateError as error:
        raise Refused(error.status, error.issues) from None
    if issues := errors(validator.check(resource)):
        raise Refused(status_of(issues), issues)
    return resource


def checked_as(kind: str, body: bytes, validator: Validator) -> dict[str, Any]:
    """The same, of the type its address says."""
    resource = checked(body, validator)
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
    return 400 if any(i.code in _UNREADABLE for i in issues) else 422


def permitted(access: Access, kind: str, interaction: Interaction) -> None:
    """403 where the token's scopes do not reach."""
    if not allows(access.scopes, kind, interaction):
        raise refused(403, "forbidden", f"a scope of system/{kind} for {interaction} would be right")


def permitted_entries(access: Access, bundle: Resource) -> None:
    """Each entry of a transaction is a create or an update, and needs its own scope."""
    entries = bundle.get("entry", ())
    if len(entries) > MOST_ENTRIES:
        raise refused(413, "too-costly", f"a Bundle of at most {MOST_ENTRIES} entries would be right", "Bundle.entry")
    if issues := [issue for n, entry in enumerate(entries) for issue in _unasked(n, entry)]:
        raise Refused(status_of(issues), issues)
    for entry in entries:
        interaction: Interaction = "create" if entry["request"]["method"] == "POST" else "update"
        permitted(access, entry["resource"]["resourceType"], interaction)


def _unasked(n: int, entry: Resource) -> list[Issue]:
    """What keeps an entry from being a create or an update."""
    issues = []
    if "resource" not in entry:
        issues.append(Issue("required", f"Bundle.entry[{n}].resource", "a resource would be right"))
    if entry.get("request", {}).get("method") not in ("POST", "PUT"):
        issues.append(Issue("not-supported", f"Bundle.entry[{n}].request.method", "POST or PUT would be right"))
    return issues
