"""Reads the coverage information out of a payer's answer to a hook; what cannot be relied on is said in words.

Source: CDS Hooks 2.0 (systemActions), Da Vinci CRD 2.0.1 ext-coverage-information: `coverage`, `covered`, `date` and
`coverage-assertion-id` once, `satisfied-pa-id` where an authorization counts as given.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from services.auth.words import COVERAGE_ASSERTION, target
from shared.catalogue import billed
from shared.core import Resource

COVERAGE_INFORMATION = "http://hl7.org/fhir/us/davinci-crd/StructureDefinition/ext-coverage-information"
NOT_COVERED = "not-covered"
COVERED = ("covered", NOT_COVERED, "conditional")
AUTHORIZATION: Mapping[str, str] = {
    "no-auth": "No authorization is needed.",
    "satisfied": "The authorization counts as given.",
    "auth-needed": "An authorization is needed.",
    "performpa": "An authorization is needed, which whoever performs it asks for.",
    "conditional": "It cannot be said yet whether an authorization is needed.",
}
"""Value of `pa-needed` -> what it says."""
WANTED = ("doc-needed", "info-needed")
LONGEST = 256
"""Characters of an id or a number that are taken."""


@dataclass(frozen=True, slots=True)
class Assertion:
    """What a payer's rules say of an order: covered, authorization (CRD codes), the day and the id of the statement.

    number  under which an authorization counts as given.
    wanted  what documents or information the payer's rules would want besides, in CRD's codes.
    """

    covered: str
    authorization: str
    on: str
    key: str
    number: str
    wanted: tuple[str, ...]

    @property
    def words(self) -> str:
        """The statement in words."""
        if self.covered == NOT_COVERED:
            return f"Not covered (statement {self.key})."
        number = f", number {self.number}" if self.number else ""
        return f"{AUTHORIZATION[self.authorization]} ({self.authorization}, statement {self.key}{number})"

    def element(self, hook: str) -> dict[str, Any]:
        """As the extension that keeps it."""
        parts = [
            {"url": "hook", "valueCode": hook},
            {"url": "covered", "valueCode": self.covered},
            {"url": "authorization", "valueCode": self.authorization},
            {"url": "asserted", "valueDate": self.on},
            {"url": "statement", "valueString": self.key},
            *({"url": "wanted", "valueCode": code} for code in self.wanted),
        ]
        return {"url": COVERAGE_ASSERTION, "extension": parts}


def asserted(body: Mapping[str, Any], request: Resource, order: str, visits: Collection[str] = ()) -> Assertion | str:
    """What an answer says of the Coverage and drug of a benefit request, or why nothing can be made of it.

    It counts on the order that was sent (`Type/id`); on the visits that were sent, only where it names the drug.
    """
    coverage = target(request["insurance"][0]["coverage"])
    hcpcs = billed(request["item"][0]["productOrService"])
    named = (i for i in _information(body, visits) if _codes_of(i))
    about = [i for i in (*_information(body, (order,)), *named) if _is_about(i, coverage, hcpcs)]
    if not about:
        return "The answer holds no coverage information on this coverage and drug."
    read = [_read(i) for i in about]
    if None in read:
        return "The answer's coverage information lacks what it must say, or says what CRD does not know."
    said = {(a.covered, a.authorization, a.number): a for a in read if a is not None}
    return next(iter(said.values())) if len(said) == 1 else "The answer contradicts itself about this drug."


def _information(body: Mapping[str, Any], sent: Collection[str]) -> Iterator[Mapping[str, Any]]:
    """Every coverage-information of those resources sent that the answer updates."""
    updates = (a for a in _objects(body.get("systemActions")) if a.get("type") == "update")
    for resource in _objects([a.get("resource") for a in updates]):
        if f"{resource.get('resourceType')}/{resource.get('id')}" in sent:
            yield from (e for e in _objects(resource.get("extension")) if e.get("url") == COVERAGE_INFORMATION)


def _objects(value: Any) -> Iterator[Mapping[str, Any]]:
    return (v for v in value if isinstance(v, Mapping)) if isinstance(value, list) else iter(())


def _values(information: Mapping[str, Any], name: str) -> Iterable[Any]:
    parts = (p for p in _objects(information.get("extension")) if p.get("url") == name)
    return [v for p in parts for k, v in p.items() if k.startswith("value")]


def _text(information: Mapping[str, Any], name: str) -> str:
    found = list(_values(information, name))
    one = found[0] if len(found) == 1 and isinstance(found[0], str) else ""
    return one.strip() if len(one) <= LONGEST else ""


def _is_about(information: Mapping[str, Any], coverage: str | None, hcpcs: str | None) -> bool:
    named = [v.get("reference") for v in _values(information, "coverage") if isinstance(v, Mapping)]
    same = any(isinstance(n, str) and (n == coverage or n.endswith(f"/{coverage}")) for n in named)
    codes = _codes_of(information)
    return same and (not codes or hcpcs in codes)


def _codes_of(information: Mapping[str, Any]) -> list[Any]:
    """The billing codes it names; what is no Coding names another drug."""
    return [v.get("code", "") if isinstance(v, Mapping) else "" for v in _values(information, "billingCode")]


def _read(information: Mapping[str, Any]) -> Assertion | None:
    covered, said = _text(information, "covered"), _text(information, "pa-needed") or "conditional"
    on, key = _text(information, "date"), _text(information, "coverage-assertion-id")
    number = _text(information, "satisfied-pa-id")
    if covered not in COVERED or said not in AUTHORIZATION or not _is_day(on) or not key:
        return None
    if said == "satisfied" and not number:
        return None
    codes = (v for name in WANTED for v in _values(information, name))
    wanted = tuple(dict.fromkeys(v for v in codes if isinstance(v, str) and v.isascii() and 0 < len(v) <= LONGEST))
    return Assertion(covered, said, on, key, number if said == "satisfied" else "", _codes(wanted))


def _codes(found: Iterable[str]) -> tuple[str, ...]:
    """Those that R4 lets be a code."""
    return tuple(c for c in found if c == " ".join(c.split()))


def _is_day(text: str) -> bool:
    try:
        return len(text) == len("2026-01-12") and date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
