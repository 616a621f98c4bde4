"""What the OpenAPI page says of the FHIR base: bodies, and what each status means."""

from __future__ import annotations

from typing import Any

from shared.web.patching import JSON_PATCH
from shared.web.requests import FHIR_JSON, FORM_TYPE

_RESOURCE = {"type": "object", "required": ["resourceType"], "properties": {"resourceType": {"type": "string"}}}
_OPERATION = {
    "type": "object",
    "required": ["op", "path"],
    "properties": {
        "op": {"enum": ["add", "remove", "replace", "move", "copy", "test"]},
        "path": {"type": "string"}, "from": {"type": "string"}, "value": {},
    },
}  # fmt: skip
_MEANINGS = {
    400: "Not readable as FHIR R4, or a parameter that is not right",
    401: "No access token of this server",
    403: "The token's scopes do not reach",
    404: "Unknown, or of a patient this client has not sent",
    410: "Deleted by its sender",
    422: "Readable, and breaks a rule",
    503: "Nothing was stored: the same request after Retry-After",
}
_OF_WRITING = {
    405: "Written by the system alone",
    412: "No longer the current version, or a condition that several records meet",
    413: "Too large",
    415: "A media type that is not taken here",
}


def _body(media: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {media: {"schema": schema}}}}


def _responses(*, body: bool) -> dict[int | str, dict[str, Any]]:
    meanings = _MEANINGS | {406: "Only JSON is spoken here", 429: "Too many requests"} | (_OF_WRITING if body else {})
    return {s: {"description": text, "content": {FHIR_JSON: {"schema": _RESOURCE}}} for s, text in meanings.items()}


BODY = _body(FHIR_JSON, _RESOURCE)
PATCH = _body(JSON_PATCH, {"type": "array", "items": _OPERATION})
FORM = _body(FORM_TYPE, {"type": "object"})
READ, WRITTEN = _responses(body=False), _responses(body=True)
