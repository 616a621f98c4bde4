"""The CapabilityStatement of one process, from its services' declarations and what its door really takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from shared.borders import PROFILE
from shared.core import CANONICAL, Inquiry, Operation, Resource, Service, derived_id
from shared.fhir.searching import refers, type_of
from shared.messages import Catalogue
from shared.ports import Door
from shared.refused import REASONS as OF_THE_LOOP
from shared.settings import Settings
from shared.version import VERSION
from shared.web.deleting import DELETABLE
from shared.web.patching import JSON_PATCH
from shared.web.requests import FHIR_JSON, Refused, refused
from shared.web.search import OF_EVERY_TYPE, RESULT, kinds_of

PROCESS_MESSAGE = "http://hl7.org/fhir/OperationDefinition/MessageHeader-process-message"

_RESULT_TYPES = {"_count": "number", "_summary": "token", "_total": "token"}
_SMART = {"system": "http://terminology.hl7.org/CodeSystem/restful-security-service", "code": "SMART-on-FHIR"}
_READ = ("read", "vread", "history-instance", "search-type")
_AMQP = {"system": "https://www.iana.org/assignments/service-names-port-numbers", "code": "amqp"}

EDITION = "2026-11-22"
"""The day of the last change to what the statement says; raised when the copy in `contracts/capability` changes."""


class Deployment(Protocol):
    """What of an application the statement is made of."""

    @property
    def catalogue(self) -> Catalogue: ...
    @property
    def settings(self) -> Settings: ...


class Kinds:
    """Which types are held here, and which of them a client may create or update."""

    def __init__(self, app: Deployment) -> None:
        catalogue = app.catalogue
        doors = [s for s in catalogue.services if s.door is not None]
        self.parameters = kinds_of(catalogue)
        self.created = frozenset(k for s in doors for k in s.owns if s.door and _takes(s.door, s, k, known=False))
        self._updated = {
            (s.prefix, k)
            for s in catalogue.services
            for k in s.owns
            if k == "Task" or (s.door is not None and _takes(s.door, s, k, known=True))
        }

        self._deleted = {(s.prefix, k) for s in doors for k in s.owns & DELETABLE}

    def interactions(self, kind: str) -> tuple[str, ...]:
        """What works for one type."""
        created = ("create",) if kind in self.created else ()
        updated = ("update", "patch") if any(k == kind for _, k in self._updated) else ()
        deleted = ("delete",) if any(k == kind for _, k in self._deleted) else ()
        return (*_READ, *created, *updated, *deleted)

    def check_held(self, kind: str) -> None:
        """404 for a type nobody here owns."""
        if kind not in self.parameters:
            raise refused(404, "not-supported", "a resource type of the CapabilityStatement would be right")

    def check_created(self, kind: str) -> None:
        """405 for a type that only comes inside a transaction, or is the system's own."""
        self.check_held(kind)
        if kind not in self.created:
            raise _not_allowed("GET")

    def check_updated(self, kind: str, resource_id: str) -> None:
        """405 for what only the system writes."""
        if (resource_id.partition("-")[0], kind) not in self._updated:
            raise _not_allowed("GET")

    def check_takes_back(self, kind: str) -> None:
        """405 for a type of which nothing can be taken back."""
        if all(k != kind for _, k in self._deleted):
            raise _not_allowed("GET")

    def check_deleted(self, kind: str, resource_id: str) -> None:
        """405 for what cannot be taken back, or is the system's own."""
        if (resource_id.partition("-")[0], kind) not in self._deleted:
            raise _not_allowed("GET")


def _not_allowed(methods: str) -> Refused:
    refusal = refused(405, "not-supported", "an interaction of the CapabilityStatement would be right")
    refusal.headers = {"Allow": methods}
    return refusal


def _takes(door: Door, service: Service, kind: str, *, known: bool) -> bool:
    """Whether the door takes one resource of this type alone: asked with an empty one, it says if the type is wrong."""
    identity = {"id": derived_id(service.prefix, kind, "probe")} if known else {}
    answer = door.single({"resourceType": kind, **identity}, "")
    return not isinstance(answer, tuple) or all(issue.code != "not-supported" for issue in answer)


def capability_statement(app: Deployment, kinds: Kinds) -> Resource:
    """What `/fhir/metadata` answers: types, profiles, interactions, searches, operations and messages, as declared."""
    base, services = app.settings.base_url.rstrip("/"), app.catalogue.services
    return {
        "resourceType": "CapabilityStatement",
        "id": "carepod",
        "url": CANONICAL + "CapabilityStatement/carepod",
        "version": VERSION,
        "name": "Carepod",
        "title": "What this Carepod can do",
        "status": "active",
        "date": EDITION,
        "publisher": "Carepod",
        "kind": "instance",
        "software": {"name": "Carepod", "version": VERSION},
        "implementation": {"description": "Carepod", "url": base + "/fhir"},
        "fhirVersion": "4.0.1",
        "format": [FHIR_JSON, "json"],
        "patchFormat": [JSON_PATCH],
        "rest": [
            {
                "mode": "server",
                "security": _security(base),
                "resource": [_held(kind, sorted(names), kinds, services) for kind, names in kinds.parameters.items()],
                "interaction": [{"code": "transaction"}, {"code": "batch"}],
                "searchParam": [_parameter(name) for name in (*OF_EVERY_TYPE, *RESULT)],
                "operation": [
                    {"name": "process-message", "definition": PROCESS_MESSAGE},
                    *(_inquiry(i) for s in services for i in s.inquiries),
                ],
            }
        ],
        "messaging": [_messaging(service, services) for service in services],
    }


def _security(base: str) -> dict[str, Any]:
    """SMART Backend Services; the extension `oauth-uris` says it only with an authorize endpoint, which is not here."""
    return {
        "service": [{"coding": [_SMART]}],
        "description": f"SMART Backend Services (private_key_jwt): `{base}/.well-known/smart-configuration`.",
    }


def _held(kind: str, names: Sequence[str], kinds: Kinds, services: Sequence[Service]) -> dict[str, Any]:
    operations = [o for s in services for o in s.operations if o.kind == kind]
    profiles = sorted({PROFILE + p for s in services for k, p in s.profiles.items() if k.partition("#")[0] == kind})
    return {
        "type": kind,
        **({"supportedProfile": profiles} if profiles else {}),
        "interaction": [{"code": code} for code in kinds.interactions(kind)],
        "versioning": "versioned",
        "readHistory": True,
        "updateCreate": False,
        "conditionalCreate": kind in kinds.created,
        "conditionalRead": "not-match",
        "conditionalUpdate": kind in kinds.created,
        "conditionalDelete": "single" if "delete" in kinds.interactions(kind) else "not-supported",
        **_includes(kind, kinds.parameters),
        **({"searchParam": own} if (own := [_parameter(n) for n in names if n not in OF_EVERY_TYPE]) else {}),
        **({"operation": [_operation(o) for o in operations]} if operations else {}),
    }


def _parameter(name: str) -> dict[str, str]:
    kind = _RESULT_TYPES.get(name) or type_of(name)
    return {"name": name, "type": kind}


def _includes(kind: str, parameters: Mapping[str, set[str]]) -> dict[str, list[str]]:
    """`Type:parameter` of what may come with a type: what it refers to, and what refers to it."""
    own = [f"{kind}:{name}" for name in sorted(parameters[kind]) if type_of(name) == "reference"]
    others = [
        f"{other}:{name}"
        for other, names in parameters.items()
        for name in sorted(names)
        if type_of(name) == "reference" and refers(name, kind)
    ]
    return {k: v for k, v in (("searchInclude", own), ("searchRevInclude", others)) if v}


def _operation(operation: Operation) -> dict[str, Any]:
    return {
        "name": operation.code,
        "definition": operation_url(operation),
        "documentation": f"GET [base]/{operation.kind}/[id]/${operation.code}: {operation.description}",
    }


def _inquiry(inquiry: Inquiry) -> dict[str, Any]:
    return {
        "name": inquiry.code,
        "definition": operation_url(inquiry),
        "documentation": f"POST [base]/${inquiry.code}: {inquiry.description}",
    }


def operation_url(operation: Operation | Inquiry) -> str:
    """The canonical of an operation's OperationDefinition."""
    kind = f"{operation.kind}-" if isinstance(operation, Operation) else ""
    return f"{CANONICAL}OperationDefinition/{kind}{operation.code}"


def message_url(service: str, reason: str) -> str:
    """The canonical of a message's MessageDefinition; two services may say the same reason."""
    return f"{CANONICAL}MessageDefinition/{service}-{reason}"


def _messaging(service: Service, services: Sequence[Service]) -> dict[str, Any]:
    """What one service says and hears, under the endpoint its MessageHeaders name."""
    return {
        "endpoint": [{"protocol": _AMQP, "address": f"{CANONICAL}service/{service.name}"}],
        "documentation": f"Between the services of this deployment alone: what {service.name} says and hears.",
        "supportedMessage": [
            *({"mode": "sender", "definition": message_url(service.name, r)} for r in sorted(service.reasons)),
            *({"mode": "receiver", "definition": message_url(o.name, r)} for o, r in _heard(service, services)),
        ],
    }


def _heard(service: Service, services: Sequence[Service]) -> Iterator[tuple[Service, str]]:
    for other in services:
        if other.name != service.name and service.listens & other.owns:
            yield from ((other, reason) for reason in sorted(other.reasons) if _reaches(service, reason))


def _reaches(service: Service, reason: str) -> bool:
    """Whether a service may hear a message of this name: what the run loop itself says is one Task."""
    return reason not in OF_THE_LOOP or "Task" in service.listens
