"""Whether a narrative may be stored and shown: formatting and links only, nothing that runs or loads from elsewhere.

Rules txt-1, txt-2 and the safety rules of https://hl7.org/fhir/R4/narrative.html#xhtml.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from html.entities import name2codepoint
from xml.parsers import expat

XHTML = "http://www.w3.org/1999/xhtml"

ELEMENTS = frozenset(
    re.findall(
        r"\w+",
        """a abbr acronym address area b bdo big blockquote br caption center cite code col colgroup dd del dfn
        dir div dl dt em font h1 h2 h3 h4 h5 h6 hr i img ins kbd li map menu ol p pre q s samp small span strike
        strong sub sup table tbody td tfoot th thead tr tt u ul var""",
    )
)
"""HTML 4.0 chapters 7-11 (but not 9.4) and 15, links and images."""

ATTRIBUTES = frozenset(
    re.findall(
        r"[\w:]+",
        """abbr accesskey align alt axis background bgcolor border cellpadding cellspacing char charoff charset
        cite class clear color colspan compact coords datetime dir face frame headers height href hreflang
        hspace id ismap lang longdesc name nohref noshade nowrap rel rev rowspan rules scope shape size span
        src start style summary tabindex title type usemap valign value vspace width""",
    )
)
"""The attributes of those elements, without event handlers and without frames."""

_QUALIFIED = frozenset(f"{XHTML} {name}" for name in ELEMENTS)
_ROOT = f"{XHTML} div"
_IMG = f"{XHTML} img"
_ACTIVE = frozenset("(@\\")
"""Without one of these a style neither loads nor runs anything."""
_PLAIN = frozenset(
    re.findall(r"\w+", "abbr align alt border class colspan dir height id lang name rowspan span title valign width")
)
_SOURCES = frozenset(("background", "cite", "longdesc", "src", "usemap"))
_LINKS = frozenset(("http", "https", "mailto", "tel", "urn"))
_ENTITY = re.compile(r"&([A-Za-z][A-Za-z0-9]*);")
_ENTITIES = frozenset(("apos", *name2codepoint))
_BLANK = re.compile(r"[\x00-\x20]+")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):|[/\\]{2}")
_IMAGE = r"data:image/(?:png|jpe?g|gif|webp|bmp);"
_DATA_IMAGE = re.compile(_IMAGE, re.IGNORECASE)
_STYLE = re.compile(
    rf"url\(['\"]?(?!{_IMAGE})(?:[a-z][a-z0-9+.-]*:|//)|expression\(|@import|behavior:|-moz-binding|script:|\\|/\*",
    re.IGNORECASE,
)


_LONGEST = 1024 * 1024
"""Characters of a narrative, as of any string."""
_DEPTH = 64
"""Elements inside each other: the reader keeps each that is open."""


class _Unsafe(Exception):
    """Carries the reason out of the parser."""


def unsafe(xhtml: str) -> str:
    """Why a narrative is refused, or "" when it is not; never with text of the narrative."""
    if len(xhtml) > _LONGEST:
        return f"must have at most {_LONGEST} characters"
    if any(found[1] not in _ENTITIES for found in _ENTITY.finditer(xhtml)):
        return "must be well-formed XHTML"
    reader = _Reader()
    try:
        reader.parser.Parse(xhtml, True)
    except _Unsafe as reason:
        return str(reason)
    except (expat.ExpatError, ValueError):
        return "must be well-formed XHTML"
    return "" if reader.content else "must have content that is not white space (txt-2)"


class _Reader:
    """Reads a narrative from its first element to its last and stops at the first thing not allowed."""

    def __init__(self) -> None:
        self.content = False
        self._open = 0
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.UseForeignDTD(True)  # entities of HTML 4 are skipped instead of ending the reading
        self.parser.StartElementHandler = self._root
        self.parser.EndElementHandler = self._closed
        self.parser.CharacterDataHandler = self._text
        self.parser.SkippedEntityHandler = self._entity
        self.parser.StartDoctypeDeclHandler = _declaration
        self.parser.XmlDeclHandler = _declaration
        self.parser.ProcessingInstructionHandler = _declaration

    def _root(self, name: str, attributes: Mapping[str, str]) -> None:
        if name != _ROOT:
            raise _Unsafe(f"must be one div in the namespace {XHTML}")
        self.parser.StartElementHandler = self._element
        self._element(name, attributes)

    def _element(self, name: str, attributes: Mapping[str, str]) -> None:
        self._open += 1
        if self._open > _DEPTH:
            raise _Unsafe(f"may not have more than {_DEPTH} elements inside each other")
        if name not in _QUALIFIED:
            raise _Unsafe("has an element that a narrative may not have (scripts, forms, frames, objects, styles)")
        for attribute, value in attributes.items():
            if attribute not in _PLAIN and not (attribute == "style" and _ACTIVE.isdisjoint(value)):
                _attribute(name.rpartition(" ")[2], attribute.rpartition(" ")[2].lower(), value)
        if name == _IMG:
            self._found()

    def _closed(self, name: str) -> None:
        self._open -= 1

    def _text(self, data: str) -> None:
        if not data.isspace():
            self._found()

    def _entity(self, name: str, is_parameter: bool) -> None:
        self._found()

    def _found(self) -> None:
        self.content = True
        self.parser.CharacterDataHandler = None


def _declaration(*parts: object) -> None:
    raise _Unsafe("may not have a document type, declaration or processing instruction")


def _attribute(element: str, name: str, value: str) -> None:
    """Raises when an attribute runs something or loads from elsewhere."""
    if name == "href" and element == "a" and ":" not in value:
        return
    dense = _BLANK.sub("", value)  # browsers ignore line breaks and tabs inside an address
    if name.startswith("on"):
        raise _Unsafe("may not have event handlers")
    if name not in ATTRIBUTES:
        raise _Unsafe("has an attribute that a narrative may not have")
    if name == "style" and _STYLE.search(dense):
        raise _Unsafe("may not load or run anything from a style")
    if name == "href" and not _linked(element, dense):
        raise _Unsafe("may link to http, https, mailto, tel or inside itself only")
    if name in _SOURCES and _SCHEME.match(dense) and not (element == "img" and _DATA_IMAGE.match(dense)):
        raise _Unsafe("may not load anything from elsewhere")


def _linked(element: str, href: str) -> bool:
    scheme = _SCHEME.match(href)
    return element in ("a", "area") and (scheme is None or (scheme[1] or "https").lower() in _LINKS)
