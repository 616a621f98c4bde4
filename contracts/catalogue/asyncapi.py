"""The catalogue as an AsyncAPI 3.0 document: what a client of the broker generates code and checks from.

Source: asyncapi.com specification 3.0.0 and the AMQP bindings 0.3.0. `contracts/asyncapi/check.mjs` holds it to the
official parser.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from contracts.catalogue import schemas
from contracts.catalogue.declarations import Said, carried_kinds, kinds_of, profile_of, read_by, said_by, type_of
from shared.adapters.amqp import EXCHANGE
from shared.adapters.rabbitmq import PARKING, policies_of
from shared.borders import PROFILE
from shared.core import CANONICAL, Service
from shared.settings import Settings
from shared.version import VERSION

Node = dict[str, Any]

BINDING = "0.3.0"
QUORUM = {"x-queue-type": "quorum"}
ACTIVE = {"x-single-active-consumer": True}

_DESCRIPTION = (
    "One decision of one service is one message: a FHIR R4 Bundle of type `message`, MessageHeader first, then every "
    "resource the decision saved, each declaring the profile it satisfies. Order holds per patient and producer; a "
    "message may come twice, and is then the same. Keys, names and headers hold opaque ids and ordinals only, never a "
    "value of a patient."
)
_KEYS = "Routing key: the type of the focus; as CC, one key for each other type inside. A queue gets a message once."
_PARTITION = "crc32 of the lane, modulo the number of partitions of the deployment."
_QUEUE = (
    "One quorum queue for each partition, with a single active consumer. A message under the queue's own name is a "
    "backfill for this service alone (`eventUri` .../message/backfilled): what its producer owns in one lane, as now."
)
_PARKED = (
    "What the broker could not hand over; what was handed over and not understood stands in the service's own inbox, "
    "with a Task that asks a person."
)


def asyncapi(services: Sequence[Service]) -> Node:
    """The whole document."""
    return {
        "asyncapi": "3.0.0",
        "id": CANONICAL + "asyncapi",
        "info": _info(),
        "defaultContentType": "application/fhir+json",
        "servers": {"rabbitmq": _server()},
        "channels": {name: channel for s in services for name, channel in _channels(s, services).items()},
        "operations": {name: done for s in services for name, done in _operations(s, services).items()},
        "components": _components(services),
    }


def _info() -> Node:
    return {
        "title": "Carepod: messages between services",
        "version": VERSION,
        "description": _DESCRIPTION,
        "contact": {"name": "Carepod", "url": CANONICAL},
        "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        "tags": [{"name": "fhir", "description": "HL7 FHIR R4 (4.0.1) messaging"}],
        "externalDocs": {"description": "Who says what, as a page", "url": CANONICAL + "messages"},
    }


def _server() -> Node:
    return {
        "host": "{host}:{port}",
        "pathname": "/{vhost}",
        "protocol": "amqp",
        "protocolVersion": "0.9.1",
        "description": "RabbitMQ 3.10 or later; exchanges and policies come from `carepod topology`.",
        "variables": {
            "host": {"default": "rabbitmq", "description": "As `CAREPOD_AMQP_URL` names it."},
            "port": {"default": "5672"},
            "vhost": {"default": "carepod"},
        },
        "security": [{"$ref": "#/components/securitySchemes/password"}],
    }


# Channels


def _channels(service: Service, services: Sequence[Service]) -> Node:
    """What a service says, what reaches its queues, and where it parks."""
    heard = [said for other in services for said in _reaching(service, other)]
    return {
        f"{service.name}.says": _says(service),
        f"{service.name}.queue": _queue(service, heard),
        f"{service.name}.parked": _parked(service, heard),
    }


def _says(service: Service) -> Node:
    types = sorted({type_of(kind) for kind in kinds_of(service)})
    exchange = {"name": EXCHANGE, "type": "topic", "durable": True, "autoDelete": False, "vhost": "/"}
    return {
        "address": "{type}.p{partition}",
        "title": f"What {service.name} says",
        "description": _KEYS,
        "messages": _named(said_by(service)),
        "parameters": {
            "type": {"description": "A resource type inside.", "enum": types},
            "partition": _partition(),
        },
        "bindings": {"amqp": {"is": "routingKey", "exchange": exchange, "bindingVersion": BINDING}},
    }


def _queue(service: Service, heard: Sequence[Said]) -> Node:
    address = f"{service.name}.p{{partition}}"
    policy = policies_of([service.name])[f"{service.name}-queues"]
    return {
        "address": address,
        "title": f"What {service.name} hears",
        "description": _QUEUE,
        "messages": _named(heard),
        "parameters": {"partition": _partition()},
        "bindings": _bound_queue(address),
        "x-arguments": {**QUORUM, **ACTIVE},
        "x-bound-to": [*(f"{kind}.p{{partition}}" for kind in sorted(service.listens)), address],
        "x-policy": policy["definition"],
    }


def _parked(service: Service, heard: Sequence[Said]) -> Node:
    address = f"{service.name}.parked"
    return {
        "address": address,
        "title": f"What {service.name} could not be given",
        "description": _PARKED,
        "messages": _named(heard),
        "bindings": _bound_queue(address),
        "x-arguments": QUORUM,
        "x-bound-to": [service.name],
        "x-exchange": PARKING,
    }


def _bound_queue(name: str) -> Node:
    queue = {"name": name, "durable": True, "exclusive": False, "autoDelete": False, "vhost": "/"}
    return {"amqp": {"is": "queue", "queue": queue, "bindingVersion": BINDING}}


def _partition() -> Node:
    return {"description": _PARTITION, "enum": [str(n) for n in range(Settings().partitions)], "default": "0"}


def _named(messages: Sequence[Said]) -> Node:
    return {m.key: {"$ref": f"#/components/messages/{m.key}"} for m in messages}


# Operations


def _operations(service: Service, services: Sequence[Service]) -> Node:
    """One for what a service says, one for each service it hears."""
    says = {f"{service.name}.says": _sending(service)}
    return says | {
        f"{service.name}.hears.{other.name}": _hearing(service, other) for other in services if read_by(service, other)
    }


def _sending(service: Service) -> Node:
    return {
        "action": "send",
        "channel": {"$ref": f"#/channels/{service.name}.says"},
        "title": f"{service.name} says",
        "summary": "Published from the outbox, confirmed by the broker, again with the same id where in doubt.",
        "messages": _of_channel(f"{service.name}.says", said_by(service)),
        "bindings": {
            "amqp": {"cc": ["{type}.p{partition}"], "deliveryMode": 2, "mandatory": True, "bindingVersion": BINDING}
        },
    }


def _hearing(service: Service, other: Service) -> Node:
    kinds = read_by(service, other)
    return {
        "action": "receive",
        "channel": {"$ref": f"#/channels/{service.name}.queue"},
        "title": f"{service.name} hears {other.name}",
        "summary": "Acknowledged once it stands in the inbox; kinds that are not read are not kept.",
        "messages": _of_channel(f"{service.name}.queue", _reaching(service, other)),
        "bindings": {"amqp": {"ack": True, "bindingVersion": BINDING}},
        "x-reads": {kind: PROFILE + service.reads[kind] for kind in kinds if kind in service.reads},
    }


def _reaching(service: Service, other: Service) -> list[Said]:
    """The messages of another service that may reach the queues of this one."""
    if not read_by(service, other):
        return []
    return [m for m in said_by(other) if service.listens & {type_of(kind) for kind in carried_kinds(m)}]


def _of_channel(channel: str, messages: Sequence[Said]) -> list[Node]:
    return [{"$ref": f"#/channels/{channel}/messages/{m.key}"} for m in messages]


# Components


def _components(services: Sequence[Service]) -> Node:
    return {
        "messages": {said.key: _message(said) for s in services for said in said_by(s)},
        "messageTraits": {"decision": _trait()},
        "schemas": schemas.components(services),
        "securitySchemes": {"password": {"type": "userPassword", "description": "A service configures only its own."}},
    }


def _message(said: Said) -> Node:
    return {
        "name": said.reason,
        "title": said.reason,
        "summary": said.when,
        "tags": [{"name": said.producer.name}],
        "traits": [{"$ref": "#/components/messageTraits/decision"}],
        "payload": schemas.payload(said),
        "bindings": {"amqp": {"messageType": said.reason, "bindingVersion": BINDING}},
        "x-focus": {kind: profile_of(said.producer, kind) for kind in said.focus},
    }


def _trait() -> Node:
    return {
        "contentType": "application/fhir+json",
        "headers": {"$ref": "#/components/schemas/headers"},
        "correlationId": {
            "description": "The journey the decision belongs to (W3C Trace Context).",
            "location": "$message.header#/traceparent",
        },
    }
