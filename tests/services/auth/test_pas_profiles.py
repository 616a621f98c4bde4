"""The request Bundle against the snapshots of Da Vinci PAS 2.2.1: cardinalities, fixed values, reference targets."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from services.auth.bundles import inquiry_bundle, request_bundle
from services.auth.claims import PAS
from services.auth.words import target
from shared.core import CANONICAL
from tests.services.auth.journey import Journey
from tests.services.auth.patient import PRACTICE, coverage, order, patient, referral, validator

PACKAGE = Path(__file__).resolve().parents[3].parent / "shared/packages/hl7.fhir.us.davinci-pas-2.2.1.tgz"
PROFILES = {
    "Patient": "profile-beneficiary", "Coverage": "profile-coverage", "Practitioner": "profile-practitioner",
    "PractitionerRole": "profile-practitionerrole", "Organization": "profile-organization",
}  # fmt: skip
"""The profile of what a Claim leads to; evidence is US Core and not judged here."""


@cache
def snapshots() -> Mapping[str, list[dict[str, Any]]]:
    """Profile name -> the elements of its snapshot."""
    found = {}
    with tarfile.open(PACKAGE) as package:
        for member in package:
            name = member.name.rpartition("/")[2]
            if name.startswith("StructureDefinition-") and name.endswith(".json"):
                content = package.extractfile(member)
                assert content is not None
                profile = name.removeprefix("StructureDefinition-").removesuffix(".json")
                found[profile] = json.load(content)["snapshot"]["element"]
    return found


def broken(resource: Mapping[str, Any], profile: str) -> Iterator[str]:
    """Every element of a profile that a resource does not keep (of its slices only the extensions, by their url)."""
    for element in snapshots()[profile]:
        *above, last = element["id"].split(".")
        if not above or _is_other_slice(element["id"]):
            continue
        for parent in _at(resource, above[1:]):
            values = _named(parent, last)
            least, most = element["min"], element["max"]
            if len(values) < least or (most != "*" and len(values) > int(most)):
                yield f"{element['id']}: {len(values)} of {least}..{most}"
            yield from (f"{element['id']}: fixed" for v in values for want in _fixed(element) if not _holds(v, want))
            yield from (f"{element['id']}: target" for v in values if not _may_cite(element, v))


def _is_other_slice(path: str) -> bool:
    """Whether a path leads through a slice that is not an extension's own."""
    *above, last = path.split(".")
    return any(":" in part for part in above) or (":" in last and not last.startswith("extension:"))


def _at(resource: Any, path: list[str]) -> list[Any]:
    found = [resource]
    for part in path:
        found = [v for parent in found for v in _named(parent, part)]
    return found


def _named(parent: Any, part: str) -> list[Any]:
    """The values of an element, of one slice of extensions, or of a choice."""
    name, _, sliced = part.partition(":")
    if not isinstance(parent, Mapping) or (sliced and name != "extension"):
        return []
    if sliced:
        return [e for e in parent.get("extension", ()) if e["url"].endswith(f"-{SLICES.get(sliced, sliced)}")]
    stem = name.removesuffix("[x]")
    chosen = [v for k, v in parent.items() if k == stem or (name != stem and k.startswith(stem))]
    return [w for v in chosen for w in (v if isinstance(v, list) else [v])]


SLICES = {"requestType": "serviceItemRequestType"}


def _fixed(element: Mapping[str, Any]) -> list[Any]:
    return [v for k, v in element.items() if k.startswith(("fixed", "pattern"))]


def _holds(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, Mapping):
        return isinstance(value, Mapping) and all(k in value and _holds(value[k], w) for k, w in wanted.items())
    if isinstance(wanted, list):
        return all(any(_holds(v, w) for v in value) for w in wanted)
    return bool(value == wanted)


def _may_cite(element: Mapping[str, Any], value: Any) -> bool:
    literal = target(value) if isinstance(value, Mapping) else None
    targets = [t for kind in element.get("type", ()) for t in kind.get("targetProfile", ())]
    if literal is None or not targets:
        return True
    kinds = {_kind_of(t) for t in targets}
    return literal.partition("/")[0] in kinds or bool(kinds & {None, "Resource"})


def _kind_of(profile: str) -> str | None:
    name = profile.partition("|")[0].rpartition("/")[2]
    elements = snapshots().get(name)
    return elements[0]["id"] if elements else (name if profile.startswith("http://hl7.org/fhir/Str") else None)


def everything_broken(bundle: dict[str, Any], claim_profile: str) -> list[str]:
    claim, *others = [e["resource"] for e in bundle["entry"]]
    found = [*broken(bundle, bundle["meta"]["profile"][0].removeprefix(PAS)), *broken(claim, claim_profile)]
    for resource in others:
        if resource["resourceType"] in PROFILES:
            found += broken(resource, PROFILES[resource["resourceType"]])
    return found


def bare(kind: str, *kept: str, **changes: Any) -> list[dict[str, Any]]:
    """A referral whose resources of one kind have only these elements."""
    shorn = [
        {k: v for k, v in r.items() if k in ("resourceType", "id", *kept)} if r["resourceType"] == kind else r
        for r in referral()
    ]
    return [r | changes if r["resourceType"] == kind else r for r in shorn]


PRACTITIONER = {"reference": "Practitioner/in-doctor"}
VARIANTS = [
    pytest.param(referral(), id="a whole referral"),
    pytest.param(bare("Patient", "name"), id="a patient without identifier and gender"),
    pytest.param(
        [r for r in referral() if r["id"] != "in-p"] + [patient(birthDate="1981", telecom=[{"value": "1"}])],
        id="a patient with half a birth date and half a telephone",
    ),
    pytest.param(
        bare("Coverage", "status", "beneficiary", "payor", identifier=[{"value": "PHP-482913507"}]),
        id="a coverage whose member id has no type",
    ),
    pytest.param(
        [r for r in referral() if r["id"] != "in-coverage"] + [coverage(subscriber={"reference": "Patient/in-p"})],
        id="a coverage that names the subscriber",
    ),
    pytest.param([*referral()[1:], order(requester=PRACTITIONER)], id="a practitioner without a role"),
    pytest.param([*referral()[1:], order(requester={"reference": "Practitioner/gone"})], id="a prescriber we lack"),
]


@pytest.mark.parametrize("received", VARIANTS)
async def test_every_request_keeps_the_profiles_it_declares(received: list[dict[str, Any]]) -> None:
    journey = Journey().benefit_known(*received)
    bundle = request_bundle(journey.one("Claim"), await journey.gathered(), PRACTICE, PRACTICE.payers[0])
    assert everything_broken(bundle, "profile-claim") == []
    assert [i for e in bundle["entry"] for i in validator().check(e["resource"])] == []
    asked = inquiry_bundle(journey.one("Claim"), await journey.gathered(), PRACTICE, PRACTICE.payers[0])
    assert everything_broken(asked, "profile-claim-inquiry") == []


@pytest.mark.parametrize("requester", ["PractitionerRole/in-role", "Practitioner/in-doctor"])
async def test_the_prescriber_is_sent_in_a_role_that_can_be_reached(requester: str) -> None:
    journey = Journey().benefit_known(*referral()[1:], order(requester={"reference": requester}))
    bundle = request_bundle(journey.one("Claim"), await journey.gathered(), PRACTICE, PRACTICE.payers[0])
    cited = bundle["entry"][0]["resource"]["careTeam"][0]["provider"]["reference"]
    (role,) = [e["resource"] for e in bundle["entry"] if e["fullUrl"] == CANONICAL + cited]
    assert (role["resourceType"], role["practitioner"]) == ("PractitionerRole", PRACTITIONER)
    assert role["telecom"] == [{"system": "phone", "value": "402-555-0117"}]  # invariant pd-1


async def test_a_member_who_is_the_subscriber_says_so_in_both_codes() -> None:
    journey = Journey().benefit_known()
    bundle = request_bundle(journey.one("Claim"), await journey.gathered(), PRACTICE, PRACTICE.payers[0])
    (sent,) = [e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == "Coverage"]
    assert [c["code"] for c in sent["relationship"]["coding"]] == ["self", "18"]  # invariant self-beneficiary


async def test_evidence_is_cited_as_what_may_be_cited() -> None:
    journey = Journey().benefit_known()
    bundle = request_bundle(journey.one("Claim"), await journey.gathered(), PRACTICE, PRACTICE.payers[0])
    resources = {e["fullUrl"].removeprefix(CANONICAL): e["resource"] for e in bundle["entry"]}
    claim = bundle["entry"][0]["resource"]
    slice_id = "Claim.supportingInfo:AdditionalInformation.value[x]"
    (element,) = [e for e in snapshots()["profile-claim"] if e["id"] == slice_id]
    named = {t.partition("|")[0].rpartition("/")[2] for t in element["type"][0]["targetProfile"]}
    kinds = [target(i["valueReference"]).partition("/")[0] for i in claim["supportingInfo"]]  # type: ignore[union-attr]
    assert all(any(kind.lower() in name.replace("-", "") for name in (n.lower() for n in named)) for kind in kinds)
    (enclosed,) = [r for r in resources.values() if r["resourceType"] == "Bundle"]
    assert enclosed["entry"][0]["resource"]["resourceType"] == "MedicationStatement"


async def test_the_prescription_is_the_requested_service_only_as_an_active_order() -> None:
    for intent, cited in (("order", ["MedicationRequest/in-drug"]), ("plan", [])):
        drug = next(r for r in referral() if r["id"] == "in-drug") | {"intent": intent}
        journey = Journey().benefit_known(*[r for r in referral() if r["id"] != "in-drug"], drug)
        extensions = journey.one("Claim")["item"][0]["extension"]
        named = [target(e["valueReference"]) for e in extensions if e["url"] == PAS + "extension-requestedService"]
        assert named == cited
