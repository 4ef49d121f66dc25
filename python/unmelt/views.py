"""Viewers: molecules in 3D by py3Dmol, in 2D by RDKit, volumes by ipyniivue.

py3Dmol's views load the script 3Dmol.js from a server on the internet. `use_3dmol` names a file of it instead, for work without a
network; without either, a molecule is shown as a structure in two dimensions.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import _html
from ._arguments import Path_, volume_of
from ._extras import extra
from ._unmelt import Molecule, Volume

__all__ = ["drawing", "molecule", "molecule_html", "molecules", "molecules_html", "use_3dmol", "volume", "volume_html"]

_STYLE = {"stick": {"radius": 0.12}, "sphere": {"scale": 0.25}}

#: Names a file of 3Dmol.js where `use_3dmol` was not called.
_VARIABLE = "UNMELT_3DMOL"
#: HTML that brings 3Dmol.js into a page, once a file of it is named.
_script: str | None = None


def use_3dmol(path: Path_ | None) -> None:
    """Puts 3Dmol.js from a file into every 3D view, so that views work without a network. Each view grows by the file's size, about
    540 kB. The environment variable UNMELT_3DMOL names such a file as well.

    The file is `build/3Dmol-min.js` of the npm package `3dmol` (`npm pack 3dmol`), in the version that py3Dmol names.

    Args:
        path: The file; None to load the script from py3Dmol's server again.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is not 3Dmol.js.

    Example:
        >>> unmelt.views.use_3dmol("package/build/3Dmol-min.js")  # doctest: +SKIP
    """
    global _script
    _script = None if path is None else _inline(Path(path))


def _inline(path: Path) -> str:
    """HTML that defines `$3Dmolpromise`, which py3Dmol would load from its server otherwise."""
    source = path.read_text(encoding="utf-8", errors="replace")
    if "$3Dmol" not in source or "createViewer" not in source:
        raise ValueError(f"{path} is not 3Dmol.js; use build/3Dmol-min.js of the npm package 3dmol")
    # The script is called as in a page without modules, whatever the notebook's own loader has defined.
    source = source.replace("</script", "<\\/script")
    return (
        "<script>\nif (typeof $3Dmolpromise === 'undefined') {\n"
        f"(function (exports, module, define) {{\n{source}\n}}).call(window);\n"
        "var $3Dmolpromise = Promise.resolve();\n}\n</script>\n"
    )


def _view(picture: str | None = None, **options: Any) -> Any:
    """An empty view of py3Dmol, with the picture of this address where it will be drawn."""
    view = extra("py3Dmol").view(**options)
    if picture is not None:
        # The first style in py3Dmol's page is that of the box that the view is drawn over.
        box = "position: relative;"
        view.startjs = view.startjs.replace(box, f"{box} background: #fff url({picture}) center no-repeat;", 1)
    named = os.environ.get(_VARIABLE)
    script = _script if _script is not None or not named else _inline(Path(named))
    if script is not None:
        view.startjs = script + view.startjs
    return view


def _record(shown: Molecule) -> str:
    """An SDF record without the texts of a file, which may hold what a page would execute."""
    return Molecule(shown.symbols, shown.positions, shown.bonds, shown.charges.tolist()).to_sdf()


def molecule(shown: Molecule, width: int = 400, height: int = 300) -> Any:
    """A molecule in 3D, which the mouse turns. Until 3Dmol.js is loaded the view shows the structure drawn by RDKit, if RDKit is
    installed.
    """
    view = _view(_html.structure(shown), width=width, height=height)
    view.addModel(_record(shown), "sdf")
    view.setStyle(_STYLE)
    view.zoomTo()
    return view


def molecule_html(shown: Molecule) -> str | None:
    """A molecule in 3D as HTML, for a notebook's output; None without py3Dmol, where the notebook shows text."""
    try:
        view = molecule(shown)
    except ModuleNotFoundError:
        return None
    html: str = view._make_html()
    return html


def molecules_html(shown: Sequence[Molecule]) -> str:
    """The first molecules as a table in HTML, for a notebook's output: structures drawn by RDKit if it is installed, formula, SMILES,
    atoms, validity.

    Example:
        >>> water = unmelt.Molecule(["O", "H", "H"], [[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]], [(0, 1, 1), (0, 2, 1)])
        >>> "<td>H2O</td>" in unmelt.views.molecules_html([water])
        True
    """
    return _html.molecules_table(shown)


def molecules(shown: Sequence[Molecule], columns: int = 4, limit: int = 12) -> Any:
    """The first molecules, in a grid of 3D views.

    Raises:
        ValueError: There is none.
    """
    chosen = list(shown)[:limit]
    if not chosen:
        raise ValueError("there is no molecule to show")
    rows = -(-len(chosen) // columns)
    view = _view(width=220 * columns, height=200 * rows, viewergrid=(rows, columns), linked=False)
    for k, one in enumerate(chosen):
        place = divmod(k, columns)
        view.addModel(_record(one), "sdf", viewer=place)
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
    chem = extra("rdkit.Chem")
    draw = extra("rdkit.Chem.Draw")
    chosen = list(shown)[:limit]
    if not chosen:
        raise ValueError("there is no molecule to show")
    flat = [_html.flat(chem, one, hydrogens) for one in chosen]
    legends = [one.formula for one in chosen]
    return draw.MolsToGridImage(flat, molsPerRow=columns, subImgSize=(220, 200), legends=legends, useSVG=True)


def volume(shown: Volume | Path_, overlay: Volume | Path_ | None = None, colormap: str = "hot", opacity: float = 0.5) -> Any:
    """A volume in three planes and 3D, with another on top in colour: a standard deviation, a mask. Paths are read.

    Returns:
        An `ipyniivue.NiiVue` widget.
    """
    niivue = extra("ipyniivue").NiiVue()
    with tempfile.TemporaryDirectory() as folder:
        layers = [_layer(volume_of("shown", shown), Path(folder) / "volume.nii.gz", "gray", 1.0)]
        if overlay is not None:
            layers.append(_layer(volume_of("overlay", overlay), Path(folder) / "overlay.nii.gz", colormap, opacity))
        niivue.load_volumes(layers)
    return niivue


def volume_html(shown: Volume) -> str:
    """The middle axial, coronal and sagittal slice as pictures in HTML, for a notebook's output. The planes are those of the array
    that are nearest to the patient's; the letters say which side is which: R and L for right and left, A and P for front and back,
    S and I for top and bottom.

    Example:
        >>> scan = unmelt.Volume(np.arange(120.0).reshape(4, 5, 6), np.eye(4))
        >>> unmelt.views.volume_html(scan).count("<img")
        3
    """
    return _html.volume_slices(shown)


def _layer(shown: Volume, path: Path, colormap: str, opacity: float) -> dict[str, Any]:
    # Through an array: a series of DICOM files would not be written as NIfTI with CT's integers.
    Volume(shown.array, shown.affine).save(path)
    return {"path": path, "colormap": colormap, "opacity": opacity}
