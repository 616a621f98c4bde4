"""Reads an order's doses: how much of the drug each one is, and how many billing units that makes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import ROUND_CEILING, Decimal
from typing import Any

from services.auth.criteria.findings import DAYS, Chart, latest_value
from services.auth.words import day, number
from shared.catalogue import MEASURES, Drug
from shared.core import Resource

WEIGHT = ("29463-7", "3141-9")
KILOGRAMS = {"kg": 1, "g": "0.001", "[lb_av]": "0.45359237"}
HOURS = {"h": Decimal(1), **{unit: 24 * days for unit, days in DAYS.items()}}
MOST_DOSES = 400
"""More doses than this in one period is a misread regimen."""

Instruction = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Regimen:
    """The doses of one order in the drug's own measure, first to last, and the weight they were counted with.

    `every` are the hours from one dose to the next, where the order says them.
    """

    amounts: tuple[Decimal, ...]
    weight: Resource | None = None
    every: Decimal | None = None

    @property
    def days(self) -> int:
        """Days from the first dose to the last, both included."""
        hours = len(self.amounts) * (Decimal(24) if self.every is None else self.every)
        return int((hours / 24).to_integral_value(ROUND_CEILING))

    def only(self, doses: Sequence[int]) -> Regimen:
        """The doses of these numbers alone."""
        return replace(self, amounts=tuple(self.amounts[n - 1] for n in doses))

    def units(self, drug: Drug, dose: int, on: date) -> dict[str, Decimal] | None:
        """HCPCS code -> billing units of the n-th dose on a date of service; None where no code is in force."""
        code = drug.billing_on(on)
        if code is None:
            return None
        units = drug.units(self.amounts[min(dose, len(self.amounts)) - 1], on)
        return None if units is None else {code.code: units}

    def all_units(self, drug: Drug, on: date) -> dict[str, Decimal] | None:
        """HCPCS code -> billing units of every dose together."""
        total: dict[str, Decimal] = {}
        for dose in range(1, len(self.amounts) + 1):
            units = self.units(drug, dose, on)
            if units is None:
                return None
            total |= {code: total.get(code, Decimal(0)) + amount for code, amount in units.items()}
        return total


def regimen_of(medication: Resource | None, chart: Chart, days: int, drug: Drug | None = None) -> Regimen | str:
    """The regimen of a MedicationRequest within `days` of its start, or the gap that keeps it from being counted."""
    instructions = sorted((medication or {}).get("dosageInstruction") or (), key=lambda i: int(i.get("sequence", 0)))
    amounts: list[Decimal] = []
    weight = latest_value(chart, WEIGHT, KILOGRAMS)
    for instruction in instructions:
        amount = _amount(instruction, None if weight is None else weight[0], drug.measure if drug else "mg")
        if isinstance(amount, str):
            return amount
        doses = _count(instruction, medication or {}, len(instructions), days)
        if not 0 < doses <= MOST_DOSES - len(amounts):
            return "dose-missing"
        amounts += [amount] * doses
    by_weight = any("/kg" in _dose(i).get("code", "") for i in instructions)
    if not amounts:
        return "dose-missing"
    return Regimen(tuple(amounts), weight[1] if weight and by_weight else None, _hours_between(instructions[0]))


def _value(instruction: Instruction) -> Decimal:
    return number(_dose(instruction).get("value")) or Decimal(0)


def _dose(instruction: Instruction) -> Mapping[str, Any]:
    rates: Sequence[Mapping[str, Any]] = instruction.get("doseAndRate") or ({},)
    quantity: Mapping[str, Any] = rates[0].get("doseQuantity") or {}
    return quantity if "code" in quantity else {**quantity, "code": quantity.get("unit", "")}


def _amount(instruction: Instruction, kilograms: Decimal | None, wanted: str) -> Decimal | str:
    """How much one dose is in the drug's measure, at most the instruction's `maxDosePerAdministration`."""
    value = number(_dose(instruction).get("value"))
    measure, _, per = _dose(instruction)["code"].partition("/")
    most = instruction.get("maxDosePerAdministration") or {}
    limit, limit_measure = number(most.get("value")), most.get("code", most.get("unit", measure))
    known = all(MEASURES.get(m, ("", 0))[0] == wanted for m in (measure, limit_measure))
    if value is None or value <= 0 or not known or per not in ("", "kg"):
        return "dose-missing"
    if per and kilograms is None:
        return "weight-not-documented"
    amount = value * MEASURES[measure][1] * (kilograms if per and kilograms is not None else 1)
    return amount if limit is None else min(amount, limit * MEASURES[limit_measure][1])


def _hours_between(instruction: Instruction) -> Decimal | None:
    """Hours from one dose to the next, where the timing says them."""
    repeat = (instruction.get("timing") or {}).get("repeat") or {}
    period = number(repeat.get("period"))
    hours = None if period is None else period * HOURS.get(repeat.get("periodUnit", ""), Decimal(0))
    return hours / int(repeat.get("frequency", 1)) if hours else None


def _count(instruction: Instruction, medication: Resource, instructions: int, days: int) -> int:
    """How many doses one instruction orders: its count or events, else its period, else the repeats; 0 unread."""
    timing = instruction.get("timing") or {}
    repeat = timing.get("repeat") or {}
    if "count" in repeat:
        return int(repeat["count"])
    if timing.get("event"):
        return len(timing["event"])
    bounds = _bounds(repeat)
    refills = (medication.get("dispenseRequest") or {}).get("numberOfRepeatsAllowed")
    period = number(repeat.get("period"))
    if period is not None and (bounds is not None or refills is None):
        hours = period * HOURS.get(repeat.get("periodUnit", ""), Decimal(0))
        within = 24 * min(Decimal(days), Decimal(days) if bounds is None else bounds)
        spans = (within / hours).to_integral_value(ROUND_CEILING) if hours > 0 else Decimal(0)
        return int(spans) * int(repeat.get("frequency", 1))
    return int(refills) + 1 if refills is not None and instructions == 1 else 1


def _bounds(repeat: Mapping[str, Any]) -> Decimal | None:
    duration, period = repeat.get("boundsDuration") or {}, repeat.get("boundsPeriod") or {}
    start, end = day(period.get("start")), day(period.get("end"))
    if start and end:
        return Decimal((end - start).days + 1)
    value, unit = number(duration.get("value")), DAYS.get(duration.get("code", ""))
    return None if value is None or unit is None else value * unit


def fingerprint(drug: Drug | None, medication: Resource | None, diagnoses: tuple[str, ...], site: str | None) -> str:
    """What an authorization was asked for: drug, ordered doses, diagnoses, site of care; whatever the weight today."""
    doses = [
        f"{_value(i).normalize():f} {_dose(i)['code']} x {_count(i, medication or {}, 1, 365)}"
        for i in (medication or {}).get("dosageInstruction") or ()
    ]
    return "; ".join([drug.key if drug else "?", *doses, *sorted(diagnoses), site or "?"])
