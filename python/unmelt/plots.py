"""Figures by Matplotlib, for notebooks and for paper."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ._extras import extra
from ._training import Training
from ._unmelt import Molecule, Volume

__all__ = ["histogram", "losses", "slices"]


def slices(
    volume: Volume,
    *,
    at: tuple[float, float, float] = (0.5, 0.5, 0.5),
    overlay: Volume | None = None,
    title: str = "",
    colormap: str = "hot",
) -> Any:
    """Three orthogonal slices, in mm; with another volume on the same grid on top in colour.

    Args:
        volume: The volume.
        at: Where to cut, as a share of each axis of the array.
        overlay: A volume of the same shape, such as a standard deviation.
        title: Title of the figure.
        colormap: Matplotlib's name of the overlay's colours.

    Returns:
        The figure.

    Raises:
        ValueError: An overlay of another shape.
    """
    if overlay is not None and overlay.shape != volume.shape:
        raise ValueError(f"overlay must be of shape {volume.shape}, but it is of {overlay.shape}")
    plt = extra("matplotlib.pyplot")
    array, spacing = volume.array, volume.spacing
    low, high = np.percentile(array, [0.5, 99.5])
    figure, axes = plt.subplots(1, 3, figsize=(10, 3.6), layout="constrained")
    for axis, panel in enumerate(axes):
        cut = min(int(at[axis] * volume.shape[axis]), volume.shape[axis] - 1)
        across = [a for a in range(3) if a != axis]
        shown: dict[str, Any] = {"origin": "lower", "aspect": spacing[across[1]] / spacing[across[0]]}
        panel.imshow(np.take(array, cut, axis).T, cmap="gray", vmin=low, vmax=high, **shown)
        if overlay is not None:
            layer = np.take(overlay.array, cut, axis).T
            visible = np.ma.masked_less_equal(layer, 0.0)
            image = panel.imshow(visible, cmap=colormap, alpha=0.6, vmin=0.0, vmax=float(overlay.array.max()) or 1.0, **shown)
            if axis == 2:
                figure.colorbar(image, ax=panel)
        panel.set_axis_off()
    figure.suptitle(title)
    return figure


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
