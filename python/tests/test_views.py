"""Viewers and figures."""

import base64
import io
import re
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.image
import numpy as np
import pytest

import unmelt

matplotlib.use("Agg")


def test_molecules_are_shown(molecules: unmelt.molecules.Molecules, water: unmelt.Molecule) -> None:
    pytest.importorskip("py3Dmol")
    html = water._repr_html_()
    assert html is not None and "3Dmol" in html and "V2000" in html
    assert "V2000" in water.view()._make_html() and "V2000" in molecules.view(limit=4)._make_html()
    with pytest.raises(ValueError, match="no molecule"):
        unmelt.molecules.Molecules().view()


def test_molecules_are_drawn(molecules: unmelt.molecules.Molecules) -> None:
    pytest.importorskip("rdkit")
    drawn = unmelt.views.drawing(molecules, limit=4)
    text = drawn if isinstance(drawn, str) else drawn.data
    assert "<svg" in text and "class='bond-0" in text


def test_volumes_are_shown(scan: unmelt.Volume) -> None:
    pytest.importorskip("ipyniivue")
    viewer = scan.view(overlay=scan)
    assert len(viewer.volumes) == 2


def test_slices_are_drawn_in_millimetres(scan: unmelt.Volume) -> None:
    figure = unmelt.plots.slices(scan, overlay=scan.with_array(np.abs(scan.array)), title="a ball")
    assert [float(a.get_aspect()) for a in figure.axes[:3]] == [2.0, 2.0, 1.0]
    small = unmelt.Volume(np.zeros((2, 2, 2)), np.eye(4))
    with pytest.raises(ValueError, match="overlay must be of shape"):
        unmelt.plots.slices(scan, overlay=small)


def test_losses_and_histograms_are_drawn(molecules: unmelt.molecules.Molecules) -> None:
    figure = unmelt.plots.losses([{"step": 1, "loss": 2.0}, {"step": 2, "loss": 1.0}])
    assert figure.axes[0].lines[0].get_ydata().tolist() == [2.0, 1.0]
    figure = unmelt.plots.histogram(molecules, "sample", target=3.0)
    assert sum(p.get_height() for p in figure.axes[0].patches) == len(molecules)
    with pytest.raises(ValueError, match="no number|no molecule"):
        unmelt.plots.histogram(molecules, "charm")
    with pytest.raises(ValueError, match="reported nothing"):
        unmelt.plots.losses([])


def test_a_table_shows_molecules(molecules: unmelt.molecules.Molecules, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("rdkit")
    html = molecules._repr_html_()
    assert "16 molecules, the first 8 shown" in html and html.count("<tr>") == 9
    assert html.count("data:image/svg+xml;base64,") + html.count("not drawn by RDKit") == 8
    assert all(f"<td>{m.formula}</td>" in html for m in molecules[:8]) and html.count("<td>yes</td>") > 0
    monkeypatch.setattr(unmelt._html, "extra", missing)
    plain = molecules[:2]._repr_html_()
    assert "<img" not in plain and "structure" not in plain and molecules[1].smiles in plain and "2 molecules<" in plain
    assert "0 molecules" in unmelt.molecules.Molecules()._repr_html_()


def missing(module: str) -> Any:
    raise ModuleNotFoundError(f"no {module}", name=module)


def test_texts_of_files_are_not_executed() -> None:
    evil = "</script><script>alert(1)</script>"
    places = [[0.0, 0.0, 0.0], [0.96, 0.0, 0.0], [-0.24, 0.93, 0.0]]
    water = unmelt.Molecule(["O", "H", "H"], places, [(0, 1, 1), (0, 2, 1)], name=evil, fields={evil: evil})
    assert "alert(1)</script>" not in unmelt.molecules.Molecules([water])._repr_html_()
    pytest.importorskip("py3Dmol")
    assert "alert" not in (water._repr_html_() or "") and "alert" not in unmelt.views.molecules([water])._make_html()


def test_a_molecule_that_rdkit_refuses_has_a_row() -> None:
    wrong = unmelt.Molecule(["C", *["H"] * 6], np.random.default_rng(0).normal(0, 1, (7, 3)), [(0, k, 1) for k in range(1, 7)])
    html = unmelt.molecules.Molecules([wrong])._repr_html_()
    assert "<td>CH6</td>" in html and "<td>no</td>" in html


def test_three_slices_are_png_files_with_sides(scan: unmelt.Volume) -> None:
    html = scan._repr_html_()
    assert unmelt.volumes.Enhanced(scan, None, None, None)._repr_html_() == html
    assert "24 × 20 × 12 voxels of 1.00 × 1.00 × 2.00 mm" in html
    pictures = [matplotlib.image.imread(io.BytesIO(base64.b64decode(p))) for p in re.findall(r"base64,([^\"]+)", html)]
    # Rows and columns of the axial, coronal and sagittal slice.
    assert [p.shape for p in pictures] == [(20, 24), (12, 24), (12, 20)]
    sizes = [(int(w), int(h)) for w, h in re.findall(r"width:(\d+)px;height:(\d+)px", html)]
    assert sizes == [(220, 183), (220, 220), (183, 220)]
    assert re.findall(r">([A-Z])</span>", html) == list("RLAPRLSIAPSI")


@pytest.mark.parametrize("flips", range(8))
def test_slices_lie_as_their_letters_say(flips: int) -> None:
    array = np.zeros((9, 11, 13), np.float32)
    sign = [-1.0 if flips >> k & 1 else 1.0 for k in range(3)]
    # A mark at the right, the front and the top of the patient, 1 voxel from the corner.
    at = [n - 2 if s > 0 else 1 for n, s in zip(array.shape, sign, strict=True)]
    for axis in range(3):
        index = [n // 2 for n in array.shape]
        index[axis] = at[axis]
        array[tuple(index)] = 1.0 + axis
    marked = unmelt.Volume(array, np.diag([*sign, 1.0]))
    axial, coronal, sagittal = unmelt._planes.planes(marked, (0.5, 0.5, 0.5))
    assert [p.name for p in (axial, coronal, sagittal)] == ["axial", "coronal", "sagittal"]
    assert axial.left == "R" and axial.top == "A" and sagittal.left == "A" and sagittal.top == "S"
    middle = {"right": (1,), "front": (2,), "top": (3,)}
    for plane, (across, up) in ((axial, ("right", "front")), (coronal, ("right", "top")), (sagittal, ("front", "top"))):
        (column,) = np.argwhere(plane.picture == middle[across][0])[:, 1]
        (row,) = np.argwhere(plane.picture == middle[up][0])[:, 0]
        assert (column, row) == (1, 1), (plane.name, column, row)


def test_3dmol_comes_from_a_file(water: unmelt.Molecule, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("py3Dmol")
    script = folder / "3Dmol-min.js"
    script.write_text('window.$3Dmol = {createViewer: "</script>"};')
    (folder / "other.js").write_text("alert(1)")
    unmelt.views.use_3dmol(script)
    try:
        for html in (water._repr_html_(), unmelt.views.molecules([water])._make_html()):
            assert html.startswith("<script>") and html.index("<\\/script") < html.index("$3Dmolpromise = Promise.resolve()")
            assert html.index("Promise.resolve()") < html.index("loadScriptAsync(")
        with pytest.raises(ValueError, match=r"other.js is not 3Dmol\.js"):
            unmelt.views.use_3dmol(folder / "other.js")
        with pytest.raises(FileNotFoundError):
            unmelt.views.use_3dmol(folder / "nowhere.js")
    finally:
        unmelt.views.use_3dmol(None)
    assert "Promise.resolve()" not in (water._repr_html_() or "")
    monkeypatch.setenv("UNMELT_3DMOL", str(script))
    assert "Promise.resolve()" in (water._repr_html_() or "")


def test_a_structure_stands_where_the_view_is_not_loaded(water: unmelt.Molecule, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("py3Dmol")
    pytest.importorskip("rdkit")
    html = water._repr_html_() or ""
    (picture,) = re.findall(r'<div id="3dmolviewer_\d+" +style="[^"]*url\(data:image/svg\+xml;base64,([^)]+)\)', html)
    assert b"<svg" in base64.b64decode(picture)
    monkeypatch.setattr(unmelt._html, "extra", missing)
    assert "svg" not in (water._repr_html_() or "")


def test_two_volumes_are_compared(scan: unmelt.Volume, folder: Path) -> None:
    after = scan.with_array(scan.array + 5)
    after.save(folder / "after.nii.gz")
    figure = unmelt.plots.compare_volumes(scan, folder / "after.nii.gz", names=("noisy", "clean"))
    panels = figure.axes[:9]
    assert [p.get_title() for p in panels[:3]] == ["axial", "coronal", "sagittal"]
    assert [p.get_ylabel() for p in panels[::3]] == ["noisy", "clean", "difference"]
    assert [[t.get_text() for t in p.texts] for p in panels[:3]] == [list("RLAP"), list("RLSI"), list("APSI")]
    assert all(np.allclose(p.images[0].get_array(), 5, atol=1e-3) for p in panels[6:])
    assert panels[0].images[0].get_clim() == panels[3].images[0].get_clim() and panels[6].images[0].get_clim()[1] == pytest.approx(5)
    assert [float(p.get_aspect()) for p in panels[:3]] == [1.0, 2.0, 2.0]
    figure.savefig(folder / "change.png")
    with pytest.raises(ValueError, match="on one grid"):
        unmelt.plots.compare_volumes(scan, scan[1:])
    with pytest.raises(ValueError, match="at must be"):
        unmelt.plots.compare_volumes(scan, after, at=(0.5, 0.5, 2.0))
