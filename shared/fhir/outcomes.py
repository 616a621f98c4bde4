"""How a refusal is said: issues with a FHIRPath expression, never with a patient's value."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Issue:
    """One thing that is wrong.

    code         R4 issue-type: structure, required, value, code-invalid, extension, invariant, too-long, ...
    expression   FHIRPath of the element, `Bundle.entry[3].resource.status`; "" when it is about the whole body.
    diagnostics  what is wrong and what would be right; never a value of a patient.
    severity     fatal, error, warning, information.
    rule         the key of the invariant that was broken, or "".
    profile      canonical|version of the profile or extension whose demand failed; "" for base R4.
    """

    code: str
    expression: str
    diagnostics: str
    severity: str = "error"
    rule: str = ""
    profile: str = ""


def errors(issues: Iterable[Issue]) -> list[Issue]:
    """The issues for which a resource is refused; a warning (what could not be checked) is none."""
    return [i for i in issues if i.severity in ("error", "fatal")]


FINE = Issue("informational", "", "no issue was found", "information")


def outcome(issues: Iterable[Issue]) -> dict[str, Any]:
    """The OperationOutcome that names every issue; without any it says so, for FHIR demands at least one."""
    return {"resourceType": "OperationOutcome", "issue": [_said(issue) for issue in issues] or [_said(FINE)]}


def _said(issue: Issue) -> dict[str, Any]:
    source = " of ".join(part for part in (issue.rule, issue.profile) if part)
    diagnostics = f"{source}: {issue.diagnostics}" if source else issue.diagnostics
    said: dict[str, Any] = {"severity": issue.severity, "code": issue.code, "diagnostics": diagnostics}
    return said | {"expression": [issue.expression]} if issue.expression else said
