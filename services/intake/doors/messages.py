"""Reads a referral message (BSeR: REF^I12), and writes the answer that message always gets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from services.intake.doors.shapes import ORDERS, Named
from shared.core import Resource
from shared.fhir.outcomes import Issue, outcome

EVENT_SYSTEM = "http://terminology.hl7.org/CodeSystem/v2-0003"
EVENT = "I12"
_EVENT = {"system": EVENT_SYSTEM, "code": EVENT}
_FOCUS = "The Task (or ServiceRequest) of this Bundle that asks for the referral would be right"


@dataclass(frozen=True, slots=True)
class Message:
    """A message Bundle without faults."""

    bundle: Resource

    @property
    def header(self) -> Resource:
        return _header(self.bundle)

    @property
    def id(self) -> str:
        return str(self.header["id"])

    @property
    def entries(self) -> tuple[Named, ...]:
        """What the message brings, without its header."""
        return tuple((e.get("fullUrl"), e["resource"]) for e in self.bundle["entry"][1:])


def _header(bundle: Any) -> Mapping[str, Any]:
    """The MessageHeader of any JSON, or an empty one."""
    match bundle:
        case {"entry": [{"resource": {"resourceType": "MessageHeader"} as header}, *_]}:
            return dict(header)
    return {}


def message_id(bundle: Any) -> str | None:
    """The id by which a sender knows his message, of any JSON."""
    found = _header(bundle).get("id")
    return found if isinstance(found, str) and found else None


def message_faults(bundle: Resource) -> tuple[Issue, ...]:
    """Every reason why a Bundle is no referral message; one of another event is not taken at all."""
    header = _header(bundle)
    if bundle.get("type") != "message" or not header:
        return (Issue("structure", "Bundle", "A Bundle of type message whose first entry is a MessageHeader"),)
    return (*_header_faults(header), *_focus_faults(header, bundle))


def _header_faults(header: Mapping[str, Any]) -> tuple[Issue, ...]:
    where = "Bundle.entry[0].resource"
    issues = []
    if not header.get("id"):
        text = "An id that is the same whenever this message is sent again would be right"
        issues.append(Issue("required", f"{where}.id", text))
    event = header.get("eventCoding", {})
    if (event.get("system"), event.get("code")) != (EVENT_SYSTEM, EVENT):
        text = f"{EVENT_SYSTEM}#{EVENT}, a patient referral, would be right: no other event is taken"
        issues.append(Issue("not-supported", f"{where}.event", text))
    return tuple(issues)


def _focus_faults(header: Mapping[str, Any], bundle: Resource) -> tuple[Issue, ...]:
    where = "Bundle.entry[0].resource.focus"
    named = [f.get("reference", "") for f in header.get("focus", ())]
    brought = {n for e in bundle["entry"] if e["resource"]["resourceType"] in ORDERS for n in _names(e)}
    if len(named) != 1:
        return (Issue("required", where, _FOCUS),)
    return () if named[0] in brought else (Issue("not-found", f"{where}[0]", _FOCUS),)


def _names(entry: Mapping[str, Any]) -> Sequence[str]:
    resource = entry["resource"]
    return (str(entry.get("fullUrl", "")), f"{resource['resourceType']}/{resource.get('id', '')}")


def reply(message: str, client: str, base: str, focus: str | None, issues: Sequence[Issue] = ()) -> Resource:
    """The answer to a message: the same for the same message of the same client, whenever it is asked for.

    `focus` is the referral Task it became; without one it is a `fatal-error` with every issue.
    """
    own = str(uuid5(NAMESPACE_URL, f"{base}/message/{client}/{message}"))
    details = f"urn:uuid:{uuid5(NAMESPACE_URL, own)}"
    response: dict[str, Any] = {"identifier": message, "code": "ok" if focus else "fatal-error"}
    told = {"focus": [{"reference": f"{base}/{focus}"}]} if focus else {}
    header: dict[str, Any] = {
        "resourceType": "MessageHeader", "id": own, "eventCoding": _EVENT, "source": {"endpoint": base},
        "response": response if focus else {**response, "details": {"reference": details}}, **told,
    }  # fmt: skip
    said = _taken(base, focus) if focus else {"fullUrl": details, "resource": outcome(issues)}
    entries = [{"fullUrl": f"urn:uuid:{own}", "resource": header}, said]
    return {"resourceType": "Bundle", "id": own, "type": "message", "entry": entries}


def _taken(base: str, focus: str) -> dict[str, Any]:
    """The referral Task as it is whenever a message has just been taken; where it stands now is read at its address."""
    kind, _, task_id = focus.partition("/")
    task = {"resourceType": kind, "id": task_id, "status": "received", "intent": "order"}
    return {"fullUrl": f"{base}/{focus}", "resource": task}
