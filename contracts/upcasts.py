"""How a resource of an older major version of a profile becomes one of the next.

Whoever tightens a profile under a new major version adds here what turns the old shape into the new one: messages and
resources stored under the old one are read through it. What was stored before profiles were declared counts as
version 0 and is version 1 as it stands (`shared/borders.py`).
"""

from __future__ import annotations

from shared.borders import Upcasts
from shared.core import CANONICAL, Resource


def allowing_more(resource: Resource) -> Resource:
    """The next version may say more: what an older one says stands as it is."""
    return resource


def referral_task(resource: Resource) -> Resource:
    """Version 2 wants of a completed referral what came of it, and knows more codes."""
    if resource.get("status") != "completed" or resource.get("output"):
        return resource
    feedback = {"coding": [{"system": CANONICAL + "CodeSystem/referral-output", "code": "feedback"}]}
    return {**resource, "output": [{"type": feedback, "valueString": "The referral is completed."}]}


UPCASTS: Upcasts = {
    ("authorization-question", 1): allowing_more,
    ("authorization-question", 2): allowing_more,
    ("authorization-question", 3): allowing_more,
    ("authorization-question", 4): allowing_more,
    ("chair-appointment", 1): allowing_more,
    ("chair-task", 1): allowing_more,
    ("chair-task", 2): allowing_more,
    ("communication", 1): allowing_more,
    ("dose-charge", 1): allowing_more,
    ("filler-order", 1): allowing_more,
    ("home-nursing-task", 1): allowing_more,
    ("hub-enrolment-task", 1): allowing_more,
    ("intake-question", 1): allowing_more,
    ("preauthorization-claim", 1): allowing_more,
    ("preauthorization-claim", 2): allowing_more,
    ("preauthorization-claim", 3): allowing_more,
    ("preauthorization-task", 1): allowing_more,
    ("preauthorization-task", 2): allowing_more,
    ("preauthorization-task", 3): allowing_more,
    ("referral-task", 1): referral_task,
    ("scheduling-question", 1): allowing_more,
}
