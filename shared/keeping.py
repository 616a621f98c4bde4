"""How long a service keeps what only repairs need; what is older leaves in small batches.

Law of this file: what is unsent, parked, in doubt, decided or a version of a resource is never purged.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from shared import store
from shared.clock import Clock, minted
from shared.ports import Database

SENT_KEPT = timedelta(days=30)
"""How long a message stays in the outbox after the broker took it: `carepod resend` and hearers may ask for it."""
TAKEN_KEPT = timedelta(days=35)
"""How long the inbox remembers a message that was decided: longer than any message may be that is still taken."""
TOO_OLD = timedelta(days=30)
"""A message older than this that the inbox does not know may have been decided and forgotten: it is not taken."""
BODY_KEPT = timedelta(days=180)
"""How long the body of what was refused at the door stays; its issues stay."""
BATCH = 500
"""Rows that leave in one transaction."""
EVERY = timedelta(hours=1)
"""How long nothing is looked for once nothing was left."""


def is_too_old(message_id: str, received_at: datetime) -> bool:
    """Whether a message came so late that the inbox cannot know that it has not come before."""
    made = minted(message_id)
    return made is not None and made < received_at - TOO_OLD


class Keeping:
    """Purges one service's store."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self._next: datetime | None = None

    async def once(self) -> int:
        """Removes one batch of each kind; how many rows that were."""
        now = self._clock()
        if self._next is not None and now < self._next:
            return 0
        removed = 0
        for purge, kept in ((store.purge_sent, SENT_KEPT), (store.purge_taken, TAKEN_KEPT), (store.empty, BODY_KEPT)):
            async with self._database.writing() as tx:
                removed += await purge(tx, now - kept, BATCH)
        self._next = None if removed else now + EVERY
        return removed
