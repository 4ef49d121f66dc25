"""Parts of volumes: slices and boxes, at their place in space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ._unmelt import Volume


def sliced(volume: Volume, index: Any) -> Volume:
    """A part of a volume by slices of its axes, as `volume[index]`.

    Raises:
        IndexError: More indices than axes, a slice that holds no voxel.
        TypeError: An index that is no slice.
        ValueError: A step below 1.
    """
    ranges = [_range(axis, one, length) for axis, (one, length) in enumerate(zip(_whole(index), volume.shape, strict=True))]
    step = np.diag([*[float(r.step) for r in ranges], 1.0])
    step[:3, 3] = [r.start for r in ranges]
    i, j, k = (slice(r.start, r.stop, r.step) for r in ranges)
    return volume._part(volume.array[i, j, k], volume.affine @ step)


def crop(volume: Volume, low: Sequence[int], high: Sequence[int]) -> Volume:
    """The box of a volume from voxel `low` up to, and without, voxel `high`.

    Raises:
        TypeError: Bounds that are no whole numbers.
        ValueError: Not three bounds, bounds outside of the volume, an empty box.
    """
    bounds = []
    for name, ends in (("low", low), ("high", high)):
        numbers = list(ends)
        if any(isinstance(n, bool) or not hasattr(n, "__index__") for n in numbers):
            raise TypeError(f"{name} must be three whole numbers, but it is {ends!r}")
        if len(numbers) != 3:
            raise ValueError(f"{name} must be three whole numbers, but there are {len(numbers)}")
        bounds.append([n.__index__() for n in numbers])
    index = []
    for axis, (begin, end, length) in enumerate(zip(*bounds, volume.shape, strict=True)):
        first, last = (n + length if n < 0 else n for n in (begin, end))
        if not 0 <= first < last <= length:
            raise ValueError(
                f"the box must lie within the volume and hold a voxel, but it goes from {begin} to {end} along axis {axis}, "
                f"which has {length} voxels"
            )
        index.append(slice(first, last))
    return sliced(volume, tuple(index))


def _whole(index: Any) -> list[Any]:
    """An index for each of three axes; an ellipsis stands for those that are not named."""
    given = list(index) if isinstance(index, tuple) else [index]
    ellipses = [k for k, one in enumerate(given) if one is Ellipsis]
    if len(ellipses) > 1:
        raise IndexError("an index can only have one ellipsis (...)")
    if len(given) - len(ellipses) > 3:
        raise IndexError(f"a volume has three axes, but {len(given) - len(ellipses)} indices are given")
    at = ellipses[0] if ellipses else len(given)
    missing = 3 - (len(given) - len(ellipses))
    return [*given[:at], *[slice(None)] * missing, *given[at + 1 :]]


def _range(axis: int, index: Any, length: int) -> range:
    """The voxels of an axis that a slice names."""
    if not isinstance(index, slice):
        if hasattr(index, "__index__") and not isinstance(index, bool):
            k = index.__index__()
            end = "" if k == -1 else k + 1
            raise TypeError(f"a volume keeps its three axes: write {k}:{end} in place of {k}, or volume.array for an array")
        raise TypeError(f"a volume is indexed by slices, but axis {axis} got a {type(index).__name__}; use volume.array for an array")
    start, stop, step = index.indices(length)
    if step < 1:
        raise ValueError(f"the step of a slice must be at least 1, but it is {step} along axis {axis}")
    chosen = range(start, stop, step)
    if not chosen:
        raise IndexError(f"the slice holds no voxel of axis {axis}, which has {length}")
    return chosen
