"""Names that people give to initiatives, and the folders made of them."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from gtm_orchestra.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["MAX_NAME", "checked_initiative", "slug"]

MAX_NAME = 120


def slug(name: str) -> str:
    """Return a name as a folder: lower case, words joined by hyphens, at most 80 characters.

    Letters of every script are kept, so that two names in another script do not fall together.

    >>> slug("PLG Onboarding")
    'plg-onboarding'
    """
    folded = unicodedata.normalize("NFKC", name).casefold()
    return re.sub(r"[\W_]+", "-", folded).strip("-")[:80].strip("-")


def checked_initiative(name: str, existing: Iterable[str] = ()) -> str:
    """Return an initiative's name without outer blanks, if it is one that can be kept.

    Raises:
        UsageError: Empty, too long, with control characters or path separators, or the same as an existing
            one but for capitals, blanks or punctuation.
    """
    text = unicodedata.normalize("NFC", name).strip()
    if not text:
        raise UsageError("the initiative has no name", hint='name it: --initiative "PLG Onboarding"')
    if len(text) > MAX_NAME:
        raise UsageError(
            f"the initiative's name has {len(text):,} characters; {MAX_NAME} are allowed", hint="shorten it"
        )
    wrong = {
        char for char in text if unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"} or char in "/\\"
    }
    if wrong:
        shown = ", ".join(sorted(f"U+{ord(char):04X}" for char in wrong))
        raise UsageError(
            f"the initiative's name contains {shown}; control characters and / or \\ are not allowed",
            hint="use letters, digits, blanks and punctuation",
        )
    if not slug(text):
        raise UsageError(
            f"the initiative's name {text!r} has no letter or digit", hint='name it: "PLG Onboarding"'
        )
    for other in existing:
        if other != text and slug(other) == slug(text):
            raise UsageError(
                f"the initiative {other!r} exists; {text!r} would share its folder",
                hint=f'write --initiative "{other}" for the same program, or choose other words',
            )
    return text
