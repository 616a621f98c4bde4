"""A JSON Patch (RFC 6902) applied to a stored resource: the next version of it, or where it cannot be applied.

Law of this file: what is said of a patch names the operation and the element, never a value; and a patch cannot make a
resource grow past what a body may be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

import jsonpatch
import jsonpointer

from shared.core import Resource
from shared.fhir.json import GateError, decode, encode
from shared.fhir.outcomes import Issue
from shared.places import public
from shared.web.requests import BODY_LIMIT, Refused, refused

JSON_PATCH = "application/json-patch+json"
MOST_OPERATIONS = 200

_BROKEN = (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException)


def operations_of(body: bytes) -> Sequence[Mapping[str, Any]]:
    """The operations of a patch, through the JSON gate; 400 where they are none."""
    try:
        wrapped = decode(b'{"patch":' + body + b"}", limit=BODY_LIMIT)
    except GateError as error:
        raise Refused(error.status, error.issues) from None
    listed = wrapped["patch"]
    if set(wrapped) != {"patch"} or not isinstance(listed, list) or not listed:
        raise refused(400, "structure", "an array of operations (RFC 6902) would be right")
    if len(listed) > MOST_OPERATIONS:
        raise refused(413, "too-costly", f"a patch of at most {MOST_OPERATIONS} operations would be right")
    return listed


def patched(resource: Resource, operations: Sequence[Mapping[str, Any]]) -> Any:
    """The resource with every operation applied in order; 422 where a test fails, 400 where one means nothing here."""
    result: Any = deepcopy(dict(resource))
    room = BODY_LIMIT
    for n, operation in enumerate(operations):
        try:
            room -= _copied(result, operation)
            if room < 0:
                raise refused(413, "too-costly", f"operation {n}: a patch that copies less would be right")
            result = jsonpatch.apply_patch(result, [operation], in_place=True)
        except jsonpatch.JsonPatchTestFailed:
            raise _wrong(422, "business-rule", n, resource, operation, "the value tested for is not there") from None
        except _BROKEN:
            right = "add, remove, replace, move, copy or test at an element that is there would be right"
            raise _wrong(400, "value", n, resource, operation, right) from None
        except (TypeError, ValueError, KeyError, AttributeError, RecursionError):
            raise _wrong(400, "structure", n, resource, operation, "an operation of RFC 6902 would be right") from None
    return result


def undated(resource: dict[str, Any]) -> dict[str, Any]:
    """A patched resource without the instant of the version it was: it comes as it arrives."""
    meta = resource.get("meta")
    if not isinstance(meta, dict):
        return resource
    kept = {k: v for k, v in meta.items() if k not in ("lastUpdated", "versionId")}
    return {k: v for k, v in resource.items() if k != "meta"} | ({"meta": kept} if kept else {})


def _copied(document: Any, operation: Any) -> int:
    """Bytes that a copy adds."""
    if not isinstance(operation, dict) or operation.get("op") != "copy":
        return 0
    return len(encode({"copied": jsonpointer.resolve_pointer(document, str(operation.get("from")))}))


def _wrong(status: int, code: str, n: int, resource: Resource, operation: Any, right: str) -> Refused:
    pointer = operation.get("path") if isinstance(operation, dict) else None
    return Refused(status, [Issue(code, _expression(resource, pointer), f"operation {n}: {right}")])


def _expression(resource: Resource, pointer: Any) -> str:
    """The FHIRPath of a JSON pointer, as far as its names are FHIR's own."""
    kind = str(resource["resourceType"])
    if not isinstance(pointer, str) or not pointer.startswith("/"):
        return kind
    path = kind
    for part in pointer[1:].split("/"):
        path += f"[{part}]" if part.isascii() and part.isdigit() else "" if part == "-" else f".{part}"
    return public(path)
