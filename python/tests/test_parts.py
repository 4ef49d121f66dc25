"""Parts of volumes against nibabel's slicer, and paths in place of volumes."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import unmelt
from unmelt import _planes

INDICES: list[Any] = [
    slice(3, 9),
    (slice(None), slice(2, -3)),
    (slice(None, None, 2), slice(1, 8, 3), slice(-4, None)),
    (..., slice(1, 5)),
    (slice(0, 4), ...),
    (slice(-100, 100), ..., slice(2, 3)),
    ...,
]


def volumes() -> list[unmelt.Volume]:
    """One of each order of the axes, with mirrored and tilted ones among them."""
    c, s = np.cos(0.2), np.sin(0.2)
    tilt = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ np.array([[1, 0, 0], [0, c, s], [0, -s, c]])
    array = np.random.default_rng(0).normal(0, 1, (10, 9, 8))
    made = []
    for k, order in enumerate(itertools.permutations(range(3))):
        affine = np.eye(4)
        directions = np.zeros((3, 3))
        directions[list(order), range(3)] = [[1, -1][k % 2], [1, -1][k // 2 % 2], [1, -1][k // 3]]
        affine[:3, :3] = (tilt if k % 3 else np.eye(3)) @ directions * [1.0, 1.5, 2.0]
        affine[:3, 3] = [-20, 10, 5]
        made.append(unmelt.Volume(array, affine))
    return made


def from_zero(index: Any, shape: tuple[int, ...]) -> Any:
    """The same slices with bounds that are counted from 0."""
    given = index if isinstance(index, tuple) else (index,)
    at = given.index(...) if ... in given else len(given)
    full = (*given[:at], *[slice(None)] * (3 - len([g for g in given if g is not ...])), *given[at + 1 :])
    return tuple(slice(*one.indices(length)) for one, length in zip(full, shape, strict=True))


@pytest.mark.parametrize("index", INDICES, ids=str)
def test_slices_are_those_of_nibabel(index: Any) -> None:
    pytest.importorskip("nibabel")
    for volume in volumes():
        # nibabel takes a negative first voxel for a place outside of the image; numpy counts it from the end.
        theirs = volume.to_nibabel().slicer[from_zero(index, volume.shape)]
        mine = volume[index]
        assert np.array_equal(mine.array, theirs.get_fdata(dtype=np.float32)) and np.allclose(mine.affine, theirs.affine)


def test_a_box_is_a_slice_within_the_volume() -> None:
    volume = volumes()[4]
    box = volume.crop((1, -7, 0), (-2, 9, 8))
    assert box == volume[1:8, 2:9] and box == unmelt.volumes.crop(volume, (1, -7, 0), (-2, 9, 8))
    with pytest.raises(ValueError, match="goes from 2 to 11 along axis 1, which has 9 voxels"):
        volume.crop((0, 2, 0), (10, 11, 8))
    with pytest.raises(ValueError, match="hold a voxel"):
        volume.crop((4, 0, 0), (4, 9, 8))
    with pytest.raises(ValueError, match="high must be three"):
        volume.crop((0, 0, 0), (4, 9))
    with pytest.raises(TypeError, match="low must be three whole numbers"):
        volume.crop((0.5, 0, 0), (4, 9, 8))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("index", "kind", "words"),
    [
        (4, TypeError, "write 4:5 in place of 4"),
        ((slice(None), -1), TypeError, "write -1: in place of -1"),
        (None, TypeError, "axis 0 got a NoneType"),
        ([1, 2], TypeError, "axis 0 got a list"),
        (slice(None, None, -1), ValueError, "step of a slice must be at least 1"),
        (slice(None, None, 0), ValueError, "zero"),
        (slice(5, 5), IndexError, "holds no voxel of axis 0"),
        ((slice(None),) * 4, IndexError, "three axes, but 4 indices"),
        ((..., ...), IndexError, "one ellipsis"),
    ],
    ids=str,
)
def test_other_indices_are_refused(index: Any, kind: type[Exception], words: str, scan: unmelt.Volume) -> None:
    with pytest.raises(kind, match=words):
        scan[index]
    with pytest.raises(TypeError):
        list(scan)  # type: ignore[call-overload]
    assert np.array([scan, scan]).shape == (2, *scan.shape)


def test_a_part_of_a_file_keeps_its_header(scan: unmelt.Volume, folder: Path) -> None:
    nibabel = pytest.importorskip("nibabel")
    image = scan.to_nibabel()
    image.header["descrip"] = b"phantom 7"
    image.set_qform(scan.affine, code=1)
    nibabel.save(image, folder / "scan.nii.gz")
    part = unmelt.volumes.read(folder / "scan.nii.gz")[4:20:2, :, 3:]
    part.save(folder / "part.nii.gz")
    saved, want = nibabel.load(folder / "part.nii.gz"), image.slicer[4:20:2, :, 3:]
    assert b"phantom 7" in saved.header["descrip"].item() and int(saved.header["qform_code"]) == 1
    assert np.allclose(saved.affine, want.affine) and np.array_equal(saved.get_fdata(), want.get_fdata())


def test_patient_order_is_that_of_nibabel() -> None:
    nibabel = pytest.importorskip("nibabel")
    for volume in volumes():
        image = nibabel.as_closest_canonical(volume.to_nibabel())
        array, spacing = _planes.patient_order(volume)
        assert np.array_equal(array, image.get_fdata(dtype=np.float32)) and np.allclose(spacing, image.header.get_zooms())


def test_paths_stand_for_volumes(scan: unmelt.Volume, folder: Path) -> None:
    path, mask_path = folder / "scan.nii.gz", folder / "mask.nii.gz"
    scan.save(path)
    mask = np.zeros(scan.shape, np.float32)
    mask[8:14, 6:12, 4:8] = 1
    scan.with_array(mask).save(mask_path)
    read = unmelt.volumes.read(path)
    quick: dict[str, Any] = {"steps": 2, "progress": False}
    volumes = unmelt.volumes
    assert volumes.denoise(path, sigma=3.0, **quick).mean == volumes.denoise(read, sigma=3.0, **quick).mean
    assert volumes.super_resolve(str(path), (1, 1, 1), **quick).mean == volumes.super_resolve(read, (1, 1, 1), **quick).mean
    assert volumes.outpaint(path, {"top": 2}, **quick).mean == volumes.outpaint(read, {"top": 2}, **quick).mean
    filled = volumes.inpaint(read, mask, **quick).mean
    assert volumes.inpaint(path, mask_path, **quick).mean == filled
    assert volumes.compare(path, filled, mask_path) == volumes.compare(read, filled, mask)
    assert volumes.crop(path, (0, 0, 0), (4, 4, 4)) == read[:4, :4, :4]
    for call in (lambda: volumes.denoise(folder / "no.nii"), lambda: volumes.compare(path, "no.nii")):
        with pytest.raises(FileNotFoundError, match=r"no\.nii"):
            call()
    with pytest.raises(TypeError, match="truth must be an unmelt.Volume or the path of one, but it is a ndarray"):
        volumes.compare(scan.array, scan)  # type: ignore[arg-type]


def test_warnings_of_files_name_the_line_of_the_user(folder: Path) -> None:
    nibabel = pytest.importorskip("nibabel")
    array = np.ones((4, 4, 4), np.float32)
    array[0, 0, 0] = np.nan
    nibabel.save(nibabel.Nifti1Image(array, np.eye(4)), folder / "gap.nii")
    for call in (lambda: unmelt.volumes.read(folder / "gap.nii"), lambda: unmelt.volumes.crop(folder / "gap.nii", (0, 0, 0), (2, 2, 2))):
        with pytest.warns(unmelt.UnmeltWarning, match="finite") as caught:
            call()
        assert {w.filename for w in caught} == {__file__}
