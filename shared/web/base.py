"""The parts of the FHIR base of one process, put together."""

from __future__ import annotations

from dataclasses import dataclass

from shared.app import Application
from shared.web.bundles import Bundles
from shared.web.capability import Kinds
from shared.web.conditions import Conditions
from shared.web.exchange import Exchange
from shared.web.history import History
from shared.web.interactions import Interactions
from shared.web.limits import Limiter
from shared.web.notifications import Notifications
from shared.web.peers import Peers
from shared.web.reading import Reading
from shared.web.searching import Searching
from shared.web.sight import Sight
from shared.web.transactions import Transactions
from shared.web.writing import Writing


@dataclass(frozen=True, slots=True)
class Base:
    """What answers calls, Bundles and messages."""

    writing: Writing
    interactions: Interactions
    bundles: Bundles
    exchange: Exchange


def base_of(app: Application, peers: Peers, kinds: Kinds, limiter: Limiter) -> Base:
    """The FHIR base of one process."""
    sight = Sight(app)
    history = History(app, peers, sight)
    reading, writing = Reading(app, peers, sight, history), Writing(app, sight)
    searching = Searching(app, peers, sight, history, reading)
    conditions = Conditions(searching)
    interactions = Interactions(app, peers, kinds, reading, searching, writing, conditions)
    transactions = Transactions(app, sight, kinds, reading, writing, conditions, interactions)
    bundles = Bundles(app, writing, interactions, transactions, Notifications(app, writing), limiter)
    return Base(writing, interactions, bundles, Exchange(app, writing))
