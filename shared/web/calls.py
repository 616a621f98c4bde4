"""One interaction with the FHIR base, whether it came as a request of its own or as an entry of a Bundle."""

from __future__ import annotations

import string
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode

from starlette.requests import Request

from shared.core import Resource
from shared.fhir.json import encode
from shared.web.prefer import Preference, preference
from shared.web.requests import FHIR_JSON
from shared.web.search import Params

_BLANKS = dict.fromkeys(map(ord, string.whitespace))
_CONDITIONS = {"ifMatch": "if-match", "ifNoneMatch": "if-none-match", "ifNoneExist": "if-none-exist"}


@dataclass(frozen=True, slots=True)
class Call:
    """What is asked: `[method] /fhir/[kind]/[id]/[tail]?[params]`, its headers in small letters, its body."""

    method: str
    kind: str
    id: str = ""
    tail: str = ""
    params: Params = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def place(self) -> str:
        """Where it went, without what may be a patient's."""
        return f"{self.method} /fhir/{self.kind}"

    @property
    def path(self) -> str:
        """The address, as another process of ours answers it."""
        parts = "/".join(quote(p, safe="/$") for p in (self.kind, self.id, self.tail) if p)
        return f"/fhir/{parts}" + (f"?{urlencode(self.params)}" if self.params else "")

    @property
    def preferred(self) -> Preference:
        """What the client prefers. 400 where it says so in no way we know."""
        return preference(self.headers.get("prefer", ""))


def call_of(request: Request, kind: str, resource_id: str = "", tail: str = "", body: bytes = b"") -> Call:
    """The call a request is."""
    params = tuple(request.query_params.multi_items())
    return Call(request.method, kind, resource_id, tail, params, _headers(request), body)


def _headers(request: Request) -> Mapping[str, str]:
    """Each header once; of several of one name, joined as RFC 9110 has it."""
    return {name: ", ".join(request.headers.getlist(name)) for name in request.headers}


def entry_call(entry: Resource, base: str, prefer: str) -> Call:
    """The call an entry of a Bundle is, still without its body: that is `body_of_entry`, when its turn comes."""
    request = entry["request"]
    address, _, query = str(request["url"]).removeprefix(f"{base}/").partition("?")
    kind, resource_id, tail = (*address.strip("/").split("/", 2), "", "")[:3]
    media = _media_type(entry.get("resource"), request["method"])
    headers = {header: str(request[name]) for name, header in _CONDITIONS.items() if name in request}
    headers |= {"content-type": media} if media else {}
    params = tuple(parse_qsl(query, keep_blank_values=True))
    return Call(request["method"], kind, unquote(resource_id), unquote(tail), params, headers | {"prefer": prefer})


def _media_type(resource: Any, method: str) -> str:
    """Of an entry's body; a patch is the content of a Binary (R4 http, batch)."""
    if resource is None:
        return ""
    return str(resource.get("contentType", "")) if _is_patch(resource, method) else FHIR_JSON


def body_of_entry(entry: Resource) -> bytes:
    """The body an entry would have as a request of its own."""
    resource = entry.get("resource")
    if resource is None:
        return b""
    return content_of(resource) if _is_patch(resource, entry["request"]["method"]) else encode(resource)


def _is_patch(resource: Resource, method: str) -> bool:
    return method == "PATCH" and resource.get("resourceType") == "Binary"


def content_of(binary: Resource) -> bytes:
    """The bytes of a Binary; none where its data is no base64."""
    try:
        return b64decode(str(binary.get("data", "")).translate(_BLANKS), validate=True)
    except ValueError:
        return b""
