"""What a partner reads and answers: JSON read with R4B models as a second opinion, FHIR answers, OperationOutcomes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NoReturn

from fastapi import Request
from fhir.resources.R4B import get_fhir_model_class
from pydantic import ValidationError
from starlette.responses import Response

FHIR_JSON = "application/fhir+json"


@dataclass(frozen=True, slots=True)
class Issue:
    """One thing that is wrong: an IssueType code, what would be right, and where."""

    code: str
    text: str
    expression: str | None = None


class Refused(Exception):
    """The request is not taken: becomes an OperationOutcome with this status."""

    def __init__(self, status: int, issues: Iterable[Issue]) -> None:
        super().__init__(status)
        self.status = status
        self.issues = tuple(issues)


def refuse(status: int, code: str, text: str, expression: str | None = None) -> NoReturn:
    raise Refused(status, [Issue(code, text, expression)])


def outcome(issues: Iterable[Issue], severity: str = "error") -> dict[str, Any]:
    """An OperationOutcome; no value of a patient may stand in an issue."""
    return {"resourceType": "OperationOutcome", "issue": [_issue(i, severity) for i in issues]}


def _issue(issue: Issue, severity: str) -> dict[str, Any]:
    found: dict[str, Any] = {"severity": severity, "code": issue.code, "details": {"text": issue.text}}
    return found | ({"expression": [issue.expression]} if issue.expression else {})


def answer(resource: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A FHIR resource as a response."""
    return Response(dumps(resource), status, headers, media_type=FHIR_JSON)


async def refused(_request: Request, error: Exception) -> Response:
    """The exception handler for `Refused`."""
    assert isinstance(error, Refused)
    return answer(outcome(error.issues), error.status)


def dumps(resource: Any) -> str:
    """JSON text; exact decimals become plain JSON numbers."""
    return json.dumps(resource, default=_number, ensure_ascii=False, separators=(",", ":"))


def _number(value: Any) -> int | float:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


def _constant(_name: str) -> NoReturn:
    raise ValueError("NaN and Infinity are not JSON")


def decoded(body: bytes | str) -> dict[str, Any]:
    """A JSON object with exact decimals. Raises Refused (400)."""
    try:
        found = json.loads(body, parse_float=Decimal, parse_constant=_constant)
    except (ValueError, RecursionError):
        refuse(400, "structure", "the body must be JSON in UTF-8")
    if not isinstance(found, dict):
        refuse(400, "structure", "the body must be one JSON object")
    return found


def resource_model(resource: dict[str, Any], *types: str) -> Any:
    """The R4B model of a resource of one of these types. Raises Refused (400) with everything R4B refuses."""
    found = resource.get("resourceType")
    if found not in types:
        refuse(400, "invalid", f"resourceType must be {' or '.join(types)}", "resourceType")
    try:
        return get_fhir_model_class(str(found)).model_validate(resource)
    except ValidationError as error:
        raise Refused(400, [_refusal(str(found), e) for e in error.errors(include_input=False)]) from None
    except (KeyError, LookupError):
        refuse(400, "not-supported", "a resource in the Bundle has a resourceType R4B does not know", "Bundle.entry")


def _refusal(root: str, error: Any) -> Issue:
    # The message of the model may quote a value; its type and place never do.
    return Issue("invalid", f"R4B refuses this element: {error['type']}", _path(root, error["loc"]))


def _path(root: str, places: Iterable[str | int]) -> str:
    return root + "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in places)
