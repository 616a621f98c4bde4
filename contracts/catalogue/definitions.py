"""The catalogue in FHIR: the demo's CapabilityStatement, a definition of each message and of each operation.

Source: R4 (4.0.1) conformance resources. What the running application serves as `/fhir/metadata` is made by the same
function from the same declarations.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from contracts.catalogue.declarations import Said, profile_of, said_by, type_of
from shared.core import Inquiry, Operation, Resource, Service
from shared.messages import Catalogue
from shared.settings import Settings
from shared.version import VERSION
from shared.web.capability import EDITION, Kinds, capability_statement, message_url, operation_url

SEVERAL = {"preferred.missing"}
"""Parts of an answer that come any number of times by themselves."""


@dataclass(frozen=True, slots=True)
class _Demo:
    """A deployment that says what it can do without being built."""

    catalogue: Catalogue
    settings: Settings


def statement(services: Sequence[Service]) -> Resource:
    """The CapabilityStatement of the demo on a laptop."""
    demo = _Demo(Catalogue(tuple(services)), Settings())
    return capability_statement(demo, Kinds(demo))


def messages(services: Sequence[Service]) -> Resource:
    """A collection of every MessageDefinition."""
    found = [_message(said) for s in services for said in said_by(s)]
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"fullUrl": definition["url"], "resource": definition} for definition in found],
    }


def operations(services: Sequence[Service]) -> Iterator[Resource]:
    """An OperationDefinition for each operation a service declares."""
    for service in services:
        for operation in sorted(service.operations, key=operation_url):
            yield _operation(operation)
        for inquiry in sorted(service.inquiries, key=operation_url):
            yield _inquiry(inquiry)


def _published(url: str, title: str) -> dict[str, Any]:
    """What every definition begins with; the id is the last of its canonical."""
    code = url.rpartition("/")[2]
    return {
        "id": code,
        "url": url,
        "version": VERSION,
        "name": "".join(word.capitalize() for word in code.split("-")),
        "title": title,
        "status": "active",
        "date": EDITION,
        "publisher": "Carepod",
    }


def _message(said: Said) -> Resource:
    """Exactly one focus, of one of its kinds; R4 names a type and a profile for each."""
    several = len(said.focus) > 1
    return {
        "resourceType": "MessageDefinition",
        **_published(message_url(said.producer.name, said.reason), f"{said.producer.name} says {said.reason}"),
        "description": said.when,
        "eventUri": said.event,
        "category": "notification",
        "focus": [_focus(said, kind, 0 if several else 1) for kind in said.focus],
        "responseRequired": "never",
    }


def _focus(said: Said, kind: str, least: int) -> Mapping[str, Any]:
    profile = profile_of(said.producer, kind)
    return {"code": type_of(kind), **({"profile": profile} if profile else {}), "min": least, "max": "1"}


def _operation(operation: Operation) -> Resource:
    return {
        "resourceType": "OperationDefinition",
        **_published(operation_url(operation), operation.title),
        "kind": "operation",
        "description": operation.description,
        "affectsState": False,
        "code": operation.code,
        "comment": "Asked with GET; it changes nothing and takes no parameter.",
        "resource": [operation.kind],
        "system": False,
        "type": False,
        "instance": True,
        "parameter": list(_parameters(operation, "")),
    }


def _inquiry(inquiry: Inquiry) -> Resource:
    sent = {
        "name": "bundle",
        "use": "in",
        "min": 1,
        "max": "1",
        "documentation": "What a referral brings",
        "type": "Bundle",
    }
    asked = [
        {"name": name, "use": "in", "min": 0, "max": "1", "documentation": sentence, "type": fhir_type}
        for name, fhir_type, sentence in inquiry.asks
    ]
    return {
        "resourceType": "OperationDefinition",
        **_published(operation_url(inquiry), inquiry.title),
        "kind": "operation",
        "description": inquiry.description,
        "affectsState": False,
        "code": inquiry.code,
        "comment": "The Bundle is the body; the other parameters stand in the address. Nothing is stored.",
        "system": True,
        "type": False,
        "instance": False,
        "parameter": [sent, *asked, *_parameters(inquiry, "")],
    }


def _parameters(operation: Operation | Inquiry, within: str) -> Iterator[Mapping[str, Any]]:
    """The parameters of the answer; `a.b` is a part of `a`, and what is made of parts may come any number of times."""
    always = {
        name for name, kind, _ in operation.parts if kind and "." not in name and isinstance(operation, Operation)
    }
    always |= {name for name, _, _ in operation.parts[:1]}
    for name, fhir_type, sentence in operation.parts:
        above, _, own = name.rpartition(".")
        if above == within:
            parts = list(_parameters(operation, name))
            yield {
                "name": own,
                "use": "out",
                "min": int(name in always),
                "max": "*" if parts or name in SEVERAL else "1",
                "documentation": sentence,
                **({"part": parts} if parts else {"type": fhir_type}),
            }
