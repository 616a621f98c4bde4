"""Says whether a drug's safety program (REMS) clears a visit: a person looks there, for each dose or once an order.

Source: the catalogue's `rems` rows. Nothing here decides who is enrolled; the answer of whoever looked is the evidence.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from shared.catalogue import Rems
from shared.core import Resource, reference
from shared.visits.case import AnyCase
from shared.visits.elements import any_refers, code_of
from shared.visits.questions import Ask, code
from shared.visits.requirements import NOT_NEEDED, Finding, Look, Seen, met, unmet

CHECK = "rems-check"
CLEARED = "rems-cleared"


def rems_cleared(look: Look) -> Finding:
    """A person confirmed that the program lets this dose, or this order, go ahead."""
    program = _program(look.case)
    if program is None:
        return NOT_NEEDED
    focus = _focus(program, look.case, look.visit.id)
    check = next((t for t in look.case.facts.of("Task") if _asks(t, look.case.order, focus)), None)
    if check is None or check["status"] != "completed":
        return unmet("rems-not-cleared", look.practice.name, check)
    confirmed = any(code_of(o.get("type"), "answer") == "confirmed" for o in check["output"])
    return met(check) if confirmed else unmet("rems-refused", look.practice.name, check)


def rems_asks(case: AnyCase, seen: Seen[Any], *, near: bool) -> Iterator[Ask]:
    """The check: at once where it is about the order, near the visit where about a dose; and what a refusal means."""
    program = _program(case)
    needed = next((r.finding for r in seen.requirements if r.name == CLEARED), NOT_NEEDED)
    if program is None or needed == NOT_NEEDED or seen.begun:
        return
    if near or not program.each_dose:
        renewed = f", renewed every {program.renew_days} days" if program.renew_days else ""
        told = f"{program.program}; enrolled: {', '.join(program.enrolled)}{renewed}"
        yield Ask(CHECK, _focus(program, case, seen.visit.id), told)
    if needed.reason == "rems-refused" and seen.visit.status == "booked":
        yield Ask("requirement-lost", seen.focus, CLEARED)


def _program(case: AnyCase) -> Rems | None:
    return case.drug.rems if case.drug else None


def _focus(program: Rems, case: AnyCase, visit_id: str) -> str:
    """What the check is about: the visit where each dose is checked, else the order."""
    return f"Appointment/{visit_id}" if program.each_dose else reference(case.order)


def _asks(task: Resource, order: Resource, focus: str) -> bool:
    if task["status"] == "cancelled" or code(task) != CHECK or task["focus"]["reference"] != focus:
        return False
    return any_refers(task.get("basedOn", ()), reference(order))
