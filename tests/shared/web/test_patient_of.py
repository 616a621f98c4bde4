"""Whose a resource is, as another process has it: by what it says of its patient."""

from __future__ import annotations

import pytest

from shared.web.sight import patient_of


@pytest.mark.parametrize("element", ["subject", "for", "patient", "beneficiary", "securityContext"])
def test_a_resource_is_the_patients_it_names(element: str) -> None:
    assert patient_of({"resourceType": "Any", element: {"reference": "Patient/in-p"}}) == "in-p"


def test_what_names_no_patient_is_nobodys() -> None:
    assert patient_of({"resourceType": "Binary", "securityContext": {"reference": "Practitioner/in-p"}}) is None
