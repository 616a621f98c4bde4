"""Two records that may be one person: same name and birth date, other identifiers. Asked of the practice alone.

Law of this file: nothing waits for the answer, and no client learns that another client's patient exists.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from services.intake.codes import ANSWER, QUESTION, code_of, concept
from services.intake.facts import Facts
from services.intake.questions import asked_about
from shared.core import Resource, derived_id, reference

if TYPE_CHECKING:
    from services.intake.consequences import Worked

MOST = 5
"""Others like him a person is asked about at once; more than these are no finding but a flaw in the records."""
SAME = "Another patient has the same name and birth date: is it the same person (confirmed) or another (rejected)?"


def alike_keys(patient: Resource) -> tuple[str, ...]:
    """One digest for each name of a patient with his birth date, written in whatever way."""
    born = str(patient.get("birthDate", ""))
    names = {f"{_plain(n.get('family', ''))} {_plain(given)}" for n in patient.get("name", ()) for given in _first(n)}
    return tuple(sorted(_digest(f"{name} {born}") for name in names if len(born) == len("YYYY-MM-DD")))


def _first(name: Resource) -> Iterator[str]:
    """The first given name; none where family or given name is missing."""
    given = name.get("given") or ()
    if name.get("family") and given and isinstance(given[0], str):
        yield given[0].split()[0] if given[0].split() else ""


def _plain(text: str) -> str:
    """Letters and digits alone, without accents or case."""
    decomposed = unicodedata.normalize("NFKD", text).casefold()
    return "".join(c for c in decomposed if c.isalnum())


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def question_id(one: str, other: str) -> str:
    """The id of the question about two patients, whichever of them is the new one."""
    return derived_id("in", "intake-question", "possible-duplicate", *sorted((one, other)))


def possible_duplicates(worked: Worked) -> Iterable[Resource]:
    """A question for each other patient who may be this one, asked once in either's lane."""
    case, facts = worked.case, worked.case.facts
    known = facts.resources
    for other in _alike(facts):
        own = question_id(facts.patient, other["id"])
        if f"Task/{own}" not in known and not _linked(case.patient, other):
            yield _asked(own, other, worked)


def _asked(own: str, other: Resource, worked: Worked) -> Resource:
    asked = asked_about(worked.referral, "possible-duplicate", "intake-coordinator", SAME, worked.at)
    named = {"type": concept(QUESTION, "duplicate-of"), "valueReference": {"reference": reference(other)}}
    return {**asked, "id": own, "input": [*asked["input"], named]}


def _alike(facts: Facts) -> list[Resource]:
    mine = set(alike_keys(facts.resources.get(f"Patient/{facts.patient}", {})))
    others = (r for r in facts.resources.values() if r["resourceType"] == "Patient" and r["id"] != facts.patient)
    return sorted((o for o in others if mine & set(alike_keys(o))), key=reference)[:MOST]


def _linked(one: Resource, other: Resource) -> bool:
    """Whether one record already says that the other is of the same person."""
    pairs = ((one, other), (other, one))
    return any(link.get("other", {}).get("reference") == reference(b) for a, b in pairs for link in a.get("link", ()))


def linked(facts: Facts) -> dict[str, Resource]:
    """The patient with a link to each record a person said is his too; nothing is moved or stopped by it."""
    patient = facts.resources.get(f"Patient/{facts.patient}")
    if patient is None:
        return {}
    said = [{"other": {"reference": place}, "type": "seealso"} for place in _confirmed(facts)]
    missing = [link for link in said if link not in patient.get("link", ())]
    return {reference(patient): {**patient, "link": [*patient.get("link", ()), *missing]}} if missing else {}


def _confirmed(facts: Facts) -> Iterator[str]:
    for task in facts.tasks("intake-question"):
        answers = {code_of(o.get("type"), ANSWER) for o in task.get("output", ())}
        if task["status"] == "completed" and "confirmed" in answers:
            yield from (_other(i) for i in task["input"] if code_of(i.get("type"), QUESTION) == "duplicate-of")


def _other(named: dict[str, Any]) -> str:
    return str(named["valueReference"]["reference"])
