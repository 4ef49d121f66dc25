"""Slices of volumes as a radiologist looks at them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ._unmelt import Volume

#: Letters at the left, right, top and bottom of each plane.
_LETTERS = {"axial": "RLAP", "coronal": "RLSI", "sagittal": "APSI"}


class Plane:
    """A slice as it is shown: rows from top to bottom, the spacing along rows and columns in mm, and letters for its sides."""

    def __init__(self, name: str, picture: npt.NDArray[np.float32], spacing: tuple[float, float], letters: str) -> None:
        self.name = name
        self.picture = picture
        self.spacing = spacing
        self.left, self.right, self.top, self.bottom = tuple(letters)

    @property
    def size(self) -> tuple[float, float]:
        """Width and height in mm."""
        rows, columns = self.picture.shape
        return columns * self.spacing[0], rows * self.spacing[1]


def patient_order(volume: Volume) -> tuple[npt.NDArray[np.float32], tuple[float, float, float]]:
    """The voxels with axes to the right, the front and the top of the patient (those of the array that are nearest), as a view, and
    their spacing in mm.
    """
    directions = volume.affine[:3, :3] / np.array(volume.spacing)
    u, _, v = np.linalg.svd(directions)
    rotation = u @ v
    axes = [-1, -1, -1]
    for stored in range(3):
        free = [world for world in range(3) if axes[world] < 0]
        axes[max(free, key=lambda world: abs(rotation[world, stored]))] = stored
    array = volume.array.transpose(axes)
    for world, stored in enumerate(axes):
        if rotation[world, stored] < 0:
            array = np.flip(array, world)
    x, y, z = (volume.spacing[stored] for stored in axes)
    return array, (x, y, z)


def planes(volume: Volume, at: Sequence[float] = (0.5, 0.5, 0.5)) -> list[Plane]:
    """Three slices as a radiologist looks at them: axial, coronal and sagittal."""
    array, spacing = patient_order(volume)
    cuts = [min(int(share * n), n - 1) for share, n in zip(at, array.shape, strict=True)]
    found = []
    for axis, name in ((2, "axial"), (1, "coronal"), (0, "sagittal")):
        across, up = (a for a in range(3) if a != axis)
        # From the array's order (across, up) to rows from top to bottom; the right of the patient, or the front, is on the left.
        picture = cut(array, axis, cuts[axis]).T[::-1, ::-1]
        found.append(Plane(name, picture, (spacing[across], spacing[up]), _LETTERS[name]))
    return found


def cut(array: npt.NDArray[np.float32], axis: int, at: int) -> npt.NDArray[np.float32]:
    """A slice of an array as a view; `numpy.take` copies the whole array where its axes are in another order."""
    slice_: npt.NDArray[np.float32] = np.moveaxis(array, axis, 0)[at]
    return slice_


def window(pictures: Sequence[npt.NDArray[np.float32]]) -> tuple[float, float]:
    """The values shown as black and as white: the 0.5th and the 99.5th percentile."""
    low, high = np.percentile(np.concatenate([p.ravel() for p in pictures]), [0.5, 99.5])
    return float(low), float(high)
