"""What is asked of names and texts that people send, and who is asked twice."""

from __future__ import annotations

import hashlib

from yaff.errors import InputError

LONGEST_TEXT = 4000
"""Characters of a reason or note."""


def judgements_wanted(key: str, share_judged_twice: float) -> int:
    """How many people judge a grasp: two for a share of them, chosen by what the grasp is, so that anyone can tell."""
    number = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "little")
    return 2 if number < share_judged_twice * 2.0**64 else 1


def checked_name(name: str) -> str:
    """An annotator's name, without blanks around it.

    Raises:
        InputError: empty, too long, or with control characters.
    """
    name = name.strip()
    if not name or len(name) > 100 or not name.isprintable():
        raise InputError("an annotator's name has 1 to 100 printable characters", remedy="give another name")
    return name


def checked_text(field: str, text: str, longest: int = LONGEST_TEXT) -> str:
    """A text of a person, of bounded length.

    Raises:
        InputError: too long, or with a character that no text has.
    """
    if len(text) > longest or "\x00" in text:
        raise InputError(f"{field} is longer than {longest} characters or holds a zero byte", remedy="shorten it")
    return text
