"""Says of which class a Coverage is, so that a federal payer is never overlooked: any sign of one decides.

Law of this file: a Coverage that shows no class has none, and is never taken for a private one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from shared.core import Resource

COMMERCIAL, SELF_PAY = "commercial", "self-pay"
FEDERAL = frozenset({"medicare", "medicaid", "tricare", "va", "other-government"})
"""Payers with which no copay card may be used (42 USC 1320a-7b): federal ones, and states' that federal money pays."""
CLASSES = (COMMERCIAL, SELF_PAY, *sorted(FEDERAL))

LINES: Mapping[str, str] = {
    "commercial": COMMERCIAL,
    "qhp-ffe": COMMERCIAL,
    "medicare": "medicare",
    "medicare-advantage": "medicare",
    "medicare-part-d": "medicare",
    "medicaid": "medicaid",
    "medicaid-mco": "medicaid",
    "chip": "other-government",
    "tricare": "tricare",
    "va": "va",
}
"""A payer's line of business in the site's configuration -> the class. A line that is not listed has none."""

ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
SELF_PAYING = "http://terminology.hl7.org/CodeSystem/coverage-selfpay"
SOPT = "https://nahdo.org/sopt"
TYPES: Mapping[tuple[str, str], str] = {
    (ACT_CODE, "PUBLICPOL"): "other-government",
    (ACT_CODE, "SUBSIDIZ"): "other-government",
    (ACT_CODE, "SUBSIDMC"): "other-government",
    (ACT_CODE, "SUBSUPP"): "other-government",
    (ACT_CODE, "IND"): "other-government",
    (ACT_CODE, "MILITARY"): "tricare",
    (ACT_CODE, "VET"): "va",
    (SELF_PAYING, "pay"): SELF_PAY,
}
"""Coverage.type (HL7) -> the class, where the code says one. A managed care policy (MCPOL) may be anybody's."""
TYPOLOGY: Mapping[str, str] = {
    "31": "tricare",
    "32": "va",
    "81": SELF_PAY,
    "1": "medicare",
    "2": "medicaid",
    "3": "other-government",
    "5": COMMERCIAL,
    "6": COMMERCIAL,
}
"""First digits of the Source of Payment Typology (Coverage.type in US Core) -> the class; two digits before one."""


def class_of(coverage: Resource, line: str) -> str | None:
    """The class of a Coverage whose payer has this line of business ("" where it is not known)."""
    said = [LINES.get(line), *_typed(coverage)]
    known = [c for c in said if c is not None]
    federal = (c for c in known if c in FEDERAL)
    return next(federal, known[0] if known else None)


def _typed(coverage: Resource) -> Iterable[str | None]:
    for coding in (coverage.get("type") or {}).get("coding", ()):
        system, code = coding.get("system", ""), coding.get("code", "")
        yield TYPES.get((system, code))
        if system == SOPT:
            yield TYPOLOGY.get(code[:2], TYPOLOGY.get(code[:1]))
