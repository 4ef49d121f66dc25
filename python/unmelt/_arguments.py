"""Arguments that several functions take, and checks of them."""

from __future__ import annotations

import os
from typing import Any

import numpy.typing as npt

from . import _unmelt
from ._unmelt import Volume
from ._warnings import warn

#: The path of a file or folder.
Path_ = str | os.PathLike[str]


def at_least(name: str, value: object, least: int) -> None:
    """Checks a whole number.

    Raises:
        TypeError: It is none.
        ValueError: It is below `least`.
    """
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{name} must be a whole number, but it is a {type(value).__name__}")
    if value.__index__() < least:
        raise ValueError(f"{name} must be at least {least}, but it is {value}")


def read_volume(path: Path_, index: int | None = None, series: str | None = None, force: bool = False) -> Volume:
    """Reads a volume; what had to be corrected is said with an `UnmeltWarning`."""
    volume, warnings = _unmelt.read_volume(os.fspath(path), index, series, force)
    warn(warnings)
    return volume


def volume_of(name: str, value: Volume | Path_) -> Volume:
    """A volume, or the one in the file or folder of this path.

    Raises:
        TypeError: Neither.
    """
    if isinstance(value, Volume):
        return value
    if isinstance(value, (str, os.PathLike)):
        return read_volume(value)
    kind = type(value).__name__
    raise TypeError(f"{name} must be an unmelt.Volume or the path of one, but it is a {kind}; Volume(array, affine) makes one of an array")


def mask_of(mask: Any) -> Volume | npt.ArrayLike:
    """A mask, or the one in the file or folder of this path."""
    found: Volume | npt.ArrayLike = read_volume(mask) if isinstance(mask, (str, os.PathLike)) else mask
    return found
