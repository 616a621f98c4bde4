"""What a seed lets happen: referrals with what their senders do later, deaths, outages, and how bad the weather is."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random

from benchmarks.simulation.therapies import therapies

REFERRALS = 20
CRASHES = 3
PUSHED_WITHIN = 45.0
"""Seconds in which the referrals come."""
DISTURBED = 75.0
"""Seconds after which nothing is disturbed any more."""
CASES: Mapping[str, int] = {
    "iron-meets-criteria": 33,
    "infliximab-pended": 19,
    "denied": 13,
    "opat-vancomycin-home": 5,
    "ivig-pidd-medicare-home": 4,
    "iron-criteria-not-met": 6,
    "incomplete": 4,
    **dict.fromkeys(therapies(), 2),
}
"""How often each kind of referral comes, of a hundred: the examples, and every therapy that no example has."""
OTHER_PAYERS: Mapping[str, tuple[str, ...]] = {
    "iron-meets-criteria": ("", "", "", "lakeland-advantage", "original-medicare"),
    "infliximab-pended": (*("",) * 9, "lakeland-advantage"),
    "opat-vancomycin-home": ("", "", "", "lakeland-advantage", "original-medicare"),
    "ivig-pidd-medicare-home": ("", "lakeland-advantage", "prairie-health"),
    **dict.fromkeys(therapies(), ("prairie-health", "lakeland-advantage", "original-medicare")),
}
"""Who pays for the drug, each as often as it stands here; `""`: who pays in the example."""
SITES = ("riverside", "riverside", "northgate")
WEATHER: Mapping[str, float] = {
    "connection": 0.002,
    "refused": 0.02,
    "slow": 0.1,
    "answer_lost": 0.01,
    "unconfirmed": 0.05,
    "not_taken": 0.03,
    "doubled": 0.08,
    "late": 0.05,
    "network": 0.15,
    "wrong": 0.04,
}
"""The most of each that a seed may have."""


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that happens.

    `r` a referral, `u` what its sender does later, `c` a death, `f` a process frozen, `t` a second process of
    a service, `o` an outage, `j` a jump of all clocks, `k` a wrong clock of one process, `w` weather, `d` days
    that pass at the end, before which a partner may have fallen silent.

    at      seconds from the beginning; of an update, from its referral.
    number  of the referral; seconds for which a clock is wrong.
    what    the example or therapy of a referral, the kind of update or weather; the service, or its second process
            (`auth-2`).
    payer   of a referral; none: the one of its example.
    amount  steps until a death, seconds of an outage, frost, jump or wrong clock, days, how often a kind of weather is.
    """

    id: str
    at: float
    what: str
    number: int = 0
    amount: float = 0.0
    site: str = ""
    payer: str = ""

    @property
    def kind(self) -> str:
        return self.id[0]


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything planned of one seed."""

    seed: int
    begins: datetime
    items: tuple[Item, ...]

    def of(self, kind: str) -> tuple[Item, ...]:
        """Items of one kind."""
        return tuple(i for i in self.items if i.kind == kind)

    def only(self, ids: Collection[str]) -> Plan:
        """The plan with these items alone."""
        return replace(self, items=tuple(i for i in self.items if i.id in set(ids)))


def undisturbed(plan: Plan) -> Item | None:
    """A referral of a plan whose sender does nothing later but send it again: alone it must come to the same.

    None where partners say wrong things or nothing: that is answered by people, and some journeys end otherwise.
    """
    if any(w.what == "wrong" for w in plan.of("w")) or plan.of("d"):
        return None
    changed = {u.number for u in plan.of("u") if u.what != "again"}
    return next((r for r in plan.of("r") if r.number not in changed), None)


def planned(seed: int, services: Collection[str], referrals: int = REFERRALS, crashes: int = CRASHES) -> Plan:
    """The plan of a seed."""
    chance, names = Random(f"plan {seed}"), sorted(services)
    seconds = _seconds(chance, names)
    places = [*names, *(s.what for s in seconds)]
    items = [
        *_referrals(chance, referrals),
        *seconds,
        *_deaths(chance, places, crashes + chance.randrange(4)),
        *_frosts(chance, places),
        *_clocks(chance, places),
        *_outages(chance),
        *_weather(chance),
        *_days(chance),
    ]
    return Plan(seed, _begins(chance), tuple(items))


def harsh(seed: int, services: Collection[str], referrals: int, case: str = "") -> Plan:
    """A plan in which everything that may go wrong does, as often as it may: what one seed shows, few would.

    `case`: every referral is of this kind.
    """
    chance = Random(f"harsh {seed}")
    items = (
        *(replace(i, what=case, payer="") if case and i.kind == "r" else i for i in _referrals(chance, referrals)),
        *_deaths(chance, sorted(services), 16),
        Item("t1", 0.0, "auth-2"),
        *(Item(f"f{n}", 6.0 + 9 * n, "auth-2" if n % 2 else "auth", amount=14.0) for n in range(1, 6)),
        Item("o1", 12.0, "queues", amount=12.0),
        *(
            Item(f"w-{what}", 0.0, what, amount=most)
            for what, most in {**WEATHER, "late": 0.4, "slow": 0.3, "network": 0.5}.items()
        ),
    )
    return Plan(seed, _begins(chance), items)


def _begins(chance: Random) -> datetime:
    """A working day; every other seed near a change of the clocks."""
    day = datetime(2026, 11, 23, tzinfo=UTC) + timedelta(days=chance.randrange(28))
    if chance.random() < 0.5:
        day = datetime(2027, 3, 4, tzinfo=UTC) + timedelta(days=chance.randrange(11))
    return day + timedelta(seconds=chance.randrange(86_400))


def _referrals(chance: Random, count: int) -> list[Item]:
    found = []
    for number in range(1, count + 1):
        case = chance.choices([*CASES], [*CASES.values()])[0]
        at, site = chance.random() * PUSHED_WITHIN, chance.choice(SITES)
        payer = chance.choice(OTHER_PAYERS.get(case, ("",)))
        found.append(Item(f"r{number}", at, case, number, site=site, payer=payer))
        found += _later(chance, number, case)
    return found


def _later(chance: Random, number: int, case: str) -> list[Item]:
    """What the sender does with a referral after it was pushed."""
    found: list[Item] = []

    def add(what: str, at: float, amount: float = 0.0) -> None:
        found.append(Item(f"u{number}{'abcdef'[len(found)]}", at, what, number, amount))

    if chance.random() < 0.25:
        add("again", chance.random() * 20)
    if chance.random() < (0.3 if case == "infliximab-pended" else 0.18):
        add("later", chance.random() * 2.5, chance.choice((2, 7, 9)))
    if case == "iron-meets-criteria" and chance.random() < 0.1:
        add("dose", chance.random() * 8, 500)
    if chance.random() < 0.08:
        add("hold", chance.random() * 6)
        add("resume", 8 + chance.random() * 15)
    if chance.random() < 0.13:
        add("cancel", chance.random() * 25)
    return found


def _deaths(chance: Random, services: list[str], count: int) -> list[Item]:
    return [
        Item(f"c{n}", 1 + chance.random() * (DISTURBED - 15), chance.choice(services), amount=1 + chance.randrange(400))
        for n in range(1, count + 1)
    ]


def _seconds(chance: Random, services: list[str]) -> list[Item]:
    """In two of three seeds one service runs twice, from early on."""
    if chance.random() < 1 / 3:
        return []
    return [Item("t1", chance.random() * 10, f"{chance.choice(services)}-2")]


def _frosts(chance: Random, places: list[str]) -> list[Item]:
    """A process stands still for longer than a lease, and in half of them longer than the broker waits for it."""
    return [
        Item(f"f{n}", 2 + chance.random() * (DISTURBED - 45), chance.choice(places), amount=9 + chance.random() * 24)
        for n in range(1, 1 + chance.randrange(3))
    ]


def _clocks(chance: Random, places: list[str]) -> list[Item]:
    """A clock is minutes ahead or behind until it is set right."""
    if chance.random() < 0.5:
        return []
    amount = chance.choice((-1, 1)) * (30 + chance.random() * 570)
    return [Item("k1", chance.random() * (DISTURBED - 30), chance.choice(places), 5 + chance.randrange(20), amount)]


def _outages(chance: Random) -> list[Item]:
    found = []
    if chance.random() < 0.5:
        found.append(Item("o1", chance.random() * PUSHED_WITHIN, "queues", amount=1 + chance.random() * 6))
    if chance.random() < 0.4:
        found.append(Item("j1", chance.random() * DISTURBED, "clock", amount=60 + chance.random() * 840))
    return found


def _days(chance: Random) -> list[Item]:
    """In one of five seeds days pass at the end, in half of those with a pharmacy that tells nobody what is ready."""
    if chance.random() > 0.2:
        return []
    return [
        Item("d1", chance.random() * PUSHED_WITHIN, chance.choice(("", "pharmacy")), amount=2 + chance.randrange(4))
    ]


def _weather(chance: Random) -> list[Item]:
    """Each kind in half of the seeds, so that no fault hides behind another."""
    return [
        Item(f"w-{what.replace('_', '-')}", 0.0, what, amount=chance.random() * most)
        for what, most in WEATHER.items()
        if chance.random() < 0.5
    ]
