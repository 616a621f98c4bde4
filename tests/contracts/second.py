"""The second model of FHIR, `fhir.resources` (R4B): where it finds an error."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError


def refused(resource: Mapping[str, Any]) -> list[tuple[int | str, ...]]:
    """Where it finds an error, as its own paths."""
    kind = resource["resourceType"]
    model = getattr(importlib.import_module(f"fhir.resources.R4B.{kind.lower()}"), kind)
    try:
        model.model_validate(resource)
    except ValidationError as error:
        return [found["loc"] for found in error.errors()]
    return []
