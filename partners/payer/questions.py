"""The question sets of a pharmacy benefit, handed out for a member and a drug.

Source of the exchange: Da Vinci DTR 2.1, OperationDefinition questionnaire-package.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from partners.payer.facts import member_of, product_of
from partners.payer.verdicts import in_force
from partners.wire import refuse, resource_model

Json = dict[str, Any]


def package(rules: Mapping[str, Any], body: Json, at: datetime) -> Json:
    """The question set of a drug for a member, with its last day. Raises Refused (400, 404, 422)."""
    model = resource_model(body, "Parameters")
    inside = {p.name: p.resource for p in model.parameter or () if p.resource is not None}
    if "coverage" not in inside or "order" not in inside:
        refuse(400, "required", "a Coverage and an order would be right", "Parameters.parameter")
    if not in_force(rules, member_of(inside["coverage"]), at.date()):
        refuse(422, "not-found", "no member of this plan has this number", "Parameters.parameter[0].resource")
    product = product_of(getattr(inside["order"], "medicationCodeableConcept", None))
    found = next((s for s in rules.get("question_sets", ()) if product in s["hcpcs"]), None)
    if found is None:
        refuse(404, "not-found", "no question set is held for this drug", "Parameters.parameter[1].resource")
    questionnaire = copy.deepcopy(found["questionnaire"])
    last = at.date() + timedelta(days=found["answered_within_days"])
    questionnaire |= {"effectivePeriod": {"start": at.date().isoformat(), "end": last.isoformat()}}
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": questionnaire}]}
    return {"resourceType": "Parameters", "parameter": [{"name": "PackageBundle", "resource": bundle}]}
