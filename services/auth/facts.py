"""What authorization knows of one patient when it decides: every resource of the lane and what those refer to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from services.auth.words import is_visit, target, task_code
from shared.core import Resource, reference


@dataclass(frozen=True, slots=True)
class Facts:
    """`known`: `Type/id` -> the current version, oldest first."""

    known: Mapping[str, Resource]

    def of(self, *types: str) -> tuple[Resource, ...]:
        """Every known resource of these types, oldest first."""
        return tuple(r for r in self.known.values() if r["resourceType"] in types)

    def at(self, literal: str | None) -> Resource | None:
        """The resource a literal reference means, or None."""
        return self.known.get(literal) if literal else None

    def person(self, literal: str | None) -> Resource | None:
        """Who stands behind a reference: the practitioner of a role, else the party itself; None where unknown."""
        found = self.at(literal)
        return self.at(target((found or {}).get("practitioner"))) or found

    def status(self, literal: str) -> str | None:
        """The status of the resource a literal reference means, or None."""
        return self.known.get(literal, {}).get("status")

    def based_on(self, order: Resource, *types: str) -> tuple[Resource, ...]:
        """The resources of these types based on this order, oldest first."""
        wanted = reference(order)
        return tuple(r for r in self.of(*types) if any(target(b) == wanted for b in r.get("basedOn", ())))

    def visits(self, order: Resource) -> tuple[Resource, ...]:
        """The visits of this order, to a chair or at home, oldest first."""
        return tuple(a for a in self.based_on(order, "Appointment") if is_visit(a))

    def tasks(self, order: Resource, code: str) -> tuple[Resource, ...]:
        """Our Tasks of this code based on this order."""
        return tuple(t for t in self.based_on(order, "Task") if task_code(t) == code)

    def and_these(self, resources: Iterable[Resource]) -> Facts:
        """The facts once these resources are known as well."""
        return Facts({**self.known, **{reference(r): r for r in resources}})

    @property
    def orders(self) -> tuple[Resource, ...]:
        """The filler orders of this patient."""
        return tuple(r for r in self.of("ServiceRequest") if r.get("intent") == "filler-order")


def facts_of(resources: Iterable[Resource]) -> Facts:
    """Facts of these resources."""
    return Facts({reference(r): r for r in resources})
