"""Documents as they are: a Binary sent or asked for in its own media type (R4 binary, serving Binary resources)."""

from __future__ import annotations

import string
from base64 import b64encode
from typing import Any

from fastapi import Request
from fastapi.responses import Response

from shared.core import Resource
from shared.fhir.json import decode, encode
from shared.web.calls import content_of
from shared.web.requests import JSON_TYPES, media_type, refused, takes_json

KIND = "Binary"
MOST = 25 * 1024 * 1024
"""Bytes of a document."""

_UNNAMED = "application/octet-stream"
_KEPT = ("etag", "last-modified")
_LARGEST = 1 << 40
_END = 64
"""Characters at the end of base64 among which its padding stands."""


def is_sent_raw(kind: str, request: Request) -> bool:
    """Whether a body is the document itself."""
    sent = media_type(request.headers.get("content-type", ""))
    return kind == KIND and request.method in ("POST", "PUT") and sent not in JSON_TYPES


def resource_of(request: Request, resource_id: str, content: bytes) -> bytes:
    """The Binary of a document, about the patient its X-Security-Context names."""
    media = request.headers.get("content-type", "").strip()
    if "/" not in media_type(media):
        raise refused(415, "not-supported", "the media type of the document would be right", "Binary.contentType")
    context = request.headers.get("x-security-context")
    binary: dict[str, Any] = {
        "resourceType": KIND,
        **({"id": resource_id} if resource_id else {}),
        "contentType": media,
        **({"securityContext": {"reference": context}} if context else {}),
        "data": b64encode(content).decode(),
    }
    return encode(binary)


def is_asked_raw(kind: str, request: Request) -> bool:
    """Whether the document itself is asked for: by an Accept without JSON."""
    return kind == KIND and "_format" not in request.query_params and not takes_json(request)


def raw(response: Response) -> Response:
    """The document of an answer; a refusal, and what another process answered so, stay as they are.

    It is to be saved and not shown: it is nobody's page.
    """
    if response.status_code != 200 or media_type(response.headers["content-type"]) not in JSON_TYPES:
        return response
    binary = decode(bytes(response.body), limit=_LARGEST, parts=None)
    kept = {name: response.headers[name] for name in _KEPT if name in response.headers}
    safe = {"X-Content-Type-Options": "nosniff", "Content-Disposition": "attachment"}
    media = str(binary["contentType"])
    return Response(content_of(binary), 200, kept | safe, media_type=media if media.isascii() else _UNNAMED)


def check_size(binary: Resource) -> None:
    """413 for a document past what may be kept, by whichever door its bytes came."""
    text = str(binary.get("data", ""))
    length = len(text) - sum(map(text.count, string.whitespace))
    if length * 3 // 4 - text[-_END:].count("=") > MOST:
        raise refused(413, "too-long", f"a document of at most {MOST} bytes would be right", "Binary.data")
