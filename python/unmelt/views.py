"""Viewers: molecules in 3D by py3Dmol, in 2D by RDKit, volumes by ipyniivue."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ._extras import extra
from ._unmelt import Molecule, Volume

__all__ = ["drawing", "molecule", "molecules", "volume"]

_STYLE = {"stick": {"radius": 0.12}, "sphere": {"scale": 0.25}}


def molecule(shown: Molecule, width: int = 400, height: int = 300) -> Any:
    """A molecule in 3D, to be turned by the mouse."""
    view = extra("py3Dmol").view(width=width, height=height)
    view.addModel(shown.to_sdf(), "sdf")
    view.setStyle(_STYLE)
    view.zoomTo()
    return view


def molecule_html(shown: Molecule) -> str | None:
    """The same as HTML, for a notebook's output; None without py3Dmol, where text does."""
    try:
        view = molecule(shown)
    except ModuleNotFoundError:
        return None
    html: str = view._make_html()
    return html


def molecules(shown: Sequence[Molecule], columns: int = 4, limit: int = 12) -> Any:
    """The first molecules, in a grid of 3D views.

    Raises:
        ValueError: There is none.
    """
    chosen = list(shown)[:limit]
    if not chosen:
        raise ValueError("there is no molecule to show")
    rows = -(-len(chosen) // columns)
    view = extra("py3Dmol").view(width=220 * columns, height=200 * rows, viewergrid=(rows, columns), linked=False)
    for k, one in enumerate(chosen):
        place = divmod(k, columns)
        view.addModel(one.to_sdf(), "sdf", viewer=place)
        view.setStyle(_STYLE, viewer=place)
        view.zoomTo(viewer=place)
    return view


def drawing(shown: Sequence[Molecule], columns: int = 4, limit: int = 12, hydrogens: bool = False) -> Any:
    """The first molecules as structural formulas by RDKit, in a grid.

    Args:
        shown: The molecules; those that RDKit refuses are drawn as they are.
        columns: Columns of the grid.
        limit: Most molecules to draw.
        hydrogens: Whether to draw hydrogens on carbon.

    Raises:
        ValueError: There is none.
    """
    chem, draw = extra("rdkit.Chem"), extra("rdkit.Chem.SampleSpec")
    chosen = list(shown)[:limit]
    if not chosen:
        raise ValueError("there is no molecule to show")
    flat = [_flat(chem, one, hydrogens) for one in chosen]
    legends = [one.formula for one in chosen]
    return draw.MolsToGridImage(flat, molsPerRow=columns, subImgSize=(220, 200), legends=legends, useSVG=True)


def _flat(chem: Any, one: Molecule, hydrogens: bool) -> Any:
    mol = one.to_rdkit(sanitize=False)
    try:
        chem.SanitizeMol(mol)
        mol = mol if hydrogens else chem.RemoveHs(mol)
    except chem.MolSanitizeException:
        mol.UpdatePropertyCache(strict=False)
    mol.RemoveAllConformers()
    return mol


def volume(shown: Volume, overlay: Volume | None = None, colormap: str = "hot", opacity: float = 0.5) -> Any:
    """A volume in three planes and 3D, with another on top in colour: a standard deviation, a mask.

    Returns:
        An `ipyniivue.NiiVue` widget.
    """
    niivue = extra("ipyniivue").NiiVue()
    with tempfile.TemporaryDirectory() as folder:
        layers = [_layer(shown, Path(folder) / "volume.nii.gz", "gray", 1.0)]
        if overlay is not None:
            layers.append(_layer(overlay, Path(folder) / "overlay.nii.gz", colormap, opacity))
        niivue.load_volumes(layers)
    return niivue


def _layer(shown: Volume, path: Path, colormap: str, opacity: float) -> dict[str, Any]:
    # Through an array: a series of DICOM files would not be written as NIfTI with CT's integers.
    Volume(shown.array, shown.affine).save(path)
    return {"path": path, "colormap": colormap, "opacity": opacity}
