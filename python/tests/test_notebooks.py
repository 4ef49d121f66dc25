"""The notebooks, executed without a screen on small settings."""

from pathlib import Path
from typing import Any

import pytest

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"

#: What replaces the cell of parameters of each notebook.
SMALL: dict[str, dict[str, Any]] = {
    "1_generate_molecules": {"COUNT": 16, "STEPS": 25},
    "2_targets_and_scaffolds": {"COUNT": 8, "STEPS": 25},
    "3_enhance_a_brain_mri": {"SHAPE": (32, 36, 32), "SAMPLES": 2, "STEPS": 2},
    "4_dicom_in_dicom_out": {"SIZE": 48, "SLICES": 8},
    "5_the_core": {"SAMPLES": 500, "STEPS": (4, 8, 16)},
    "6_train_on_your_molecules": {"MOLECULES": 12, "STEPS": 50, "WIDTH": 16, "LAYERS": 2},
    "7_train_on_your_scans": {"SHAPE": (48, 48, 48), "SCANS": 4, "STEPS": 20, "CHANNELS": [16]},
}


def test_every_notebook_is_executed() -> None:
    assert {p.stem for p in NOTEBOOKS.glob("*.ipynb")} == set(SMALL)


@pytest.mark.parametrize("name", SMALL)
def test_a_notebook_runs(name: str, tmp_path: Path) -> None:
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    for needed in ("rdkit", "polars", "pydicom", "nibabel", "matplotlib", "ipykernel", "py3Dmol"):
        pytest.importorskip(needed)
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    parameters = [c for c in notebook.cells if "parameters" in c.metadata.get("tags", [])]
    assert len(parameters) == 1, "a notebook has one cell of parameters"
    named = {line.split(" = ")[0] for line in parameters[0].source.splitlines()}
    assert named == set(SMALL[name]), "the small settings are those of the notebook"
    parameters[0].source = "\n".join(f"{key} = {value!r}" for key, value in SMALL[name].items())
    assert all(not c.get("outputs") for c in notebook.cells), "notebooks are kept without outputs"
    client = nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()
