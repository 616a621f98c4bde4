"""Finds the shortest plan that still breaks an invariant: whole kinds of things first, then half by half."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from benchmarks.simulation.plan import Plan

Fails = Callable[[Sequence[Plan]], list[bool]]
"""Whether each of these plans breaks anything."""
ABREAST = 2
"""Plans that are tried at once; those after the first that fails were tried for nothing."""


def reduced(plan: Plan, fails: Fails, most: int = 60) -> Plan:
    """A plan that fails of which no part can go; gives up looking after `most` attempts. (Delta debugging, ddmin.)"""
    search = _Search(plan, fails)
    ids = search.first([[i.id for i in plan.of("r")]]) or search.without_kinds([i.id for i in plan.items])
    parts = 2
    while len(ids) > 1 and search.attempts < most:
        size = -(-len(ids) // parts)
        chunks = [ids[n : n + size] for n in range(0, len(ids), size)]
        kept = search.first([[i for i in ids if i not in set(chunk)] for chunk in chunks])
        if kept is not None:
            ids, parts = kept, max(2, parts - 1)
        elif size == 1:
            break
        else:
            parts = min(len(ids), parts * 2)
    return plan.only(ids)


class _Search:
    def __init__(self, plan: Plan, fails: Fails) -> None:
        self._plan, self._fails, self.attempts = plan, fails, 0

    def first(self, candidates: Sequence[list[str]]) -> list[str] | None:
        """The first of these parts of the plan that fails."""
        for n in range(0, len(candidates), ABREAST):
            some = candidates[n : n + ABREAST]
            self.attempts += len(some)
            for ids, failed in zip(some, self._fails([self._plan.only(ids) for ids in some]), strict=True):
                if failed:
                    return ids
        return None

    def without_kinds(self, ids: list[str]) -> list[str]:
        """What is left when every kind of thing that does not matter is gone."""
        for kind in dict.fromkeys(i[0] for i in ids):
            rest = [i for i in ids if i[0] != kind]
            ids = (self.first([rest]) if rest else None) or ids
        return ids
