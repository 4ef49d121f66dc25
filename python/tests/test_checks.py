"""PoseBusters and GFN2-xTB, where they are installed."""

import importlib
from typing import Any

import numpy as np
import pytest

import unmelt


def water(stretch: float = 1.0) -> unmelt.Molecule:
    hydrogens = [[0.7572 * stretch, 0.5865 * stretch, 0], [-0.7572 * stretch, 0.5865 * stretch, 0]]
    return unmelt.Molecule(["O", "H", "H"], [[0, 0, 0], *hydrogens], [(0, 1, 1), (0, 2, 1)])


def test_gfn2_knows_water() -> None:
    pytest.importorskip("tblite")
    # GFN2's dipole of water is about 2.1 D; that of an experiment in the gas 1.85 D.
    assert abs(unmelt.checks.dipoles([water()])[0] - 2.1) < 0.3
    relaxed, stretched = unmelt.checks.strain([water(), water(1.2)])
    assert 0 <= relaxed < 1 and stretched > 10


def test_posebusters_tells_good_from_bad(molecules: unmelt.molecules.Molecules) -> None:
    pytest.importorskip("posebusters")
    good = [m for m in molecules if m.is_valid and m.is_connected][:3]
    flat = unmelt.Molecule(good[0].symbols, np.zeros((len(good[0]), 3)), good[0].bonds, list(good[0].charges))
    verdicts = unmelt.checks.posebusters([*good, flat])
    assert len(verdicts) == 4 and not verdicts[3] and any(verdicts[:3])
    assert unmelt.checks.posebusters([]) == []


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str, package: str | None = None) -> Any:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(importlib, "import_module", missing)
    for check in (unmelt.checks.posebusters, unmelt.checks.strain, unmelt.checks.dipoles):
        with pytest.raises(ModuleNotFoundError, match=r"unmelt\[checks\]"):
            check([water()])
