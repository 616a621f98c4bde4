"""Reads what more a payer wants before it decides: by which number it asks, for what, until when.

Source: Da Vinci PAS 2.2.1, additional information, profile-communicationrequest (a LOINC code in each payload, X12 755
in its category), profile-task (attachments-needed, questionnaire-context); 102089-0 stands for a questionnaire.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from services.auth.wire.claims import PAS, PAS_CODES
from services.auth.words import code_of, day, extension, target
from shared.core import Resource

LINE = PAS + "extension-serviceLineNumber"
MODIFIER = PAS + "extension-contentModifier"
REPORT_TYPE = "https://codesystem.x12.org/005010/755"
LOINC = "http://loinc.org"
QUESTIONNAIRE = "102089-0"
CODE = re.compile(r"[0-9]{1,7}-[0-9]")

NOTES: Mapping[str, str] = {
    "10160-0": "history of medication use",
    "11488-4": "consultation note",
    "11506-3": "progress note",
    "18776-5": "plan of care note",
    "18842-5": "discharge summary",
    "34108-1": "outpatient note",
    "34117-2": "history and physical note",
    "34133-9": "summary of episode note",
    "51852-2": "letter",
    "57133-1": "referral note",
}
"""LOINC code of a document that every review asks for -> how a person calls it."""

CALLED: Mapping[str, str] = {
    **NOTES,
    "11502-2": "laboratory report",
    "18748-4": "diagnostic imaging report",
    "28570-0": "procedure note",
    QUESTIONNAIRE: "answers to the payer's questionnaire",
}
"""LOINC code of a document -> how a person calls it; any other is told by its code."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One request of a payer for more.

    number  (system, value) by which the payer tracks it.
    codes   LOINC codes of what is wanted; `words` what it says otherwise.
    items   sequences of the Claim's items it is about; none means all.
    narrow  whether it wants only some of a kind (a content modifier), which a person has to read.
    """

    number: tuple[str, str]
    codes: tuple[str, ...]
    words: tuple[str, ...]
    by: date | None
    items: tuple[int, ...]
    narrow: bool = False

    @property
    def told(self) -> str:
        """What is wanted, in words."""
        named = [self.called(c) for c in self.codes]
        about = f", for item {', '.join(map(str, self.items))}" if self.items else ""
        return ", ".join([*named, *self.words]) + about

    @staticmethod
    def called(code: str) -> str:
        """How a person calls what has this LOINC code."""
        return f"{CALLED[code]} (LOINC {code})" if code in CALLED else f"LOINC {code}"


def wanted_by(response: Resource) -> tuple[Wanted, ...]:
    """What an answer, as we keep it, asks for besides."""
    cited = {target(c) for c in response.get("communicationRequest", ())}
    inside = (r for r in response.get("contained", ()) if r["resourceType"] == "CommunicationRequest")
    return tuple(_wanted(r) for r in inside if f"#{r['id']}" in cited)


def _wanted(request: Resource) -> Wanted:
    identifier: Mapping[str, Any] = next(iter(request.get("identifier", ())), {})
    payloads = request.get("payload", ())
    said = [str(p["contentString"]).strip() for p in payloads if "contentString" in p]
    ends = (request.get("occurrencePeriod") or {}).get("end") or request.get("occurrenceDateTime")
    lines = (e.get("valuePositiveInt") for e in request.get("extension", ()) if e.get("url") == LINE)
    codes = tuple(s for s in said if CODE.fullmatch(s))
    return Wanted(
        number=(str(identifier.get("system", "")), str(identifier.get("value", request["id"]))),
        codes=codes,
        words=tuple(s for s in said if s not in codes) or (() if codes else tuple(_categories(request))),
        by=day(ends),
        items=tuple(int(n) for n in lines if n is not None),
        narrow=any(extension(p, MODIFIER) for p in payloads),
    )


def _categories(request: Resource) -> Iterator[str]:
    """The kinds of report asked for, where no payload says more."""
    for category in request.get("category", ()):
        coding: Mapping[str, Any] = next(iter(category.get("coding", ())), {})
        named = category.get("text") or coding.get("display")
        yield named or f"report type {coding.get('code', 'not said')} (X12 755)"


# What an answer brings beside itself


def with_requests(response: Mapping[str, Any], beside: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """An answer with the requests for more that came in the same Bundle inside it.

    Those it cites are taken as they are; a Task that asks for attachments is told as the request it stands for.
    """
    entries = [e for e in beside if isinstance(e.get("resource"), Mapping)]
    cited = _mappings(response.get("communicationRequest"))
    named = {name: e["resource"] for e in entries for name in _names(e)}
    known = {literal: named[literal] for c in cited if (literal := target(c)) in named and literal}
    asked = [*known.values(), *(_as_request(e["resource"]) for e in entries if _asks(e["resource"]))]
    inside = [{**_bare(r), "id": f"wanted-{n}"} for n, r in enumerate(asked, 1)]
    if not inside:
        return dict(response)
    others = [c for c in cited if target(c) not in known]
    return {
        **response,
        "contained": [*_mappings(response.get("contained")), *inside],
        "communicationRequest": [*others, *({"reference": f"#{r['id']}"} for r in inside)],
    }


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    return [v for v in value if isinstance(v, Mapping)] if isinstance(value, list | tuple) else []


def _names(entry: Mapping[str, Any]) -> list[str]:
    resource = entry["resource"]
    if resource.get("resourceType") != "CommunicationRequest":
        return []
    return [str(entry.get("fullUrl", "")), f"CommunicationRequest/{resource.get('id')}"]


def _bare(request: Mapping[str, Any]) -> dict[str, Any]:
    """Without what a contained resource may not have."""
    return {k: v for k, v in request.items() if k not in ("meta", "text", "contained")}


ASKING = ("attachment-request-code", "attachment-request-questionnaire")
NEEDED, CONTEXT = "attachments-needed", "questionnaire-context"


def _asks(resource: Mapping[str, Any]) -> bool:
    return resource.get("resourceType") == "Task" and _coded(resource.get("code"), PAS_CODES) in ASKING


def _coded(value: Any, system: str) -> str | None:
    """The code of this system in what is a CodeableConcept, if it is one."""
    codings = _mappings(value.get("coding")) if isinstance(value, Mapping) else []
    return code_of({"coding": codings}, system)


def _as_request(task: Mapping[str, Any]) -> dict[str, Any]:
    """A payer's Task as the CommunicationRequest that asks for the same."""
    inputs = _mappings(task.get("input"))
    said = [content for i in inputs for content in _contents(i)]
    lines = [e for i in inputs for e in _mappings(i.get("extension")) if e.get("url") == LINE]
    return {
        "resourceType": "CommunicationRequest",
        **({"extension": lines} if lines else {}),
        **({"identifier": task["identifier"]} if "identifier" in task else {}),
        "status": "active",
        **({"payload": [{"contentString": s} for s in said]} if said else {}),
        **_until(task.get("restriction")),
    }


def _until(restriction: Any) -> dict[str, Any]:
    match restriction:
        case {"period": {"end": end}}:
            return {"occurrencePeriod": {"end": end}}
    return {}


def _contents(asked: Mapping[str, Any]) -> Iterator[str]:
    kind = _coded(asked.get("type"), PAS_CODES)
    if kind == NEEDED:
        yield _coded(asked.get("valueCodeableConcept"), LOINC) or "a document named without a LOINC code"
    if kind == CONTEXT:
        yield QUESTIONNAIRE
