"""What changed between two versions of the contracts, and whom each change breaks.

    adds        nobody: something optional more.
    tightened   who writes: what was legal may now be refused.
    loosened    who reads: what could be relied on may now be otherwise.
    replaced    both.

Only `adds` may come with a minor version.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from contracts.demands import CHECKED, Base, Codes, Columns, Contract, is_slice

ADDS, TIGHTENED, LOOSENED, REPLACED = "adds", "tightened", "loosened", "replaced"

Said = tuple[str, str]
"""(class, what changed)."""


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that changed: in which profile, at which element (its id), of which class, and what."""

    profile: str
    element: str
    kind: str
    said: str

    def __str__(self) -> str:
        where = " ".join(filter(None, (self.profile, self.element)))
        return f"{where}: {self.kind}: {self.said}"


def between(old: Mapping[str, Contract], new: Mapping[str, Contract], base: Base) -> list[Change]:
    """Every change of every profile, by canonical and element."""
    found = []
    for url in sorted(old.keys() | new.keys()):
        if url not in old:
            found.append(Change(url, "", ADDS, "a new definition"))
        elif url not in new:
            found.append(Change(url, "", REPLACED, "the definition is gone"))
        else:
            found += [Change(url, *said) for said in of_contract(old[url], new[url], base)]
    return found


def of_contract(old: Contract, new: Contract, base: Base) -> Iterator[tuple[str, str, str]]:
    """(element, class, what changed) of one profile."""
    if old.type != new.type:
        yield "", REPLACED, f"type {old.type} -> {new.type}"
        return
    came, went = _slices(new) - _slices(old), _slices(old) - _slices(new)
    for id_ in sorted(old.demands.keys() | new.demands.keys()):
        if _within(id_, came | went):
            continue
        before, after = (base.demanded(id_, c.demands.get(id_, _at(id_, old, new))) for c in (old, new))
        yield from ((id_, *said) for said in of_element(before, after))
    yield from ((id_, *_come(id_, new)) for id_ in sorted(_outermost(came)))
    yield from ((id_, *_gone(id_, old)) for id_ in sorted(_outermost(went)))
    for url in sorted((old.codes.keys() | new.codes.keys()) & _bound(old) & _bound(new)):
        yield from ((url, *said) for said in of_codes(old.codes.get(url), new.codes.get(url)))


def of_element(old: Columns, new: Columns) -> Iterator[Said]:
    """What changed at one element, both sides whole."""
    yield from _number("min", old["min"], new["min"], up=TIGHTENED)
    yield from _number("max", _most(old["max"]), _most(new["max"]), up=LOOSENED)
    yield from _types(old.get("types", {}), new.get("types", {}))
    yield from _binding(old.get("binding"), new.get("binding"))
    yield from _rules(old.get("constraints", {}), new.get("constraints", {}))
    yield from _slicing(old.get("slicing"), new.get("slicing"))
    for name in ("fixed", "pattern", "minValue", "maxValue", "maxLength", "content", "modifier"):
        yield from _value(name, old.get(name), new.get(name))


def of_codes(old: Codes | None, new: Codes | None) -> Iterator[Said]:
    """What changed in a value set of ours that is bound to; `None` is one whose codes are not all known."""
    if old is None:
        yield TIGHTENED, "its codes are all known: others are refused"
    elif new is None:
        yield LOOSENED, "its codes are not all known: any is let in"
    else:
        yield from _codes(old, new)


def _codes(old: Codes, new: Codes) -> Iterator[Said]:
    before, after = ({f"{s}#{code}" for s, codes in value_set.items() for code in codes} for value_set in (old, new))
    yield from ((TIGHTENED, f"code gone: {code}") for code in sorted(before - after))
    yield from ((LOOSENED, f"code that readers do not know: {code}") for code in sorted(after - before))


def _at(id_: str, *contracts: Contract) -> Columns:
    """Where the base element is, for the side that demands nothing of it."""
    found = next(c.demands[id_] for c in contracts if id_ in c.demands)
    return {"at": found["at"]} if "at" in found else {}


def _bound(contract: Contract) -> set[str]:
    return {demand["binding"]["valueSet"] for demand in contract.demands.values() if "binding" in demand}


def _slices(contract: Contract) -> set[str]:
    return {id_ for id_ in contract.demands if is_slice(id_)}


def _within(id_: str, slices: Iterable[str]) -> bool:
    return any(id_ == s or id_.startswith((f"{s}.", f"{s}/")) for s in slices)


def _outermost(slices: set[str]) -> set[str]:
    return {s for s in slices if not _within(s, slices - {s})}


def _come(id_: str, new: Contract) -> Said:
    """A new slice: more is demanded where one is; where slicing is closed, more is allowed."""
    if new.demands[id_].get("min", 0):
        return TIGHTENED, "a new slice that must be there"
    if _closed(id_, new):
        return LOOSENED, "a new slice where all others are refused: readers do not know it"
    return ADDS, "a new optional slice"


def _gone(id_: str, old: Contract) -> Said:
    """A slice that is gone: nothing is demanded there any more; where slicing is closed, it is refused."""
    if old.demands[id_].get("min", 0):
        return LOOSENED, "the slice that had to be there is gone"
    return (TIGHTENED if _closed(id_, old) else LOOSENED), "the slice is gone"


def _closed(id_: str, contract: Contract) -> bool:
    sliced = id_.rpartition(":")[0]
    return bool(contract.demands.get(sliced, {}).get("slicing", {}).get("rules") == "closed")


def _most(maximum: str) -> float:
    return float("inf") if maximum == "*" else int(maximum)


def _number(name: str, old: float, new: float, *, up: str) -> Iterator[Said]:
    if old != new:
        down = LOOSENED if up == TIGHTENED else TIGHTENED
        text = f"{name} {_shown(old)} -> {_shown(new)}"
        yield (up if new > old else down), f"{text}: no longer allowed" if name == "max" and not new else text


def _shown(number: float) -> str:
    return "*" if number == float("inf") else str(number)


def _types(old: Columns, new: Columns) -> Iterator[Said]:
    yield from ((TIGHTENED, f"type {code} no longer allowed") for code in sorted(old.keys() - new.keys()))
    yield from ((LOOSENED, f"type {code} allowed") for code in sorted(new.keys() - old.keys()))
    for code in sorted(old.keys() & new.keys()):
        for name, text in (("targets", "leads to"), ("profiles", "has to satisfy")):
            yield from _listed(f"{code} {text}", set(old[code].get(name, ())), set(new[code].get(name, ())))


def _listed(text: str, old: set[str], new: set[str]) -> Iterator[Said]:
    """Alternatives, of which none listed means any."""
    if old != new:
        narrower, wider = not old or (new and new < old), not new or (old and old < new)
        kind = TIGHTENED if narrower else LOOSENED if wider else REPLACED
        yield kind, f"{text} {_any(old)} -> {_any(new)}"


def _any(names: set[str]) -> str:
    return " | ".join(sorted(names)) or "anything"


def _binding(old: Columns | None, new: Columns | None) -> Iterator[Said]:
    if old == new:
        return
    if old is None or new is None:
        yield from _value("binding", old and old["valueSet"], new and new["valueSet"])
    elif old["valueSet"] != new["valueSet"]:
        yield REPLACED, f"binding {old['valueSet']} -> {new['valueSet']}"
    else:
        stricter = CHECKED.index(new["strength"]) < CHECKED.index(old["strength"])
        yield (TIGHTENED if stricter else LOOSENED), f"binding {old['strength']} -> {new['strength']}"


def _rules(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[Said]:
    for key in sorted(old.keys() | new.keys()):
        yield from _value(f"invariant {key}", old.get(key), new.get(key))


def _slicing(old: Columns | None, new: Columns | None) -> Iterator[Said]:
    if old == new:
        return
    before, after = (s or {"rules": "open"} for s in (old, new))
    if old and new and old["discriminator"] != new["discriminator"]:
        yield REPLACED, "slices are told apart by something else"
    for name, strict in (("rules", ("closed", "openAtEnd")), ("ordered", (True,))):
        was, is_ = before.get(name), after.get(name)
        if was != is_ and (was in strict or is_ in strict):
            yield (TIGHTENED if is_ in strict else LOOSENED), f"slicing {name} {was} -> {is_}"


def _value(name: str, old: Any, new: Any) -> Iterator[Said]:
    """A demand that is there or not: `None` is none."""
    if old != new:
        kind = TIGHTENED if old is None else LOOSENED if new is None else REPLACED
        yield kind, f"{name} {_text(old)} -> {_text(new)}"


def _text(value: Any) -> str:
    return "none" if value is None else value if isinstance(value, str) else json.dumps(value, sort_keys=True)
