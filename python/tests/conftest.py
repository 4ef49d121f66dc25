"""What the tests share."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import unmelt


@pytest.fixture(scope="session")
def molecules() -> unmelt.molecules.Molecules:
    """A few molecules of few steps; not all of them are valid."""
    return unmelt.molecules.generate(16, seed=3, steps=25, progress=False)


@pytest.fixture(scope="session")
def water() -> unmelt.Molecule:
    places = [[0.0, 0.0, 0.0], [0.96, 0.0, 0.0], [-0.24, 0.93, 0.0]]
    return unmelt.Molecule(["O", "H", "H"], places, [(0, 1, 1), (0, 2, 1)])


@pytest.fixture(scope="session")
def scan() -> unmelt.Volume:
    """A head-like ball with noise, stored as LPS with 2 mm slices."""
    i, j, k = np.meshgrid(*[np.linspace(-1, 1, n) for n in (24, 20, 12)], indexing="ij")
    radius = np.sqrt(i**2 + j**2 + k**2)
    array = np.where(radius < 0.8, 100 + 40 * np.cos(6 * radius), 0) + np.random.default_rng(0).normal(0, 3, radius.shape)
    affine = np.array([[-1.0, 0, 0, 12], [0, -1.0, 0, 10], [0, 0, 2.0, -12], [0, 0, 0, 1]])
    return unmelt.Volume(array, affine)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    left = [p.name for p in tmp_path.rglob("*") if p.name.startswith((".unmelt", ".tmp"))]
    assert not left, f"half-written files are left: {left}"
