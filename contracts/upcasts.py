"""How a resource of an older major version of a profile becomes one of the next.

Whoever tightens a profile under a new major version adds here what turns the old shape into the new one: messages and
resources stored under the old one are read through it. What was stored before profiles were declared counts as
version 0 and is version 1 as it stands (`shared/borders.py`).
"""

from __future__ import annotations

from shared.borders import Upcasts

UPCASTS: Upcasts = {}
