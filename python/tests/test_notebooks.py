"""The notebooks, executed without a screen on small settings."""

from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_notebook_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    for needed in ("rdkit", "polars", "pydicom", "nibabel", "matplotlib", "ipykernel", "py3Dmol"):
        pytest.importorskip(needed)
    notebook = nbformat.read(path, as_version=4)
    assert "UNMELT_SMALL" in "".join(c.source for c in notebook.cells), "a notebook has small settings"
    assert all(not c.get("outputs") for c in notebook.cells), "notebooks are kept without outputs"
    monkeypatch.setenv("UNMELT_SMALL", "1")
    client = nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()
