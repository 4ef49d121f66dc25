"""Types: the package and a user's script pass `mypy --strict`, and the stubs are those of the Rust part."""

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mypy")
pytest.importorskip("polars")

HERE = Path(__file__).parent
SETTINGS = HERE.parent / "pyproject.toml"

SCRIPT = '''
import numpy as np
import polars

import unmelt
from unmelt import Molecule, Volume

molecules = unmelt.molecules.generate(4, seed=1, properties={"dipole": 2.0}, filters=["valid"])
first: Molecule = molecules[0]
some: unmelt.molecules.Molecules = molecules[1:3]
positions: np.ndarray = first.positions
share: float = molecules.evaluate()["valid"]["value"]
good: unmelt.molecules.Molecules = molecules.filter(["valid", "unique", lambda m: len(m) < 20])
frame: polars.DataFrame = good.table()
smiles: list[str | None] = good.to_smiles(aromatic=True)

scan: Volume = unmelt.volumes.read("scan.nii.gz")
out = unmelt.volumes.super_resolve(scan, spacing=(1, 1, 1), samples=8)
low, high = out.interval(0.9)
low.save("low.nii.gz")
voxels: np.ndarray = out.mean.array
part: Volume = scan[10:50, :, 20:40]
same: Volume = scan.crop((10, 0, 20), (50, 100, 40))
quiet: Volume = unmelt.volumes.denoise("scan.nii.gz").mean

schedule = unmelt.diffusion.Schedule.cosine()
x: np.ndarray = unmelt.diffusion.sample(lambda x, t: x * 0.5, schedule=schedule, shape=(4, 2))
'''


def mypy(*arguments: str) -> str:
    command = [sys.executable, "-m", "mypy", "--config-file", str(SETTINGS), "--strict", *arguments]
    run = subprocess.run(command, capture_output=True, text=True, cwd=HERE)
    return "" if run.returncode == 0 else run.stdout + run.stderr


def test_the_package_passes() -> None:
    assert mypy("--package", "unmelt") == ""


def test_a_script_of_a_user_passes(folder: Path) -> None:
    (folder / "script.py").write_text(SCRIPT)
    assert mypy(str(folder / "script.py")) == ""


def test_a_wrong_script_does_not(folder: Path) -> None:
    (folder / "wrong.py").write_text(SCRIPT + "\nunmelt.molecules.generate('many')\nfirst.positions = 3\nframe.no_such\nscan[3]\n")
    found = mypy(str(folder / "wrong.py"))
    assert "arg-type" in found and "read-only" in found, found
    assert '"DataFrame" has no attribute "no_such"' in found and 'Invalid index type "int" for "Volume"' in found, found


def test_the_stubs_are_those_of_the_rust_part() -> None:
    command = [sys.executable, "-m", "mypy.stubtest", "unmelt._unmelt", "--mypy-config-file", str(SETTINGS)]
    run = subprocess.run(command, capture_output=True, text=True, cwd=HERE)
    assert run.returncode == 0, run.stdout + run.stderr
