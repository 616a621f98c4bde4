"""A process of its own that is given the worst bodies and says what each cost it: one line of JSON for each.

    python -m tests.shared.web.costing FOLDER [NAME ...]

Memory is what the process grew by at its highest, from what it held after its first referral; no test client shares it.
What one body leaves behind counts for those after it, so the largest come first.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from shared.fhir.bodies import LIMIT, PARTS, PLAIN
from shared.messages import PARTS as OF_A_DECISION
from shared.messages import Catalogue, Malformed, opened
from shared.ports import Incoming
from shared.settings import Settings
from shared.web.app import create_app
from shared.web.bundles import LIMIT as OF_A_BUNDLE
from tests.shared.web.stack import FHIR, Carepod, built, referral
from tests.shared.worst import DOCUMENTS, SHAPES, largest

_CHUNK = 64 * 1024


_DECIDED = ("empty objects", "decimals", "objects with one text", "one wide text", "decimals, then NaN")

PLACES: Mapping[str, str] = {
    **{name: "/fhir/$process-message" if name == "messages" else "/fhir" for name in (*DOCUMENTS, *SHAPES)},
    **{f"{name}, of a decision": "" for name in _DECIDED},
}
"""Where each body goes; "": to the decoder of messages between services."""


def written(name: str, file: Path) -> int:
    """Writes a body to a file; its size."""
    shape, _, decided_ = name.partition(", of a ")
    if shape in DOCUMENTS:
        body = DOCUMENTS[shape](OF_A_BUNDLE)
    else:
        bytes_, parts = (OF_A_DECISION * PLAIN, OF_A_DECISION) if decided_ else (LIMIT, PARTS)
        body = largest(SHAPES[shape], bytes_, parts)
    return file.write_bytes(body)


def highest() -> float:
    """MiB this process has held at most since `forget`."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM"))


def forget() -> None:
    """Begins the highest anew."""
    Path("/proc/self/clear_refs").write_text("5")


async def posted(api: FastAPI, token: str, path: str, file: Path) -> int:
    """The status of the answer to a body read from a file while it is sent."""
    headers = [(b"authorization", f"Bearer {token}".encode()), (b"content-type", FHIR.encode())]
    scope: Any = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
        "path": path, "raw_path": path.encode(), "query_string": b"", "headers": headers, "server": ("x", 80),
    }  # fmt: skip
    statuses: list[int] = []
    with file.open("rb") as body:

        async def receive() -> Any:
            chunk = body.read(_CHUNK)
            return {"type": "http.request", "body": chunk, "more_body": bool(chunk)}

        async def send(message: Any) -> None:
            statuses.extend([message["status"]] if "status" in message else [])

        await api(scope, receive, send)
    return statuses[0]


def decided(catalogue: Catalogue, file: Path) -> int:
    """What becomes of a body as the message of a service: 200, or 400 where it is none."""
    headers = {"producer": "intake", "lane": "patient/in-1", "seq": 1}
    try:
        opened(Incoming("x", "referral-accepted", headers, file.read_bytes()), catalogue)
    except Malformed:
        return 400
    return 200


async def main(folder: Path, wanted: frozenset[str]) -> None:
    # Bodies are made in another process, begun before this one is large: what making them takes is not their cost.
    with ProcessPoolExecutor(1, mp_context=get_context("fork")) as maker:
        maker.submit(int).result()
        await measured(folder, [name for name in PLACES if not wanted or name in wanted], maker)


async def measured(folder: Path, names: Sequence[str], maker: ProcessPoolExecutor) -> None:
    """Prints what each body cost."""
    settings = Settings(folder=folder / "carepod", secrets=folder / "secrets", base_url="http://carepod.test")
    app = await built(settings)
    api, token = create_app(app), Carepod(app, None).client().token  # type: ignore[arg-type]
    file = folder / "body.json"
    file.write_text(json.dumps(referral()))
    assert await posted(api, token, "/fhir", file) == 200
    forget()
    before = highest()
    for name in names:
        size, path = maker.submit(written, name, file).result(), PLACES[name]
        forget()
        began = time.monotonic()
        status = await posted(api, token, path, file) if path else decided(app.catalogue, file)
        told = {"name": name, "bytes": size, "status": status, "grew": round(highest() - before)}
        print(json.dumps({**told, "seconds": round(time.monotonic() - began, 2)}), flush=True)
    await app.stop()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), frozenset(sys.argv[2:])))
