"""Volumes: MRI and CT scans, denoised, super-resolved, completed, reconstructed. An enhanced scan is an estimate, and no diagnosis
may rest on it.

Example:
    >>> import numpy as np
    >>> import unmelt
    >>> noisy = unmelt.Volume(np.random.default_rng(0).normal(100, 5, (24, 24, 24)), np.eye(4))
    >>> unmelt.volumes.denoise(noisy, sigma=5.0, progress=False).mean
    Volume(24 × 24 × 24 voxels, 1.00 × 1.00 × 1.00 mm)
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy.typing as npt

from . import _parts, _unmelt
from ._arguments import Path_, at_least, mask_of, read_volume, volume_of
from ._models import NamedModel, loaded
from ._progress import Bar
from ._training import Callback, Listener, Training, settings_json
from ._unmelt import Volume
from ._warnings import warn
from .views import volume_html

__all__ = [
    "Enhanced",
    "Model",
    "Volume",
    "compare",
    "crop",
    "denoise",
    "generate",
    "inpaint",
    "models",
    "outpaint",
    "read",
    "reconstruct",
    "super_resolve",
    "train",
]

#: Quantile of the interval that the model's intervals were scaled for.
_FITTED = NormalDist().inv_cdf(0.95)


@dataclass(frozen=True)
class Enhanced:
    """The result of an enhancement.

    Attributes:
        mean: The estimate, or the mean of the posterior samples.
        std: Standard deviation of the estimate: that of the samples, times the factor that the model was calibrated with, if it
            was; None of a single estimate.
        noise: (standard deviation, is Rician) of the noise that was assumed, in the scan's units; None of other tasks than denoising.
    """

    mean: Volume
    std: Volume | None
    noise: tuple[float, bool] | None
    _half: Volume | None = field(repr=False)

    def interval(self, level: float = 0.9) -> tuple[Volume, Volume]:
        """Lower and upper end of the interval that should contain the truth with this probability, voxel by voxel. Its width was
        calibrated on scans that the model was not trained on.

        Raises:
            ValueError: A level out of (0, 1), a single estimate (ask for samples), a model that is not calibrated for the task.
        """
        if not 0.0 < level < 1.0:
            raise ValueError(f"level must lie between 0 and 1, but it is {level}")
        if self.std is None:
            raise ValueError("a single estimate has no interval; ask for posterior samples, as in samples=8")
        if self._half is None:
            raise ValueError(
                "the model is not calibrated for this task, so the coverage of an interval is unknown; "
                "calibrate it on volumes that it was not trained on (unmelt volumes calibrate)"
            )
        half = self._half.array * (NormalDist().inv_cdf(0.5 + level / 2) / _FITTED)
        return self.mean.with_array(self.mean.array - half), self.mean.with_array(self.mean.array + half)

    def _repr_html_(self) -> str:
        return volume_html(self.mean)

    def save(self, path: Path_) -> None:
        """Writes the mean; see `Volume.save`."""
        self.mean.save(path)


class Model(NamedModel):
    """A diffusion prior of volumes, which the functions of this module take as `model`.

    Args:
        name: A built-in model (see `models`), or the folder of a trained one.
        device: Where it computes: "cpu", "cuda", "cuda:N" or "wgpu".

    Raises:
        ValueError: There is no such model or device.
        ModelError: Its files cannot be used.

    Example:
        >>> unmelt.volumes.Model("brain-mri").name
        'brain-mri'
    """

    def __init__(self, name: Path_ = "brain-mri", device: str = "cpu") -> None:
        self._raw: _unmelt.VolumeModel = _unmelt.VolumeModel(os.fspath(name), device)


def _settings(steps: int, seed: int, samples: int, solver: str | None, sigma_max: float | None) -> dict[str, Any]:
    for name, value, least in [("steps", steps, 1), ("seed", seed, 0), ("samples", samples, 1)]:
        at_least(name, value, least)
    return {"steps": steps, "seed": seed, "samples": samples, "solver": solver, "sigma_max": sigma_max}


def _three(name: str, value: float | Sequence[float]) -> tuple[float, float, float]:
    if isinstance(value, str):
        raise TypeError(f"{name} must be one number or three, but it is a str")
    numbers = [float(value)] * 3 if isinstance(value, (int, float)) else [float(v) for v in value]
    if len(numbers) != 3:
        raise ValueError(f"{name} must be one number or three, but there are {len(numbers)}")
    return numbers[0], numbers[1], numbers[2]


def _watched(title: str, progress: bool, work: Callable[[Callable[[int, int], None] | None], Any]) -> Any:
    with Bar(progress, title) as bar:
        return work((lambda done, total: bar.show(done / max(total, 1))) if progress else None)


def models() -> list[str]:
    """The names of the built-in models.

    Example:
        >>> unmelt.volumes.models()
        ['brain-mri']
    """
    return _unmelt.volume_models()


def read(path: Path_, *, index: int | None = None, series: str | None = None, force: bool = False) -> Volume:
    """Reads a NIfTI file (.nii, .nii.gz, .hdr with .img), a DICOM file, or a folder of DICOM files.

    An `UnmeltWarning` says what had to be corrected.

    Args:
        path: File or folder.
        index: Which volume along the fourth dimension of a NIfTI file, from 0.
        series: Which series of a DICOM folder: its number in the list of several, as text, or its SeriesInstanceUID.
        force: Read a compressed file whose checksum is wrong, with a warning in place of an error.

    Raises:
        FileNotFoundError: There is no such file.
        FormatError: The file is not usable.
        ValueError: There are several volumes or series, and none was chosen.
    """
    return read_volume(path, index, series, force)


def crop(scan: Volume | Path_, low: Sequence[int], high: Sequence[int]) -> Volume:
    """The box from voxel `low` up to, and without, voxel `high`. Each voxel keeps its position in mm, and the header stays.
    `scan[i0:i1, j0:j1, k0:k1]` is the same for bounds within the volume, and takes steps as well.

    Args:
        scan: The scan, or its path.
        low: First voxel along each axis of the array; negative numbers count from the end.
        high: The voxel after the last one along each axis.

    Raises:
        ValueError: Bounds outside of the volume, an empty box.

    Example:
        >>> scan = unmelt.Volume(np.zeros((24, 20, 12)), np.diag([1, 1, 2, 1]))
        >>> part = unmelt.volumes.crop(scan, (4, 5, 2), (20, 15, -2))
        >>> part, part.affine[:3, 3].tolist()
        (Volume(16 × 10 × 8 voxels, 1.00 × 1.00 × 2.00 mm), [4.0, 5.0, 4.0])
    """
    return _parts.crop(volume_of("scan", scan), low, high)


def denoise(
    scan: Volume | Path_,
    *,
    sigma: float | None = None,
    noise: str = "auto",
    samples: int = 1,
    seed: int = 0,
    steps: int = 20,
    solver: str | None = None,
    sigma_max: float | None = None,
    model: Model | Path_ = "brain-mri",
    device: str = "cpu",
    progress: bool = True,
) -> Enhanced:
    """Removes noise.

    Args:
        scan: The scan, or the path of a file or folder that `read` takes.
        sigma: Standard deviation of the noise in the scan's units; estimated if not given.
        noise: "gaussian", "rician", or "auto" to decide by the background.
        samples: Number of posterior samples, at as many times the cost; 1 gives a single estimate.
        seed: Seed.
        steps: Steps of the sampling, each one evaluation of the network per voxel; a single estimate of denoising takes four evaluations.
        solver: "diffpir", "hqs", "ddnm", "dds", "dps" or "repaint"; the best for the task if not given.
        sigma_max: Highest noise level of the sampling, as a part of the robust range (0 to the 99.5th percentile of the foreground).
        model: A model, the name of a built-in one, or the folder of a trained one.
        device: Where to compute, for a model that is named.
        progress: Whether to show a bar.

    Raises:
        ValueError: An argument out of its range, a constant volume.
    """
    kinds = {"auto": None, "gaussian": False, "rician": True}
    if noise not in kinds:
        raise ValueError(f'noise must be "auto", "gaussian" or "rician", but it is "{noise}"')
    settings = _settings(steps, seed, samples, solver, sigma_max)
    raw, scan = loaded(Model, model, device)._raw, volume_of("scan", scan)
    out = _watched("denoise", progress, lambda p: raw.denoise(scan, settings, p, sigma=sigma, rician=kinds[noise]))
    return _enhanced(out)


def super_resolve(
    scan: Volume | Path_,
    spacing: float | Sequence[float] = 1.0,
    *,
    profile: str = "box",
    samples: int = 1,
    seed: int = 0,
    steps: int = 20,
    solver: str | None = None,
    sigma_max: float | None = None,
    model: Model | Path_ = "brain-mri",
    device: str = "cpu",
    progress: bool = True,
) -> Enhanced:
    """Super-resolves thick slices or a coarse grid to a finer grid along the same axes.

    Args:
        scan: The scan, or the path of a file or folder that `read` takes.
        spacing: Wanted spacing in mm, one number or three along the axes of the array; axes that are finer already stay.
        profile: Profile of a slice: "box", or "gaussian" with the thickness as full width at half maximum.
        samples: As for `denoise`, and so are the other arguments.

    Raises:
        ValueError: A spacing no finer than the scan's, an argument out of its range.
    """
    if profile not in ("box", "gaussian"):
        raise ValueError(f'profile must be "box" or "gaussian", but it is "{profile}"')
    wanted, settings = _three("spacing", spacing), _settings(steps, seed, samples, solver, sigma_max)
    raw, scan, gaussian = loaded(Model, model, device)._raw, volume_of("scan", scan), profile == "gaussian"
    work = functools.partial(raw.super_resolve, scan, settings, spacing=wanted, gaussian=gaussian)
    return _enhanced(_watched("super-resolve", progress, work))


def inpaint(
    scan: Volume | Path_,
    mask: Volume | npt.ArrayLike | Path_,
    *,
    samples: int = 1,
    seed: int = 0,
    steps: int = 20,
    solver: str | None = None,
    sigma_max: float | None = None,
    model: Model | Path_ = "brain-mri",
    device: str = "cpu",
    progress: bool = True,
) -> Enhanced:
    """Fills missing voxels. All others stay as they are, bit for bit.

    Args:
        scan: The scan, or the path of a file or folder that `read` takes.
        mask: Not 0 where a voxel is missing: a volume on the scan's grid or the path of one, or an array of its shape.
        samples: As for `denoise`, and so are the other arguments.

    Raises:
        ValueError: A mask on another grid, one that marks nothing or everything.
    """
    settings = _settings(steps, seed, samples, solver, sigma_max)
    raw, scan = loaded(Model, model, device)._raw, volume_of("scan", scan)
    return _enhanced(_watched("inpaint", progress, functools.partial(raw.inpaint, scan, settings, mask=mask_of(mask))))


_SIDES = {"left": (0, 0), "right": (1, 0), "back": (0, 1), "front": (1, 1), "bottom": (0, 2), "top": (1, 2)}


def outpaint(
    scan: Volume | Path_,
    extend: Mapping[str, float],
    *,
    samples: int = 1,
    seed: int = 0,
    steps: int = 20,
    solver: str | None = None,
    sigma_max: float | None = None,
    model: Model | Path_ = "brain-mri",
    device: str = "cpu",
    progress: bool = True,
) -> Enhanced:
    """Extends the field of view.

    Args:
        scan: The scan, or the path of a file or folder that `read` takes.
        extend: mm to add on each side of the patient: "left", "right", "back", "front", "bottom", "top".
        samples: As for `denoise`, and so are the other arguments.

    Raises:
        ValueError: An unknown side, a negative length, nothing to add.
    """
    ends = [[0.0] * 3, [0.0] * 3]
    for side, length in extend.items():
        if side not in _SIDES:
            raise ValueError(f'extend names "{side}", which is no side; use {", ".join(_SIDES)}')
        end, axis = _SIDES[side]
        ends[end][axis] = float(length)
    settings = _settings(steps, seed, samples, solver, sigma_max)
    raw, scan = loaded(Model, model, device)._raw, volume_of("scan", scan)
    work = functools.partial(raw.outpaint, scan, settings, low=_three("extend", ends[0]), high=_three("extend", ends[1]))
    return _enhanced(_watched("outpaint", progress, work))


def reconstruct(
    kspace: npt.ArrayLike,
    *,
    sensitivities: npt.ArrayLike | None = None,
    spacing: float | Sequence[float] = 1.0,
    samples: int = 1,
    seed: int = 0,
    steps: int = 20,
    solver: str | None = None,
    sigma_max: float | None = None,
    model: Model | Path_ = "brain-mri",
    device: str = "cpu",
    progress: bool = True,
) -> Enhanced:
    """Reconstructs a volume from undersampled k-space.

    Args:
        kspace: Complex numbers of shape (coil, slice, y, x), (coil, y, x) or (y, x), the zero frequency in the middle; positions
            that hold 0 were not sampled.
        sensitivities: Coil sensitivities of the same shape; estimated from the middle of k-space if not given.
        spacing: Spacing of the result in mm.
        samples: As for `denoise`, and so are the other arguments.

    Raises:
        TypeError: Not numbers.
        ValueError: Shapes that do not fit.
    """
    settings = _settings(steps, seed, samples, solver, sigma_max)
    raw, size = loaded(Model, model, device)._raw, _three("spacing", spacing)
    work = functools.partial(raw.reconstruct, kspace, settings, sensitivities=sensitivities, spacing=size)
    return _enhanced(_watched("reconstruct", progress, work))


def generate(
    shape: Sequence[int],
    *,
    spacing: float | Sequence[float] = 1.0,
    seed: int = 0,
    steps: int = 20,
    model: Model | Path_ = "brain-mri",
    device: str = "cpu",
    progress: bool = True,
) -> Volume:
    """Samples a volume from the prior alone. Intensities are parts of the robust range: 0 is the background, about 1 the brightest tissue.

    Args:
        shape: Voxels along the three axes.
        spacing: Spacing in mm.
        seed: Seed.
        steps: Steps of the sampling.
        model: As for `denoise`.
        device: As for `denoise`.
        progress: Whether to show a bar.

    Raises:
        ValueError: A shape out of 1 to 1024.
    """
    sizes = list(shape)
    if len(sizes) != 3 or any(isinstance(n, bool) or not hasattr(n, "__index__") for n in sizes):
        raise ValueError(f"shape must be three whole numbers, but it is {shape!r}")
    if any(n < 1 for n in sizes):
        raise ValueError(f"shape must be at least 1 along each axis, but it is {tuple(sizes)}")
    settings = _settings(steps, seed, 1, None, None)
    raw, size = loaded(Model, model, device)._raw, _three("spacing", spacing)
    work = functools.partial(raw.generate, (sizes[0], sizes[1], sizes[2]), settings, spacing=size)
    volume: Volume = _watched("generate", progress, work)
    return volume


def _enhanced(out: tuple[Volume, Volume | None, Volume | None, tuple[float, bool] | None]) -> Enhanced:
    mean, std, half, noise = out
    return Enhanced(mean, std, noise, half)


def compare(
    truth: Volume | Path_, volume: Volume | Path_, foreground: Volume | npt.ArrayLike | Path_ | None = None
) -> dict[str, Any]:
    """Measures of a volume against the truth, over all voxels ("whole") and over the foreground: PSNR in dB (data range: the 0.5th
    to 99.5th percentile of the truth), SSIM in 3D, NMSE, HFEN.

    Args:
        truth: The truth, or its path.
        volume: A volume on its grid, or its path.
        foreground: Not 0 in the foreground: a volume, its path or an array; found in the truth if not given.

    Raises:
        ValueError: Another grid.

    Example:
        >>> truth = unmelt.Volume(np.arange(1000.0).reshape(10, 10, 10), np.eye(4))
        >>> round(unmelt.volumes.compare(truth, truth.with_array(truth.array + 10))["whole"]["psnr"], 1)
        39.9
    """
    marked = None if foreground is None else mask_of(foreground)
    measures: dict[str, Any] = json.loads(_unmelt.compare_volumes(volume_of("truth", truth), volume_of("volume", volume), marked))
    return measures


def train(
    volumes: Path_ | Iterable[Path_],
    output: Path_,
    *,
    labels: Iterable[Path_] = (),
    exclude: Iterable[str] = (),
    settings: Mapping[str, Any] | None = None,
    steps: int | None = None,
    minutes: float | None = None,
    model: str | None = None,
    resume: bool = False,
    overwrite: bool = False,
    device: str = "cpu",
    callback: Callback | None = None,
    progress: bool = True,
) -> Training:
    """Trains a prior on scans.

    Args:
        volumes: NIfTI files, or folders of them.
        output: Folder of the run.
        labels: Label maps, or folders of them, to synthesise scans from.
        exclude: Files whose name contains one of these are left out.
        settings: Settings as in the command line's configuration file: name, channels, blocks, experts, sampling, training.
        steps: Steps of the whole run.
        minutes: Stop, with a checkpoint, after so many minutes.
        model: Start from the network and the weights of this model (a name or a folder) instead of random weights.
        resume: Continue from the checkpoint of the folder.
        overwrite: Start again in a folder that holds a run; the first checkpoint of the new run replaces the old one.
        device: Where to compute.
        callback: Called with every event; see `unmelt.molecules.train`.
        progress: Whether to show a bar.

    Raises:
        ValueError: An unknown or wrong setting, no scan to train on.
        NumericalError: The loss became infinite or NaN.
    """
    paths = [volumes] if isinstance(volumes, (str, os.PathLike)) else list(volumes)
    with Bar(progress, "training") as bar:
        listener = Listener(bar, callback)
        done, warnings = _unmelt.train_volumes(
            [os.fspath(p) for p in paths],
            os.fspath(output),
            settings_json(settings, steps),
            labels=[os.fspath(p) for p in labels],
            exclude=list(exclude),
            model=model,
            resume=resume,
            overwrite=overwrite,
            minutes=minutes,
            device=device,
            callback=listener,
        )
    warn(warnings)
    return Training(Path(output), done, listener.progress, listener.validation)
