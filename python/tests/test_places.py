"""Where voxels lie, as nibabel and SimpleITK see it, before and after every task that makes a new grid."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import unmelt

nibabel = pytest.importorskip("nibabel")


def place(path: Path, value: float) -> Any:
    """Mean place of the voxels of a value, in mm."""
    image = nibabel.load(path)
    marked = np.argwhere(image.get_fdata() == value)
    assert len(marked), f"{path.name} has lost its mark"
    return (marked @ image.affine[:3, :3].T + image.affine[:3, 3]).mean(axis=0)


def agree(path: Path, want: Any) -> None:
    """All readers find the file where it is expected."""
    image = nibabel.load(path)
    for found in (image.affine, image.header.get_sform(), image.header.get_qform()):
        assert np.abs(found - want).max() < 2e-2, (path.name, found, want)
    try:
        import SimpleITK
    except ImportError:
        return
    itk = SimpleITK.ReadImage(str(path))
    flip = np.diag([-1.0, -1.0, 1.0])
    linear = flip @ (np.array(itk.GetDirection()).reshape(3, 3) * np.array(itk.GetSpacing()))
    assert np.abs(linear - want[:3, :3]).max() < 2e-2
    assert np.abs(flip @ np.array(itk.GetOrigin()) - want[:3, 3]).max() < 2e-2


def oblique() -> Any:
    c, s = np.cos(0.3), np.sin(0.3)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ np.array([[1, 0, 0], [0, c, s], [0, -s, c]])


@pytest.mark.parametrize("codes", [(1, 0), (0, 1), (1, 1), (0, 0)], ids=["qform", "sform", "both", "neither"])
@pytest.mark.parametrize("tilt", [np.eye(3), oblique()], ids=["straight", "oblique"])
def test_a_mark_stays_at_its_millimetres(folder: Path, codes: tuple[int, int], tilt: Any) -> None:
    shape, spacing, mark = (10, 9, 8), np.array([1.0, 1.5, 2.0]), (2, 6, 5)
    rng = np.random.default_rng(0)
    array = rng.uniform(100, 200, shape).astype(np.float32)
    array[mark] = 1000.0
    # Eight orientations that turn and mirror all axes; all 48 are in the tests of the crate.
    for k, flips in enumerate(itertools.product([1.0, -1.0], repeat=3)):
        order = list(itertools.permutations(range(3)))[k % 6]
        directions = np.zeros((3, 3))
        directions[list(order), range(3)] = flips
        affine = np.eye(4)
        affine[:3, :3] = tilt @ directions * spacing
        affine[:3, 3] = [-20, 10, 5]
        image = nibabel.Nifti1Image(array, None if codes == (0, 0) else affine)
        if codes == (0, 0):
            image.header.set_zooms(spacing)
        else:
            image.set_qform(affine, code=codes[0])
            image.set_sform(affine, code=codes[1])
        nibabel.save(image, folder / "in.nii.gz")
        header = nibabel.load(folder / "in.nii.gz").header
        assert (int(header["qform_code"]), int(header["sform_code"])) == codes
        before = nibabel.load(folder / "in.nii.gz").affine
        scan = unmelt.volumes.read(folder / "in.nii.gz")
        assert np.allclose(scan.affine, before, atol=1e-2)
        known = place(folder / "in.nii.gz", 1000.0)

        wide = unmelt.volumes.outpaint(scan, {"left": 3.0, "top": 2.0}, steps=1, progress=False).mean
        wide.save(folder / "wide.nii.gz")
        assert np.abs(place(folder / "wide.nii.gz", 1000.0) - known).max() < 2e-2
        agree(folder / "wide.nii.gz", wide.affine)

        fine = unmelt.volumes.super_resolve(scan, 0.75, steps=1, progress=False).mean
        fine.save(folder / "fine.nii.gz")
        agree(folder / "fine.nii.gz", fine.affine)
        # Both cover the same edges.
        corners = [np.array(c) * (np.array(v.shape) - 1) + np.array(c) - 0.5 for v in (scan, fine) for c in ((0, 0, 0), (1, 1, 1))]
        ends = [v.affine[:3, :3] @ c + v.affine[:3, 3] for v, c in zip((scan, scan, fine, fine), corners, strict=True)]
        assert np.allclose(ends[0], ends[2], atol=1e-3) and np.allclose(ends[1], ends[3], atol=1e-3)


def test_a_drawn_volume_lies_where_it_says(folder: Path) -> None:
    volume = unmelt.volumes.generate((12, 10, 8), spacing=(1.0, 1.0, 2.0), steps=1, progress=False)
    volume.save(folder / "drawn.nii.gz")
    agree(folder / "drawn.nii.gz", volume.affine)
