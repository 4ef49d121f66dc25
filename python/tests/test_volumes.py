"""Volumes: agreement with nibabel, pydicom and the command line, and what users do wrong."""

import copy
import os
import pickle
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import unmelt


def test_arrays_are_views_in_the_order_of_the_file(scan: unmelt.Volume) -> None:
    assert scan.shape == (24, 20, 12) and scan.spacing == (1.0, 1.0, 2.0)
    array = scan.array
    assert array.dtype == np.float32 and not array.flags.writeable and not array.flags.owndata
    assert np.shares_memory(array, scan.array)
    with pytest.raises(ValueError, match="read-only"):
        array[0, 0, 0] = 1.0
    again = unmelt.Volume(array, scan.affine)
    assert again == scan and np.array_equal(again.array, array) and np.array_equal(again.affine, scan.affine)
    assert np.asarray(scan, dtype=np.float64).dtype == np.float64
    assert np.shares_memory(scan.__array__(copy=False), array)
    assert not np.shares_memory(scan.__array__(np.float32, copy=True), array)
    with pytest.raises(ValueError, match="copy must not be False"):
        scan.__array__(np.float64, copy=False)


def test_limits_are_set_by_the_names_that_errors_say(scan: unmelt.Volume, tmp_path: Path) -> None:
    path = tmp_path / "scan.nii"
    scan.save(path)
    try:
        unmelt.set_limit("voxels", 100)
        with pytest.raises((ValueError, unmelt.FormatError), match="limit of 100 for voxels"):
            unmelt.volumes.read(path)
    finally:
        unmelt.set_limit("voxels", 1_000_000_000)
    assert unmelt.volumes.read(path).shape == scan.shape
    with pytest.raises(ValueError, match='"pixels" is no limit'):
        unmelt.set_limit("pixels", 1)


def test_every_orientation_comes_back() -> None:
    array = np.arange(2 * 3 * 4, dtype=np.float32).reshape(2, 3, 4)
    for order in [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)]:
        for flips in range(8):
            affine = np.zeros((4, 4))
            affine[3, 3] = 1
            for column, row in enumerate(order):
                affine[row, column] = (1.5 + column) * (-1 if flips >> column & 1 else 1)
            affine[:3, 3] = [7, -8, 9]
            volume = unmelt.Volume(array, affine)
            assert np.array_equal(volume.array, array) and np.allclose(volume.affine, affine)
            assert np.allclose(volume.spacing, [1.5, 2.5, 3.5])


def test_nibabel_sees_the_same(scan: unmelt.Volume, folder: Path) -> None:
    nibabel = pytest.importorskip("nibabel")
    scan.save(folder / "scan.nii.gz")
    image = nibabel.load(folder / "scan.nii.gz")
    assert np.array_equal(image.get_fdata(dtype=np.float32), scan.array) and np.allclose(image.affine, scan.affine)
    for other in (unmelt.volumes.read(folder / "scan.nii.gz"), unmelt.Volume.from_nibabel(image)):
        assert np.array_equal(other.array, scan.array) and np.allclose(other.affine, scan.affine)
    mine = scan.to_nibabel()
    assert np.array_equal(mine.get_fdata(dtype=np.float32), scan.array) and np.allclose(mine.affine, scan.affine)
    with pytest.raises(ValueError, match="three dimensions"):
        unmelt.Volume.from_nibabel(nibabel.Nifti1Image(np.zeros((2, 2, 2, 2)), np.eye(4)))
    with pytest.raises(TypeError, match="nibabel"):
        unmelt.Volume.from_nibabel("scan.nii")


def test_the_command_line_gives_the_same_voxels(scan: unmelt.Volume, folder: Path) -> None:
    program = os.environ.get("UNMELT_PROGRAM")
    if program is None:
        pytest.skip("UNMELT_PROGRAM does not name the command line")
    scan.save(folder / "scan.nii.gz")
    read = unmelt.volumes.read(folder / "scan.nii.gz")
    options = ["--task", "super-resolve", "--spacing", "1", "--samples", "2", "--steps", "3", "--seed", "4"]
    files = ["--output", "fine.nii.gz", "--std", "std.nii.gz", "--interval", "low.nii.gz,high.nii.gz"]
    command = [program, "volumes", "enhance", "scan.nii.gz", *options, *files]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    out = unmelt.volumes.super_resolve(read, 1.0, samples=2, steps=3, seed=4, progress=False)
    assert out.std is not None
    low, high = out.interval(0.9)
    for name, mine in {"fine": out.mean, "std": out.std}.items():
        theirs = unmelt.volumes.read(folder / f"{name}.nii.gz")
        assert np.array_equal(mine.array, theirs.array) and np.allclose(mine.affine, theirs.affine)
    for name, mine in {"low": low, "high": high}.items():
        assert np.allclose(mine.array, unmelt.volumes.read(folder / f"{name}.nii.gz").array, rtol=1e-5, atol=1e-3)
    narrow = out.interval(0.5)
    assert np.all(narrow[1].array - narrow[0].array <= high.array - low.array)


def test_denoising_comes_closer_to_the_truth(scan: unmelt.Volume) -> None:
    i, j, k = np.meshgrid(*[np.linspace(-1, 1, n) for n in scan.shape], indexing="ij")
    radius = np.sqrt(i**2 + j**2 + k**2)
    truth = scan.with_array(np.where(radius < 0.8, 100 + 40 * np.cos(6 * radius), 0))
    noisy = scan.with_array(truth.array + np.random.default_rng(1).normal(0, 10, truth.shape))
    out = unmelt.volumes.denoise(noisy, sigma=10.0, noise="gaussian", progress=False)
    assert out.noise == (10.0, False) and out.std is None
    before, after = (unmelt.volumes.compare(truth, v)["whole"]["psnr"] for v in (noisy, out.mean))
    assert after > before + 1.0, (before, after)
    with pytest.raises(ValueError, match="samples=8"):
        out.interval()


def test_known_voxels_stay_bit_for_bit(scan: unmelt.Volume) -> None:
    mask = np.zeros(scan.shape, bool)
    mask[8:14, 6:12, 4:8] = True
    out = unmelt.volumes.inpaint(scan, mask, steps=3, progress=False).mean
    assert np.array_equal(out.array[~mask], scan.array[~mask]) and not np.array_equal(out.array[mask], scan.array[mask])
    by_volume = unmelt.volumes.inpaint(scan, scan.with_array(mask), steps=3, progress=False).mean
    assert out == by_volume


def test_the_field_of_view_grows_where_it_was_asked_to(scan: unmelt.Volume) -> None:
    out = unmelt.volumes.outpaint(scan, {"top": 4.0, "left": 3.0}, steps=2, progress=False).mean
    # The array runs to the left (LPS), the slices to the top.
    assert out.shape == (27, 20, 14)
    assert np.array_equal(out.array[:24, :, :12], scan.array)


def test_reconstruction_from_k_space() -> None:
    image = np.zeros((1, 32, 32))
    image[:, 8:24, 10:22] = 1.0
    kspace = np.fft.fftshift(np.fft.fft2(np.fft.ifftshift(image, axes=(-2, -1))), axes=(-2, -1))
    kspace[..., ::3, :] = 0
    kspace[..., 12:20, :] = np.fft.fftshift(np.fft.fft2(np.fft.ifftshift(image, axes=(-2, -1))), axes=(-2, -1))[..., 12:20, :]
    out = unmelt.volumes.reconstruct(kspace, spacing=(1, 1, 3), steps=3, progress=False).mean
    assert out.shape == (32, 32, 1) and out.spacing == (1.0, 1.0, 3.0)
    with pytest.raises(TypeError, match="kspace must be an array of complex numbers"):
        unmelt.volumes.reconstruct("k.npy")


def test_volumes_pickle_and_copy(scan: unmelt.Volume) -> None:
    for other in (pickle.loads(pickle.dumps(scan)), copy.copy(scan), copy.deepcopy(scan)):
        assert other == scan and np.array_equal(other.array, scan.array)
    assert pickle.loads(pickle.dumps(unmelt.volumes.Model())).name == "brain-mri"
    assert scan != scan.with_array(scan.array + 1)


def test_volumes_from_the_prior_alone() -> None:
    volume = unmelt.volumes.generate((16, 18, 20), spacing=2.0, steps=2, progress=False)
    assert volume.shape == (16, 18, 20) and volume.spacing == (2.0, 2.0, 2.0) and float(volume.array.min()) >= 0.0


@pytest.mark.parametrize(
    ("array", "affine", "kind", "words"),
    [
        (np.zeros((2, 2)), np.eye(4), ValueError, "array must have 3 axes"),
        (np.zeros((2, 0, 2)), np.eye(4), ValueError, "array must hold voxels"),
        (np.zeros((2, 2, 2), complex), np.eye(4), TypeError, "array must be an array of real numbers"),
        (np.full((2, 2, 2), "x"), np.eye(4), TypeError, "array must be an array of real numbers"),
        (np.full((2, 2, 2), np.nan), np.eye(4), ValueError, "8 values that are not finite"),
        (np.zeros((2, 2, 2)), np.eye(3), ValueError, r"affine must be of shape \(4, 4\)"),
        (np.zeros((2, 2, 2)), np.zeros((4, 4)), ValueError, "affine"),
        (np.zeros((2, 2, 2)), np.diag([1, 1, 0, 1]), ValueError, "affine is singular"),
    ],
)
def test_wrong_arrays_are_refused(array: Any, affine: Any, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        unmelt.Volume(array, affine)


def test_wrong_arguments_are_named(scan: unmelt.Volume, folder: Path) -> None:
    volumes = unmelt.volumes
    cases: list[tuple[Any, type[Exception], str]] = [
        (lambda: volumes.denoise(scan, samples=0), ValueError, "samples must be at least 1"),
        (lambda: volumes.denoise(scan, steps=-1), ValueError, "steps must be at least 1"),
        (lambda: volumes.denoise(scan, seed=1.5), TypeError, "seed must be a whole number"),  # type: ignore[arg-type]
        (lambda: volumes.denoise(scan, sigma=-1.0, progress=False), ValueError, "noise level"),
        (lambda: volumes.denoise(scan, noise="loud"), ValueError, "noise must be"),
        (lambda: volumes.denoise(scan.array), TypeError, "scan must be an unmelt.Volume"),  # type: ignore[arg-type]
        (lambda: volumes.denoise(scan, solver="magic", progress=False), ValueError, "is no solver"),
        (lambda: volumes.super_resolve(scan, (1, 2)), ValueError, "spacing must be one number or three"),
        (lambda: volumes.super_resolve(scan, 5.0, progress=False), ValueError, "no coarser"),
        (lambda: volumes.super_resolve(scan, -1.0, progress=False), ValueError, "above 0 mm"),
        (lambda: volumes.inpaint(scan, np.zeros((2, 2, 2)), progress=False), ValueError, "mask must be of shape"),
        (lambda: volumes.inpaint(scan, np.zeros(scan.shape), progress=False), ValueError, "the mask is empty"),
        (lambda: volumes.outpaint(scan, {"up": 3}), ValueError, "no side"),
        (lambda: volumes.outpaint(scan, {"top": -3}, progress=False), ValueError, "the field of view grows by"),
        (lambda: volumes.generate((0, 1, 1)), ValueError, "shape must be at least 1"),
        (lambda: volumes.generate((4, 4)), ValueError, "shape must be three"),
        (lambda: volumes.read(folder / "nowhere.nii"), FileNotFoundError, "nowhere.nii"),
        (lambda: scan.save(folder / "scan.hdr"), ValueError, "no name to write to"),
        (lambda: scan.save(folder / "series"), ValueError, "only a DICOM series"),
        (lambda: scan.with_array(np.zeros((1, 1, 1))), ValueError, "array must be of shape"),
        (lambda: volumes.Model("no such model"), ValueError, "is no model"),
    ]
    for case, kind, words in cases:
        with pytest.raises(kind, match=words):
            case()
    (folder / "broken.nii").write_bytes(b"not a scan")
    with pytest.raises(unmelt.FormatError):
        volumes.read(folder / "broken.nii")


def test_a_closed_file_is_no_path() -> None:
    with open(os.devnull) as file:
        pass
    for read in (unmelt.volumes.read, unmelt.molecules.read):
        with pytest.raises(TypeError):
            read(file)  # type: ignore[arg-type]


def test_a_series_goes_out_as_a_derived_one(folder: Path) -> None:
    pydicom = pytest.importorskip("pydicom")
    _series(pydicom, folder / "in")
    scan = unmelt.volumes.read(folder / "in")
    assert scan.shape == (16, 12, 6)
    out = unmelt.volumes.denoise(scan, sigma=5.0, noise="gaussian", progress=False)
    out.save(folder / "out")
    files = sorted((folder / "out").iterdir())
    headers = [pydicom.dcmread(f) for f in files]
    assert len(headers) == 6
    first = pydicom.dcmread(next((folder / "in").iterdir()))
    for header in headers:
        assert header.PatientID == first.PatientID and header.SeriesInstanceUID != first.SeriesInstanceUID
        assert "DERIVED" in header.ImageType and "unmelt" in str(header)
    back = unmelt.volumes.read(folder / "out")
    assert np.allclose(back.affine, scan.affine) and np.allclose(back.array, out.mean.array, atol=1.0)


def _series(pydicom: Any, folder: Path) -> None:
    """A small MR series of noise around 100."""
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    folder.mkdir()
    study, series, frame = (generate_uid() for _ in range(3))
    noise = np.random.default_rng(0).normal(100, 5, (6, 12, 16)).astype(np.uint16)
    for k in range(6):
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.4"
        meta.MediaStorageSOPInstanceUID = generate_uid()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
        ds.SOPClassUID, ds.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
        ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.FrameOfReferenceUID = study, series, frame
        ds.Modality, ds.PatientID, ds.PatientName = "MR", "TEST-1", "Test"
        ds.StudyDate, ds.StudyTime, ds.AccessionNumber, ds.StudyID = "20200101", "120000", "", "1"
        ds.PatientBirthDate, ds.PatientSex, ds.ReferringPhysicianName, ds.Manufacturer = "", "", "", "none"
        ds.SeriesNumber, ds.InstanceNumber = 1, k + 1
        ds.ImageType = ["ORIGINAL", "PRIMARY", "OTHER"]
        ds.ScanningSequence, ds.SequenceVariant, ds.MRAcquisitionType = "SE", "NONE", "3D"
        ds.ScanOptions, ds.EchoTime, ds.EchoTrainLength = "", "10", "1"
        ds.Rows, ds.Columns, ds.SamplesPerPixel, ds.PhotometricInterpretation = 12, 16, 1, "MONOCHROME2"
        ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 0
        ds.PixelSpacing, ds.SliceThickness = [1.0, 1.0], 2.0
        ds.ImageOrientationPatient, ds.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [-8.0, -6.0, 2.0 * k]
        ds.PixelData = noise[k].tobytes()
        ds.save_as(folder / f"{k}.dcm", enforce_file_format=True)


def test_a_damaged_file_is_read_by_force_alone(tmp_path: Path) -> None:
    scan = unmelt.Volume(np.arange(60.0).reshape(3, 4, 5), np.eye(4))
    path = tmp_path / "scan.nii.gz"
    scan.save(path)
    damaged = bytearray(path.read_bytes())
    damaged[-8] ^= 1  # the checksum
    path.write_bytes(bytes(damaged))
    with pytest.raises(unmelt.FormatError, match="checksum"):
        unmelt.volumes.read(path)
    with pytest.warns(unmelt.UnmeltWarning, match="checksum"):
        assert unmelt.volumes.read(path, force=True) == scan
