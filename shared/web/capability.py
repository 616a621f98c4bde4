"""The CapabilityStatement of one process, from its services' declarations and what its door really takes."""

from __future__ import annotations

from collections.abc import Sequence

from shared.app import Application
from shared.clock import stamp
from shared.core import Resource, Service, derived_id
from shared.ports import Door
from shared.version import VERSION
from shared.web.requests import FHIR_JSON, Refused, refused
from shared.web.search import kinds_of

_REFERENCES = {"patient", "subject", "order", "request", "based-on", "focus"}
_SMART = {"system": "http://terminology.hl7.org/CodeSystem/restful-security-service", "code": "SMART-on-FHIR"}
_READ = ("read", "vread", "search-type")


class Kinds:
    """Which types are held here, and which of them a client may create or update."""

    def __init__(self, app: Application) -> None:
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

    def interactions(self, kind: str) -> tuple[str, ...]:
        """What works for one type."""
        created = ("create",) if kind in self.created else ()
        updated = ("update",) if any(k == kind for _, k in self._updated) else ()
        return (*_READ, *created, *updated)

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


def _not_allowed(methods: str) -> Refused:
    refusal = refused(405, "not-supported", "an interaction of the CapabilityStatement would be right")
    refusal.headers = {"Allow": methods}
    return refusal


def _takes(door: Door, service: Service, kind: str, *, known: bool) -> bool:
    """Whether the door takes one resource of this type alone: asked with an empty one, it says if the type is wrong."""
    identity = {"id": derived_id(service.prefix, kind, "probe")} if known else {}
    answer = door.single({"resourceType": kind, **identity}, "")
    return not isinstance(answer, tuple) or all(issue.code != "not-supported" for issue in answer)


def capability_statement(app: Application, kinds: Kinds) -> Resource:
    """What `/fhir/metadata` answers: the types held, the interactions and the search parameters that really work."""
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": stamp(app.clock()),
        "kind": "instance",
        "software": {"name": "Carepod", "version": VERSION},
        "implementation": {"description": "Carepod", "url": app.settings.base_url + "/fhir"},
        "fhirVersion": "4.0.1",
        "format": [FHIR_JSON, "json"],
        "rest": [
            {
                "mode": "server",
                "security": {"service": [{"coding": [_SMART]}]},
                "resource": [_held(kind, sorted(names), kinds) for kind, names in kinds.parameters.items()],
                "interaction": [{"code": "transaction"}],
            }
        ],
    }


def _held(kind: str, names: Sequence[str], kinds: Kinds) -> Resource:
    return {
        "type": kind,
        "interaction": [{"code": code} for code in kinds.interactions(kind)],
        "versioning": "versioned",
        "readHistory": True,
        "updateCreate": False,
        "conditionalCreate": False,
        "searchParam": [{"name": name, "type": _kind_of(name)} for name in names],
    }


def _kind_of(name: str) -> str:
    return "reference" if name in _REFERENCES else "date" if name == "date" else "token"
