"""By what authorizations, their answers and their Tasks are found: the search parameters of each type."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from services.auth.decision.experience import decision
from services.auth.words import ORDER, extension
from shared.core import Resource
from shared.fhir.searching import Values, codes, dates, identifiers, plain, references, referred
from shared.visits.search import APPOINTMENTS


def by_order(resource: Resource) -> Sequence[str]:
    """The order that an extension names."""
    return referred((extension(resource, ORDER) or {}).get("valueReference", {}))


_COMMON: Mapping[str, Values] = {
    "identifier": identifiers, "patient": references("patient"), "status": plain("status"),
}  # fmt: skip
_ANSWER: Mapping[str, Values] = {**_COMMON, "request": references("request")}

SEARCH: Mapping[str, Mapping[str, Values]] = {
    "Appointment": APPOINTMENTS,
    "ChargeItem": {
        **_COMMON, "code": codes("code"), "patient": references("subject"), "subject": references("subject"),
    },
    "Claim": {**_COMMON, "order": by_order},
    "ClaimResponse": {**_ANSWER, "decision": decision},
    "CoverageEligibilityRequest": {**_COMMON, "order": by_order},
    "CoverageEligibilityResponse": {**_ANSWER, "order": by_order},
    "DocumentReference": {
        **_COMMON, "date": dates("date"), "patient": references("subject"), "subject": references("subject"),
        "type": codes("type"),
    },
    "QuestionnaireResponse": {
        "authored": dates("authored"), "based-on": references("basedOn"), "identifier": identifiers,
        "patient": references("subject"), "status": plain("status"), "subject": references("subject"),
    },
    "Subscription": {"criteria": plain("criteria"), "status": plain("status")},
    "Task": {
        **_COMMON, "authored-on": dates("authoredOn"), "based-on": references("basedOn"),
        "business-status": codes("businessStatus"), "code": codes("code"), "focus": references("focus"),
        "owner": references("owner"), "patient": references("for"), "subject": references("for"),
    },
}  # fmt: skip
