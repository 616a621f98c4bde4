"""What is judged, by both validators: our examples, what a demo emits, and the examples of published packages."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from contracts.build import COMPILED
from contracts.conformance.definitions import PACKAGES, members, package
from contracts.conformance.examples import Example
from contracts.conformance.journeys import Emitted
from contracts.conformance.recorded import digest, shape
from shared.core import CANONICAL
from shared.fhir.definitions import Definitions, carepod, r4
from shared.fhir.json import GateError, decode, encode
from shared.fhir.outcomes import Issue, errors
from shared.fhir.profiles import Validator

US_CORE, US_CORE_6, PAS = "hl7.fhir.us.core-8.0.0", "hl7.fhir.us.core-6.1.0", "hl7.fhir.us.davinci-pas-2.2.1"
WITH = {US_CORE_6: (US_CORE_6,), US_CORE: (US_CORE,), PAS: (US_CORE, PAS)}
"""Package -> the packages known where its examples are judged; PAS names US Core 7.0.0, for which 8.0.0 stands in."""
DAVINCI = "/us/davinci-pas/StructureDefinition/profile-"
ROUNDS = ("examples", "journeys", "packages")
US_CORE_PROFILES = {
    "Patient": "patient", "Coverage": "coverage", "Practitioner": "practitioner", "Organization": "organization",
    "PractitionerRole": "practitionerrole", "MedicationRequest": "medicationrequest", "Condition":
    "condition-problems-health-concerns", "ServiceRequest": "servicerequest", "DocumentReference": "documentreference",
}  # fmt: skip
"""What of a PAS request has a US Core profile; an Observation has one by its category."""
OBSERVATIONS = {
    "laboratory": "observation-lab", "survey": "simple-observation", "vital-signs": "vital-signs",
}  # fmt: skip
"""Category of an Observation -> its US Core profile; one without is held to be a laboratory result."""
OURS = CANONICAL + "StructureDefinition/"
ENVELOPES = frozenset({"message"})


@dataclass(frozen=True, slots=True)
class Asked:
    """One input: its JSON text, its digest, the profiles asked for, the packages known beside base R4 and ours."""

    name: str
    text: str
    digest: str
    profiles: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    ours: bool = True
    wanted: bool | None = None
    """Whether it should be valid; None where only agreement counts."""


def of_examples(examples: Sequence[Example]) -> Iterator[Asked]:
    """Each example against its profile."""
    for example in examples:
        text = encode(example.resource).decode()
        told = digest([example.resource, example.profile])
        packages = (US_CORE, PAS) if DAVINCI in text else ()
        yield Asked(example.name, text, told, (example.profile,), packages, wanted=example.issue is None)


def of_journeys(emitted: Sequence[Emitted]) -> Iterator[Asked]:
    """One of each shape that was emitted; what a payer received also against PAS, whose profiles it claims."""
    found: dict[str, Asked] = {}
    for each in emitted:
        told = shape(_envelope(each.resource) if each.to in ENVELOPES else each.resource)
        name = f"{each.to} {each.kind} {told}"
        packages = (US_CORE, PAS) if each.to == "payer" else ()
        found.setdefault(name, Asked(name, encode(each.resource).decode(), told, packages=packages, wanted=True))
    return iter(found.values())


def outward(emitted: Sequence[Emitted]) -> Iterator[Asked]:
    """One of each shape of what a payer received, against its US Core profile."""
    found: dict[str, Asked] = {}
    for resource in (entry["resource"] for each in emitted if each.to == "payer" for entry in each.resource["entry"]):
        profile = us_core(resource)
        told = shape(resource)
        name = f"payer {resource['resourceType']} {told}"
        if profile:
            asked = Asked(name, encode(resource).decode(), told, (profile,), (US_CORE, PAS), wanted=True)
            found.setdefault(name, asked)
    return iter(found.values())


def us_core(resource: Mapping[str, Any]) -> str:
    """The US Core profile for a resource; "" where it has none."""
    name = US_CORE_PROFILES.get(resource["resourceType"], "")
    if resource["resourceType"] == "Observation":
        codes = [c.get("code") for each in resource.get("category", ()) for c in each.get("coding", ())]
        name = next((OBSERVATIONS[c] for c in codes if c in OBSERVATIONS), OBSERVATIONS["laboratory"])
    return f"http://hl7.org/fhir/us/core/StructureDefinition/us-core-{name}" if name else ""


def _envelope(bundle: Mapping[str, Any]) -> dict[str, Any]:
    """A message without what it carries, which is judged by itself."""
    first, *carried = [entry["resource"] for entry in bundle["entry"]]
    return {**bundle, "entry": [first, *({"resourceType": r["resourceType"]} for r in carried)]}


def of_package(name: str, packages: Path = PACKAGES) -> Iterator[Asked]:
    """Each example in a package, against what it claims."""
    for file, body in members(package(name, packages), "package/example"):
        text = body.decode("utf-8-sig")
        if '"resourceType"' in text:
            told = hashlib.sha256(body).hexdigest()[:16]
            yield Asked(f"{name} {file}", text, told, packages=WITH[name], ours=False)


def ours_says(asked: Asked) -> list[Issue]:
    """The errors our own validator finds."""
    try:
        resource = decode(asked.text.encode(), limit=50 * 1024 * 1024, parts=None)
    except GateError as error:
        return list(error.issues)
    issues = validator(asked.packages, asked.ours).check(resource, asked.profiles, claimed=True)
    return errors(issues)


@cache
def validator(packages: tuple[str, ...] = (), ours: bool = True) -> Validator:
    """Our validator with those of these packages known that are at hand."""
    known: Definitions = carepod() if ours else r4()
    for archive in (package(name) for name in packages):
        known = known.with_package(archive.read_bytes()) if archive.exists() else known
    return Validator(known)


def profiles_digest() -> str:
    """A digest of all our compiled profiles: a record holds for these only."""
    table = json.loads(gzip.decompress(COMPILED.read_bytes()))
    return digest({key: value for key, value in table.items() if key not in ("fsh", "sushi")})
