"""What an operator, or a mishap, does to RabbitMQ: over its management API, and with its own command line."""

from __future__ import annotations

import asyncio
import json
import os
import pwd
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import httpx

from benchmarks.engines.model import Engine, EnginesError
from benchmarks.engines.packages import found
from benchmarks.engines.processes import Program


class Broker:
    """One vhost of the RabbitMQ of this run."""

    def __init__(self, engine: Engine, amqp_url: str, management_url: str) -> None:
        self.engine = engine
        self.vhost, self.user = urlsplit(amqp_url).path.removeprefix("/"), urlsplit(amqp_url).username or "guest"
        self._http = httpx.AsyncClient(base_url=management_url, timeout=30.0, trust_env=False)

    async def close(self) -> None:
        await self._http.aclose()

    async def ctl(self, *arguments: str) -> None:
        """Runs rabbitmqctl on the broker. Raises EnginesError with its words when it fails."""
        folder = Path(self.engine.log).parent
        program = Program(**json.loads((folder / "rabbitmq.json").read_text(encoding="utf-8")))
        node = program.environment["RABBITMQ_NODENAME"]
        command = [found("rabbitmqctl") or "rabbitmqctl", "--node", node, "--quiet", *arguments]
        identity = pwd.getpwnam(program.user) if program.user and os.geteuid() == 0 else None

        def run() -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                command,
                env=dict(program.environment),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                user=identity.pw_uid if identity else None,
                group=identity.pw_gid if identity else None,
            )

        ended = await asyncio.to_thread(run)
        if ended.returncode:
            raise EnginesError(f"rabbitmqctl {arguments[0]}: {(ended.stderr or ended.stdout).strip()[-400:]}")

    async def connections_closed(self) -> int:
        """Closes every client's connection; how many there were."""
        names = [c["name"] for c in await self._get("connections") if c.get("vhost") == self.vhost]
        for name in names:
            await self._http.delete(f"/api/connections/{quote(name, safe='')}", headers={"X-Reason": "chaos"})
        return len(names)

    async def queues(self) -> list[dict[str, Any]]:
        """Every queue of the vhost with its counts, read at once and not from the last statistics."""
        return list(await self._get(f"queues/{self.vhost}?disable_stats=true&enable_queue_totals=true"))

    async def lanes_in(self, queue: str) -> set[str]:
        """The lanes of the messages in a queue, which stay in it."""
        body = {"count": 1000, "ackmode": "ack_requeue_true", "encoding": "auto", "truncate": 1}
        got = (await self._http.post(f"/api/queues/{self.vhost}/{queue}/get", json=body)).raise_for_status()
        return {str(message["properties"]["headers"]["lane"]) for message in got.json()}

    async def queue_deleted(self, name: str) -> None:
        (await self._http.delete(f"/api/queues/{self.vhost}/{name}")).raise_for_status()

    async def exchange_deleted(self, name: str) -> None:
        (await self._http.delete(f"/api/exchanges/{self.vhost}/{name}")).raise_for_status()

    async def queue_purged(self, name: str) -> None:
        (await self._http.delete(f"/api/queues/{self.vhost}/{name}/contents")).raise_for_status()

    async def policy(self, name: str, pattern: str, priority: int = 10, **definition: Any) -> None:
        """Sets a policy over the usual ones."""
        body = {"pattern": pattern, "apply-to": "queues", "priority": priority, "definition": definition}
        (await self._http.put(f"/api/policies/{self.vhost}/{name}", json=body)).raise_for_status()

    async def policy_of(self, name: str) -> dict[str, Any]:
        return dict(await self._get(f"policies/{self.vhost}/{name}"))

    async def policy_removed(self, name: str) -> None:
        (await self._http.delete(f"/api/policies/{self.vhost}/{name}")).raise_for_status()

    async def permitted(self, configure: str, write: str, read: str) -> None:
        """What our user may do in the vhost, as patterns of names."""
        body = {"configure": configure, "write": write, "read": read}
        (await self._http.put(f"/api/permissions/{self.vhost}/{self.user}", json=body)).raise_for_status()

    async def vhost_deleted(self) -> None:
        (await self._http.delete(f"/api/vhosts/{self.vhost}")).raise_for_status()

    async def vhost_made(self) -> None:
        (await self._http.put(f"/api/vhosts/{self.vhost}")).raise_for_status()
        await self.permitted(".*", ".*", ".*")

    async def _get(self, path: str) -> Any:
        return (await self._http.get(f"/api/{path}")).raise_for_status().json()
