"""How the FHIR base answers: FHIR JSON, the headers of a version, the entries of a transaction response."""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import format_datetime

from fastapi.responses import Response

from shared.clock import instant
from shared.core import Resource, versioned
from shared.fhir.json import encode
from shared.web.prefer import ANYHOW, Preference
from shared.web.requests import FHIR_JSON


class FhirResponse(Response):
    """A response in FHIR JSON, as the OpenAPI page shows it too."""

    media_type = FHIR_JSON


def answered(resource: Resource, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A FHIR answer."""
    return FhirResponse(encode(resource), status, dict(headers or {}))


def etag(resource: Resource) -> str:
    """The weak ETag of a stored version."""
    return f'W/"{resource["meta"]["versionId"]}"'


def location(resource: Resource, base: str) -> str:
    """Where this version is read again."""
    return f"{base}/{versioned(resource)}"


def version_headers(resource: Resource) -> dict[str, str]:
    """ETag and Last-Modified of a version."""
    return {
        "ETag": etag(resource),
        "Last-Modified": format_datetime(instant(resource["meta"]["lastUpdated"]), usegmt=True),
    }


def written_answer(resource: Resource, base: str, *, created: bool, preferred: Preference = ANYHOW) -> Response:
    """The answer to a create or an update: 201 with Location where it is new, and of it what the client prefers."""
    headers, said = version_headers(resource), preferred.of(resource)
    if created:
        headers["Location"] = location(resource, base)
    status = 201 if created else 200
    return answered(said, status, headers) if said is not None else Response(status_code=status, headers=headers)


def entry_response(resource: Resource | None, base: str, *, created: bool, preferred: Preference = ANYHOW) -> Resource:
    """One entry of a transaction response; without a place where what came is kept under another record."""
    if resource is None:
        return {"response": {"status": "200 OK"}}
    said = preferred.of(resource) if preferred.returned else None
    response = {
        "status": "201 Created" if created else "200 OK",
        "location": location(resource, base),
        "etag": etag(resource),
        "lastModified": resource["meta"]["lastUpdated"],
        **({"outcome": said} if preferred.returned == "OperationOutcome" else {}),
    }
    return {**({"resource": said} if preferred.returned == "representation" else {}), "response": response}
