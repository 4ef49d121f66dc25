"""Viewers and figures."""

import matplotlib
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
