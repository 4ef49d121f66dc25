"""Figures by Matplotlib, for notebooks and print."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ._arguments import Path_, volume_of
from ._extras import extra
from ._planes import Plane, cut, planes, window
from ._training import Training
from ._unmelt import Molecule, Volume

__all__ = ["compare_volumes", "histogram", "losses", "slices"]


def slices(
    volume: Volume | Path_,
    *,
    at: tuple[float, float, float] = (0.5, 0.5, 0.5),
    overlay: Volume | Path_ | None = None,
    title: str = "",
    colormap: str = "hot",
) -> Any:
    """Three orthogonal slices, with axes in mm. Another volume of the same shape can be shown on top in colour.

    Args:
        volume: The volume, or its path.
        at: Where to cut, as a share of each axis of the array.
        overlay: A volume of the same shape, such as a standard deviation, or its path.
        title: Title of the figure.
        colormap: Matplotlib's name of the overlay's colours.

    Returns:
        The figure.

    Raises:
        ValueError: An overlay of another shape.
    """
    volume = volume_of("volume", volume)
    overlay = None if overlay is None else volume_of("overlay", overlay)
    if overlay is not None and overlay.shape != volume.shape:
        raise ValueError(f"overlay must be of shape {volume.shape}, but it is of {overlay.shape}")
    plt = extra("matplotlib.pyplot")
    array, spacing = volume.array, volume.spacing
    low, high = np.percentile(array, [0.5, 99.5])
    figure, axes = plt.subplots(1, 3, figsize=(10, 3.6), layout="constrained")
    for axis, panel in enumerate(axes):
        place = min(int(at[axis] * volume.shape[axis]), volume.shape[axis] - 1)
        across = [a for a in range(3) if a != axis]
        shown: dict[str, Any] = {"origin": "lower", "aspect": spacing[across[1]] / spacing[across[0]]}
        panel.imshow(cut(array, axis, place).T, cmap="gray", vmin=low, vmax=high, **shown)
        if overlay is not None:
            layer = cut(overlay.array, axis, place).T
            visible = np.ma.masked_less_equal(layer, 0.0)
            image = panel.imshow(visible, cmap=colormap, alpha=0.6, vmin=0.0, vmax=float(overlay.array.max()) or 1.0, **shown)
            if axis == 2:
                figure.colorbar(image, ax=panel)
        panel.set_axis_off()
    figure.suptitle(title)
    return figure


def compare_volumes(
    before: Volume | Path_,
    after: Volume | Path_,
    *,
    at: tuple[float, float, float] = (0.5, 0.5, 0.5),
    names: tuple[str, str] = ("before", "after"),
    title: str = "",
) -> Any:
    """Two volumes on one grid and their difference (the second minus the first), in axial, coronal and sagittal slices in mm.

    Letters say which side is which: R and L for right and left, A and P for front and back, S and I for top and bottom. Both
    volumes are shown with the same shades: black and white are the 0.5th and 99.5th percentile of the first.

    Args:
        before: A volume, or its path.
        after: A volume on the same grid, or its path.
        at: Where to cut, as a share of the way from left to right, from back to front, and from bottom to top.
        names: What the volumes are called.
        title: Title of the figure.

    Returns:
        The figure.

    Raises:
        ValueError: Another grid, a place to cut out of 0 to 1.

    Example:
        >>> scan = unmelt.volumes.read("scan.nii.gz")  # doctest: +SKIP
        >>> unmelt.plots.compare_volumes(scan, unmelt.volumes.denoise(scan).mean).savefig("change.png")  # doctest: +SKIP
    """
    before, after = volume_of("before", before), volume_of("after", after)
    if before.shape != after.shape or not np.allclose(before.affine, after.affine, atol=1e-3):
        raise ValueError(
            "the volumes must lie on one grid; resample one onto the grid of the other, as nilearn.image.resample_to_img and "
            "SimpleITK.Resample do"
        )
    if not all(0.0 <= share <= 1.0 for share in at):
        raise ValueError(f"at must be three numbers from 0 to 1, but it is {at}")
    plt = extra("matplotlib.pyplot")
    first, second = planes(before, at), planes(after, at)
    low, high = window([plane.picture for plane in first])
    changes = [b.picture - a.picture for a, b in zip(first, second, strict=True)]
    most = max(float(np.abs(change).max()) for change in changes) or 1.0
    figure, axes = plt.subplots(3, 3, figsize=(9, 9), layout="constrained")
    for column, (a, b, change) in enumerate(zip(first, second, changes, strict=True)):
        gray = {"cmap": "gray", "vmin": low, "vmax": high}
        _show(axes[0][column], a, a.picture, gray)
        _show(axes[1][column], b, b.picture, gray)
        image = _show(axes[2][column], a, change, {"cmap": "RdBu_r", "vmin": -most, "vmax": most})
        axes[0][column].set_title(a.name)
    figure.colorbar(image, ax=axes[2].tolist(), location="bottom", shrink=0.5, label=f"{names[1]} − {names[0]}")
    for row, name in enumerate((*names, "difference")):
        axes[row][0].set_ylabel(name)
    figure.suptitle(title)
    return figure


def _show(panel: Any, plane: Plane, picture: Any, options: Mapping[str, Any]) -> Any:
    """A slice with letters at its sides."""
    image = panel.imshow(picture, aspect=plane.spacing[1] / plane.spacing[0], **options)
    panel.set(xticks=[], yticks=[], facecolor="black")
    box = {"boxstyle": "square,pad=0.15", "facecolor": "black", "edgecolor": "none", "alpha": 0.5}
    for x, y, letter in ((0.04, 0.5, plane.left), (0.96, 0.5, plane.right), (0.5, 0.95, plane.top), (0.5, 0.05, plane.bottom)):
        panel.text(x, y, letter, transform=panel.transAxes, color="white", ha="center", va="center", fontsize=8, bbox=box)
    return image


def losses(training: Training | Sequence[Mapping[str, Any]]) -> Any:
    """The loss and its parts over the steps.

    Args:
        training: A training, or its reports.

    Returns:
        The figure.

    Raises:
        ValueError: There is no report.
    """
    reports = training.progress if isinstance(training, Training) else list(training)
    if not reports:
        raise ValueError("the training has reported nothing yet")
    plt = extra("matplotlib.pyplot")
    figure, axes = plt.subplots(figsize=(6, 3.6), layout="constrained")
    other = {"step", "gradient_norm", "learning_rate", "samples_per_second"}
    steps = [r["step"] for r in reports]
    for name in [n for n in reports[0] if n not in other]:
        axes.plot(steps, [r[name] for r in reports], label=name, linewidth=2 if name == "loss" else 1)
    axes.set(xlabel="step", ylabel="loss", yscale="log")
    axes.legend()
    return figure


def histogram(molecules: Iterable[Molecule], field: str, *, target: float | None = None, unit: str = "") -> Any:
    """How often a data field has which value.

    Args:
        molecules: The molecules.
        field: A data field that holds numbers.
        target: A value to mark.
        unit: Unit of the axis.

    Returns:
        The figure.

    Raises:
        ValueError: No molecule has a number in the field.
    """
    found = []
    for molecule in molecules:
        try:
            found.append(float(molecule.fields.get(field, "")))
        except ValueError:
            continue
    if not found:
        raise ValueError(f'no molecule has a number in the field "{field}"')
    plt = extra("matplotlib.pyplot")
    figure, axes = plt.subplots(figsize=(5, 3.2), layout="constrained")
    axes.hist(found, bins="auto")
    if target is not None:
        axes.axvline(target, color="black", linestyle="--", label=f"target {target:g}")
        axes.legend()
    axes.set(xlabel=f"{field} ({unit})" if unit else field, ylabel="molecules")
    return figure
