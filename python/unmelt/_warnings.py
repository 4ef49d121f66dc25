"""Warnings of the package."""

import warnings
from collections.abc import Iterable

#: Skipped records that are named one by one; of more, the number is said.
_SHOWN = 5


class UnmeltWarning(UserWarning):
    """Something was corrected, skipped, or is doubtful."""


def warn(sentences: Iterable[str]) -> None:
    """Warns with each sentence, of many with the first and their number."""
    sentences = list(sentences)
    for sentence in sentences[:_SHOWN]:
        warnings.warn(sentence, UnmeltWarning, stacklevel=3)
    if len(sentences) > _SHOWN:
        warnings.warn(f"there are {len(sentences)} such warnings in all", UnmeltWarning, stacklevel=3)
