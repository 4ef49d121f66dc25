"""Warnings of the package."""

import sys
import warnings
from collections.abc import Iterable

#: Skipped records that are named one by one; of more, the number is said.
_SHOWN = 5


class UnmeltWarning(UserWarning):
    """A value was corrected, a record was skipped, or a result may be unreliable."""


def warn(sentences: Iterable[str]) -> None:
    """Warns with each sentence, of many with the first and their number; Python names the line of the user's that called the package."""
    sentences = list(sentences)
    level = _user_level()
    for sentence in sentences[:_SHOWN]:
        warnings.warn(sentence, UnmeltWarning, stacklevel=level)
    if len(sentences) > _SHOWN:
        warnings.warn(f"there are {len(sentences)} such warnings in all", UnmeltWarning, stacklevel=level)


def _user_level() -> int:
    """The stack level, counted from `warn`, of the first caller outside of the package."""
    package = __name__.partition(".")[0]
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == package:
        frame, level = frame.f_back, level + 1
    return level
