"""What a referral means before its sender's system was read: under which ids it waits, and for what.

Law of this file: the ids are those the same referral has once it is read, but for the patient, who is provisional
until his record says who he is.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence

from services.intake.codes import PATIENT_ID, URI
from services.intake.doors.bundles import Arrival, Push, arrival_of, ids_of, patient_of, placer_of, received_as
from services.intake.doors.entries import Entry, read
from services.intake.doors.shapes import ORDERS
from services.intake.pulls.provisional import provisional, pull_task
from services.intake.records import SUBJECT, subject_of
from shared.core import Resource, reference
from shared.fhir.json import encode


def waiting(bundle: Resource, client: str, addresses: Sequence[str], key: str) -> Arrival:
    """What a Bundle means while these addresses have not been read; `key` is what its sender calls it."""
    received = base64.b64encode(encode(bundle)).decode() if bundle["entry"] else ""
    pull = pull_task(client, key, addresses, received)
    entries = read(bundle)
    placer, address = placer_of(bundle, entries), _patient_address(bundle)
    patient = patient_of(entries, client, placer) or provisional(client, address or key)
    known = () if _is_given(entries, patient) else ((PATIENT_ID, patient, patient),)
    if not entries:
        return Arrival(f"patient/{patient}", (pull,), (), known, reference(pull), "pull-wanted")
    push = Push(client, placer, patient)
    named = (_of_patient(e.resource, address, patient) for e in entries)
    entries = read({**bundle, "entry": [{**e, "resource": r} for e, r in zip(bundle["entry"], named, strict=True)]})
    arrival = arrival_of(entries, received_as(bundle, entries, ids_of(entries, push), push), push)
    pull = {**pull, "focus": {"reference": arrival.focus}}
    held = tuple(_of_patient(r, address, patient) for r in arrival.resources if r["resourceType"] in ORDERS)
    return Arrival(arrival.lane, (pull, *held), arrival.entries, known, reference(pull), "pull-wanted")


def _is_given(entries: Sequence[Entry], patient: str) -> bool:
    """Whether the sender wrote our own id of the patient: that alone does not make him one he has sent."""
    return any(subject_of(e.resource) == patient for e in entries if e.type != "Patient")


def _patient_address(bundle: Resource) -> str | None:
    """The address of the patient, where a Task or an order names one."""
    orders = (e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] in ORDERS)
    subjects = (o.get(SUBJECT.get(o["resourceType"], "subject")) or {} for o in orders)
    texts = (str(s.get("reference", "")) for s in subjects)
    return next((t for t in texts if t.startswith(("http://", "https://"))), None)


def _of_patient(resource: Resource, address: str | None, patient: str) -> Resource:
    """A record of the patient at this address, with our id for him, and the address as his identifier."""
    element = SUBJECT.get(resource["resourceType"], "subject")
    subject = resource.get(element)
    ours = f"Patient/{patient}"
    if not isinstance(subject, dict) or address is None or subject.get("reference") not in (address, ours):
        return resource
    return {**resource, element: {**subject, "reference": ours, "identifier": {"system": URI, "value": address}}}
