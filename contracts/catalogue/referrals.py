"""What a referral should say, as a page for those who send one: each demand of our profiles, its gap, what is right."""

from __future__ import annotations

from pathlib import Path

import yaml

from shared.borders import PROFILE
from shared.fhir import definitions

GAPS = Path(__file__).resolve().parents[1] / "profiles" / "gaps.yaml"
_HEAD = """\
<!-- Made by `python -m contracts.catalogue` from contracts/profiles/gaps.yaml; do not edit. -->

# What a referral should say

What base FHIR R4 refuses is refused at the door. What is told below is asked for beside it: a record that lacks it is
taken all the same, and the referral Task names the gap as `output` `missing` (code of `CodeSystem/gap`) with what would
be right. These gaps withhold nothing by themselves. What a therapy needs clinically (drug, dose, diagnosis, results,
prescriber, start) is told by the same codes and keeps the order a draft until it is there.

A record is tried alone with `carepod validate FILE --profile <canonical>`.
"""


def page() -> str:
    """The whole page in Markdown."""
    demands = yaml.safe_load(GAPS.read_text(encoding="utf-8"))
    return "\n\n".join([_HEAD.strip(), *(_chapter(name, keys) for name, keys in demands.items())]) + "\n"


def _chapter(name: str, keys: dict[str, dict[str, str]]) -> str:
    """One profile: its canonical, then a line for each demand."""
    profile = definitions.carepod().profile(PROFILE + name)
    type_ = profile.type if profile is not None else name
    rows = [f"| `{key}` | `{gap['gap']}` | {gap['text']} |" for key, gap in keys.items()]
    table = "\n".join(["| element, or rule | gap | what would be right |", "| --- | --- | --- |", *rows])
    return f"## {type_}\n\n`{PROFILE}{name}`\n\n{table}"
