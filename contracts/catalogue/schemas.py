"""JSON schemas of what is on the wire: headers, the message Bundle, and how a resource declares its profile.

They say what a program must find without a FHIR validator; the profiles say the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from contracts.catalogue.declarations import Said, kinds_of, profile_of, type_of
from shared.borders import DECISION_MESSAGE
from shared.core import CANONICAL, Service
from shared.messages import LARGE

Schema = dict[str, Any]

ID = "^[A-Za-z0-9.-]{1,64}$"
VERSION_ID = r"^\d{1,15}-\d{1,15}$"
TRACEPARENT = "^([0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2})?$"
LANE = r"^[\x21-\x7e]{1,200}$"

HEADERS: dict[str, Schema] = {
    "producer": {"type": "string", "description": "The service that decided."},
    "lane": {"type": "string", "pattern": LANE, "description": "`patient/<id>`: order holds within it."},
    "seq": {"type": "integer", "minimum": 1, "description": "The producer's count in this lane."},
    "epoch": {"type": "integer", "minimum": 1, "description": "Raised when the producer's database was restored."},
    "causes": {
        "type": "string",
        "contentMediaType": "application/json",
        "description": "What the decision rests on: {producer: [seq, {service: message id}]}.",
    },
    "previous": {
        "type": "string",
        "contentMediaType": "application/json",
        "description": "{service: id of the message it was to hear before this one in this lane}.",
    },
    "heard": {
        "type": "string",
        "contentMediaType": "application/json",
        "description": "{service: id of the latest message it is to hear in this lane}, this one included.",
    },
    "traceparent": {"type": "string", "pattern": TRACEPARENT, "description": "W3C Trace Context."},
    LARGE: {"const": "yes", "description": "Only the MessageHeader travels: fetch the message by its id."},
    "CC": {"type": "array", "items": {"type": "string"}, "description": "One routing key for each other type inside."},
}
"""What `shared/messages.py` and the broker adapter write; all but the last two always."""


def components(services: Sequence[Service]) -> dict[str, Schema]:
    """Every schema by its name: headers, the message, one for each producer and one for each profile."""
    always = [name for name in HEADERS if name not in (LARGE, "CC")]
    profiles = {_name(s, k): _declaring(s, k) for s in services for k in kinds_of(s)}
    return {
        "headers": {"type": "object", "required": always, "properties": HEADERS},
        "message": _bundle(),
        **{f"said-by-{s.name}": _said_by(s) for s in services},
        **dict(sorted(profiles.items())),
    }


def payload(said: Said) -> Schema:
    """The Bundle of one message: its producer's, under its own event."""
    event = {"eventUri": {"const": said.event}, "source": {"properties": {"name": {"const": said.producer.name}}}}
    header = {"properties": {"resource": {"properties": event}}}
    return {
        "allOf": [
            {"$ref": f"#/components/schemas/said-by-{said.producer.name}"},
            {"type": "object", "properties": {"entry": {"type": "array", "items": [header]}}},
        ]
    }


def _bundle() -> Schema:
    """A FHIR message: MessageHeader first, then resources of one patient or of none."""
    return {
        "type": "object",
        "description": "FHIR R4 Bundle of type message: MessageHeader, then every resource the decision saved.",
        "required": ["resourceType", "id", "type", "timestamp", "entry"],
        "properties": {
            "resourceType": {"const": "Bundle"},
            "id": {"type": "string", "pattern": ID},
            "meta": {"type": "object", "properties": {"profile": _claims(DECISION_MESSAGE)}},
            "type": {"const": "message"},
            "timestamp": {"type": "string", "format": "date-time"},
            "entry": {
                "type": "array",
                "minItems": 1,
                "items": [_entry(_header())],
                "additionalItems": _entry(_resource()),
            },
        },
    }


def _entry(resource: Schema) -> Schema:
    return {
        "type": "object",
        "required": ["fullUrl", "resource"],
        "properties": {"fullUrl": {"type": "string", "format": "uri"}, "resource": resource},
    }


def _header() -> Schema:
    endpoint = {"type": "string", "pattern": f"^{CANONICAL}service/"}
    reference = {"type": "object", "required": ["reference"], "properties": {"reference": {"type": "string"}}}
    return {
        "type": "object",
        "required": ["resourceType", "id", "eventUri", "source", "focus"],
        "properties": {
            "resourceType": {"const": "MessageHeader"},
            "id": {"type": "string", "pattern": ID},
            "eventUri": {"type": "string", "format": "uri"},
            "source": {"type": "object", "required": ["name", "endpoint"], "properties": {"endpoint": endpoint}},
            "focus": {"type": "array", "minItems": 1, "items": reference},
        },
    }


def _resource() -> Schema:
    version = {"type": "string", "pattern": VERSION_ID}
    return {
        "type": "object",
        "required": ["resourceType", "id", "meta"],
        "properties": {
            "resourceType": {"type": "string"},
            "id": {"type": "string", "pattern": ID},
            "meta": {"type": "object", "required": ["versionId"], "properties": {"versionId": version}},
        },
    }


def _said_by(service: Service) -> Schema:
    """The message of one producer: its ids, and the profiles it may carry."""
    own = {"properties": {"id": {"type": "string", "pattern": f"^{service.prefix}-"}}}
    carried = {"anyOf": [{"$ref": f"#/components/schemas/{_name(service, k)}"} for k in kinds_of(service)]}
    others = {"type": "object", "properties": {"resource": {"allOf": [own, carried]}}}
    return {
        "allOf": [
            {"$ref": "#/components/schemas/message"},
            {"properties": {"entry": {"type": "array", "items": [{"type": "object"}], "additionalItems": others}}},
        ]
    }


def _name(service: Service, kind: str) -> str:
    """The name of the kind's profile, or its type where it has none."""
    return service.profiles.get(kind, kind).partition("|")[0]


def _declaring(service: Service, kind: str) -> Schema:
    """A resource of one kind, declaring its profile."""
    canonical = profile_of(service, kind)
    said: Schema = {"resourceType": {"const": type_of(kind)}}
    if canonical is None:
        return {"title": kind, "type": "object", "properties": said}
    claims = {"meta": {"type": "object", "required": ["profile"], "properties": {"profile": _claims(canonical)}}}
    return {"title": kind, "type": "object", "properties": said | claims}


def _claims(canonical: str) -> Schema:
    return {"type": "array", "contains": {"const": canonical}}
