"""Says by what visits, their plans and their Tasks are found: the values of each search parameter."""

from __future__ import annotations

from collections.abc import Mapping

from shared.fhir.searching import Values, codes, dates, identifiers, participants, plain, references

Parameters = Mapping[str, Values]
"""Search parameter -> its values in a resource."""

APPOINTMENTS: Parameters = {
    "based-on": references("basedOn"), "date": dates("start"), "identifier": identifiers, "patient": participants,
    "status": plain("status"),
}  # fmt: skip
PLANS: Parameters = {"patient": references("subject"), "status": plain("status")}
TASKS: Parameters = {
    "authored-on": dates("authoredOn"), "based-on": references("basedOn"), "business-status": codes("businessStatus"),
    "code": codes("code"), "focus": references("focus"), "identifier": identifiers, "owner": references("owner"),
    "part-of": references("partOf"), "patient": references("for"), "status": plain("status"),
}  # fmt: skip
