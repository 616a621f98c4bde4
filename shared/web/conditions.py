"""Conditional interactions (R4 http): what a condition finds among what the client may see, and nothing besides."""

from __future__ import annotations

from urllib.parse import unquote

from shared.core import Resource
from shared.fhir.searching import identifiers
from shared.smart.tokens import Access
from shared.web.requests import permitted, refused
from shared.web.search import Params
from shared.web.searching import Searching


class Conditions:
    """Evaluates conditions; of 412 and 201 nobody learns more than a search would tell him."""

    def __init__(self, searching: Searching) -> None:
        self._searching = searching

    async def match(
        self, access: Access, kind: str, params: Params, resource: Resource | None = None
    ) -> Resource | None:
        """The one match, or None; 412 for several.

        A condition by the own identifier of the resource that is sent asks no more than its content tells; any other
        needs the scope of a search.
        """
        if resource is None or not _is_own(params, resource):
            permitted(access, kind, "search-type")
        found = await self._searching.seen(access, kind, params)
        if len(found) > 1:
            raise refused(412, "multiple-matches", "a condition that one record meets, or none, would be right")
        return found[0] if found else None


def condition_of(if_none_exist: str) -> Params:
    """The parameters of an If-None-Exist; 400 where it says nothing."""
    parts = (part.partition("=") for part in if_none_exist.rpartition("?")[2].split("&"))
    params = tuple((unquote(name), unquote(value)) for name, _, value in parts)
    if not any(value for _, value in params):
        raise refused(400, "value", "If-None-Exist: a search like identifier=<system>|<value> would be right")
    return params


def _is_own(params: Params, resource: Resource) -> bool:
    own = [value for value in identifiers(resource) if "|" in value]
    return [name for name, _ in params] == ["identifier"] and dict(params)["identifier"] in own
