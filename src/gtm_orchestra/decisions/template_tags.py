"""Liquid and HubL tags in a text: which there are, whether each has a default, and whether they are closed.

Nothing is evaluated: the delivering system does that, so a text leaves here as it came.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["Tag", "tag_faults", "tags_of", "without_tags"]

_OUTPUT = re.compile(r"\{\{-?(.*?)-?\}\}", re.DOTALL)
_BLOCK = re.compile(r"\{%-?\s*(\w+).*?-?%\}", re.DOTALL)
# Liquid: {{ name | default: "there" }}. HubL: {{ contact.firstname|default("there") }}.
_DEFAULT = re.compile(r"\|\s*default(?:_if_none)?\s*[:(]\s*(\"[^\"]*\"|'[^']*'|[^\s|)]+)")
# HubL: {{ personalization_token("contact.firstname", "there") }}.
_TOKEN = re.compile(r"personalization_token\(\s*[\"'][^\"']+[\"']\s*,\s*(\"[^\"]*\"|'[^']*')\s*\)")
_PAIRED = ("if", "unless", "for", "case", "capture")


@dataclass(frozen=True, slots=True)
class Tag:
    """One output tag: as it stands, and what is shown where the value is missing; None: nothing is said."""

    text: str
    default: str | None


def tags_of(text: str) -> list[Tag]:
    """Return the output tags of a text, in order.

    >>> [tag.default for tag in tags_of('Hi {{ first_name | default: "there" }}, {{ contact.city }}')]
    ['there', None]
    """
    found = []
    for match in _OUTPUT.finditer(text):
        given = _DEFAULT.search(match[1]) or _TOKEN.search(match[1])
        found.append(Tag(match[0], given[1].strip("\"'") if given else None))
    return found


def tag_faults(text: str) -> list[str]:
    """Return what is wrong with the form of a text's tags, in words.

    >>> tag_faults("Hi {{ first_name }, {% if vip %}hello")
    ['a tag begins with {{ and is not closed', '{% if %} has no {% endif %}']
    """
    rest = _BLOCK.sub("", _OUTPUT.sub("", text))
    faults = []
    if "{{" in rest:
        faults.append("a tag begins with {{ and is not closed")
    elif "}}" in rest:
        faults.append("a tag ends with }} and was not begun")
    if "{%" in rest:
        faults.append("a tag begins with {% and is not closed")
    words = [match[1] for match in _BLOCK.finditer(text)]
    for word in _PAIRED:
        opened, closed = words.count(word), words.count(f"end{word}")
        if opened > closed:
            faults.append(f"{{% {word} %}} has no {{% end{word} %}}")
        elif closed > opened:
            faults.append(f"{{% end{word} %}} has no {{% {word} %}}")
    return faults


def without_tags(text: str) -> str:
    """Return a text with each tag replaced by the letter x, to judge the rest of it."""
    return _BLOCK.sub("", _OUTPUT.sub("x", text))
