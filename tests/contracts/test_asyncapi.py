"""The AsyncAPI document holds together, and says of the wire what the code does there."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from contracts.catalogue.__main__ import FOLDER
from contracts.catalogue.declarations import demo_services
from shared.adapters.amqp import EXCHANGE, asserted, queue_of
from shared.borders import stamped
from shared.core import Decision
from shared.messages import Cause, headers_of, new_trace, routing_keys, written
from shared.settings import Settings
from tests.contracts.schema import faults, resolved

DOCUMENT: dict[str, Any] = yaml.safe_load((FOLDER / "asyncapi.yaml").read_text("utf-8"))
SERVICES = demo_services()
MESSAGES = DOCUMENT["components"]["messages"]
EXAMPLES = sorted((FOLDER / "examples" / "decision-message").glob("*.json"))


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"]
        for inner in node.values():
            yield from references(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from references(inner)


def payload_faults(bundle: Any) -> list[str]:
    header = bundle["entry"][0]["resource"]
    key = f"{header['source']['name']}.{header['eventUri'].rpartition('/')[2]}"
    return faults(MESSAGES[key]["payload"], bundle, DOCUMENT)


def message() -> dict[str, Any]:
    """A decision of auth as the run loop writes it."""
    charge = {
        "resourceType": "ChargeItem",
        "id": "au-5f0d2a1e-0000-5000-8000-000000000001",
        "meta": {"versionId": "1-3", "lastUpdated": "2026-11-22T10:00:00Z"},
        "status": "planned",
    }
    at = datetime(2026, 11, 22, 10, tzinfo=UTC)
    said = written("auth", "0199-1", Decision("dose-reserved"), [stamped(charge, "dose-charge|2.0")], at)
    found: dict[str, Any] = json.loads(json.dumps(said))
    return found


# The document itself


def test_every_reference_points_at_something() -> None:
    for reference in set(references(DOCUMENT)):
        assert resolved(reference, DOCUMENT) is not None, reference


def test_every_name_is_one_that_asyncapi_allows() -> None:
    for group in DOCUMENT["components"].values():
        assert all(re.fullmatch(r"[\w.\-]+", name) for name in group)
    assert DOCUMENT["asyncapi"] == "3.0.0"


def test_an_operation_names_messages_of_its_own_channel_only() -> None:
    for operation in DOCUMENT["operations"].values():
        channel = operation["channel"]["$ref"]
        assert all(m["$ref"].startswith(channel + "/messages/") for m in operation["messages"])
        assert operation["action"] in ("send", "receive")


def test_every_reason_is_one_message_sent_by_its_service_and_received_by_whoever_reads_that_service() -> None:
    sent = {m for name, o in DOCUMENT["operations"].items() if o["action"] == "send" for m in _keys(o)}
    assert sent == set(MESSAGES) == {f"{s.name}.{reason}" for s in SERVICES for reason in s.reasons}
    for service in SERVICES:
        received = {n for n in DOCUMENT["operations"] if n.startswith(f"{service.name}.hears.")}
        assert received == {
            f"{service.name}.hears.{other.name}"
            for other in SERVICES
            if other is not service and set(service.reads) & set(other.profiles)
        }


def _keys(operation: Any) -> set[str]:
    return {m["$ref"].rpartition("/")[2] for m in operation["messages"]}


# What the broker adapter does


class Broker:
    """Keeps what it is asked to declare."""

    def __init__(self) -> None:
        self.queues: dict[str, tuple[bool, dict[str, Any]]] = {}
        self.bound: list[tuple[str, str]] = []

    async def declare_queue(self, name: str, *, durable: bool, arguments: dict[str, Any]) -> Broker:
        self.queues[name] = (durable, arguments)
        return self

    async def bind(self, exchange: str, *, routing_key: str) -> None:
        self.bound.append((exchange, routing_key))


@pytest.mark.parametrize("service", SERVICES, ids=lambda s: s.name)
async def test_the_queues_are_those_the_broker_adapter_declares(service: Any) -> None:
    channel = DOCUMENT["channels"][f"{service.name}.queue"]
    broker = Broker()
    await asserted(broker, service.name, 7, service.listens)
    address = channel["address"].format(partition=7)
    queue = channel["bindings"]["amqp"]["queue"]
    assert broker.queues == {address: (queue["durable"], channel["x-arguments"])}
    assert address == queue["name"].format(partition=7) == queue_of(service.name, 7)
    assert broker.bound == [(EXCHANGE, key.format(partition=7)) for key in channel["x-bound-to"]]


def test_a_routing_key_is_a_type_of_the_producer_and_a_partition() -> None:
    for service in SERVICES:
        says = DOCUMENT["channels"][f"{service.name}.says"]
        types = says["parameters"]["type"]["enum"]
        assert set(types) == service.owns
        keys = routing_keys(types[0], types, 3)
        assert sorted(keys) == sorted(says["address"].format(type=t, partition=3) for t in types)
        assert says["parameters"]["partition"]["enum"] == [str(n) for n in range(Settings().partitions)]
        assert says["bindings"]["amqp"]["exchange"]["name"] == EXCHANGE


# What is on the wire


def test_the_headers_are_those_that_are_written() -> None:
    schema = DOCUMENT["components"]["schemas"]["headers"]
    causes = {"intake": Cause(4, {"auth": "0199-0"})}
    headers = headers_of(
        "auth", "patient/in-1", 3, 1, causes, {"intake": "0199-0"}, {"intake": "0199-1"}, new_trace("x")
    )
    assert set(schema["required"]) == set(headers)
    assert faults(schema, headers, DOCUMENT) == []
    assert faults(schema, {**headers, "lane": "a b"}, DOCUMENT) == ["$.lane: pattern"]
    assert faults(schema, {**headers, "large": "no"}, DOCUMENT) == ["$.large: const"]


def test_a_message_as_the_run_loop_writes_it_fits() -> None:
    assert payload_faults(message()) == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda b: b["entry"][1]["resource"].update(id="in-1"), "$.entry[1].resource.id: pattern"),
        (lambda b: b["entry"][1]["resource"]["meta"].update(profile=["x|1.0"]), "$.entry[1].resource: anyOf"),
        (lambda b: b["entry"][1]["resource"].update(resourceType="Patient"), "$.entry[1].resource: anyOf"),
        (lambda b: b["entry"][1]["resource"]["meta"].pop("versionId"), "$.entry[1].resource.meta: versionId"),
        (lambda b: b["entry"].reverse(), "$.entry[0].resource.resourceType: const"),
        (lambda b: b.update(type="collection"), "$.type: const"),
    ],
)
def test_a_message_that_breaks_the_agreement_does_not_fit(change: Any, fault: str) -> None:
    broken = deepcopy(message())
    change(broken)
    assert fault in faults(MESSAGES["auth.dose-reserved"]["payload"], broken, DOCUMENT)


def test_a_message_under_another_event_or_producer_does_not_fit() -> None:
    found = faults(MESSAGES["auth.dose-released"]["payload"], message(), DOCUMENT)
    assert found == ["$.entry[0].resource.eventUri: const"]
    other = faults(MESSAGES["intake.referral-accepted"]["payload"], message(), DOCUMENT)
    assert "$.entry[0].resource.source.name: const" in other


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_of_a_message_fits(example: Path) -> None:
    assert payload_faults(json.loads(example.read_text("utf-8"))) == []
