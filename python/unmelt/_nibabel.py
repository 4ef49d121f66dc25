"""Volumes from and to nibabel."""

from typing import Any

import numpy as np

from ._extras import extra
from ._unmelt import Volume


def to_nibabel(volume: Volume) -> Any:
    """A NIfTI image with the same voxels and affine."""
    image = extra("nibabel").Nifti1Image(np.asarray(volume.array), volume.affine)
    image.header.set_xyzt_units("mm")
    return image


def from_nibabel(image: Any) -> Volume:
    """The volume of an image with three dimensions."""
    if not (hasattr(image, "get_fdata") and hasattr(image, "affine")):
        raise TypeError(f"image must be an image of nibabel, but it is a {type(image).__name__}")
    if len(image.shape) != 3:
        raise ValueError(f"image must have three dimensions, but its shape is {tuple(image.shape)}; slice it first")
    return Volume(image.get_fdata(dtype=np.float32), image.affine)
