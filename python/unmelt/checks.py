"""Independent checks of molecules: geometry by PoseBusters, strain and dipole by GFN2-xTB (`pip install unmelt[checks]`)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from ._arguments import at_least
from ._extras import extra
from ._unmelt import Molecule
from .molecules import Molecules

__all__ = ["dipoles", "posebusters", "strain"]

_BOHR_PER_ANGSTROM = 1 / 0.529177210903
_KCAL_PER_HARTREE = 627.509474
_DEBYE_PER_ATOMIC_UNIT = 2.541746


def posebusters(molecules: Iterable[Molecule]) -> list[bool]:
    """Whether each molecule passes all tests of PoseBusters (Buttenschoen et al. 2024) for a molecule alone; one that RDKit refuses
    does not.

    Raises:
        ModuleNotFoundError: PoseBusters or RDKit is not installed: `pip install unmelt[checks]`.

    Example:
        >>> passed = unmelt.checks.posebusters(unmelt.molecules.generate(10))  # doctest: +SKIP
    """
    checker = extra("posebusters").PoseBusters(config="mol")
    mols = Molecules(molecules).to_rdkit()
    usable = [mol for mol in mols if mol is not None]
    table = checker.bust(usable, None, None) if usable else None
    verdicts = iter([] if table is None else [bool(v) for v in table.all(axis=1)])
    return [mol is not None and next(verdicts) for mol in mols]


def strain(molecules: Iterable[Molecule], steps: int = 100) -> npt.NDArray[np.float64]:
    """The energy in kcal/mol that relaxing each molecule by GFN2-xTB (Bannwarth et al. 2019) releases, up to so many BFGS steps; NaN
    where it does not converge.

    Raises:
        ModuleNotFoundError: tblite or SciPy is not installed: `pip install unmelt[checks]`.

    Example:
        >>> released = unmelt.checks.strain(unmelt.molecules.generate(10))  # doctest: +SKIP
    """
    at_least("steps", steps, 1)
    minimize = extra("scipy.optimize").minimize
    return np.array([_converged(lambda m=m: _released(m, steps, minimize)) for m in molecules])


def dipoles(molecules: Iterable[Molecule]) -> npt.NDArray[np.float64]:
    """The dipole of each molecule in debye by GFN2-xTB, in the given geometry; NaN where it does not converge.

    Raises:
        ModuleNotFoundError: tblite is not installed: `pip install unmelt[checks]`.
    """

    def of(molecule: Molecule) -> float:
        moment = _calculator(molecule).singlepoint().get("dipole")
        return float(np.linalg.norm(moment)) * _DEBYE_PER_ATOMIC_UNIT

    return np.array([_converged(lambda m=m: of(m)) for m in molecules])


def _calculator(molecule: Molecule) -> Any:
    interface = extra("tblite.interface")
    positions = molecule.positions * _BOHR_PER_ANGSTROM
    calculator = interface.Calculator("GFN2-xTB", molecule.numbers, positions, charge=float(molecule.charges.sum()))
    calculator.set("verbosity", 0)
    return calculator


def _released(molecule: Molecule, steps: int, minimize: Any) -> float:
    calculator = _calculator(molecule)
    first = float(calculator.singlepoint().get("energy"))

    def energy(x: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        calculator.update(x.reshape(-1, 3))
        result = calculator.singlepoint()
        return result.get("energy"), result.get("gradient").ravel()

    start = (molecule.positions * _BOHR_PER_ANGSTROM).ravel()
    end = minimize(energy, start, jac=True, method="BFGS", options={"maxiter": steps, "gtol": 1e-4})
    return (first - float(end.fun)) * _KCAL_PER_HARTREE


def _converged(value: Any) -> float:
    """A number of tblite's, which raises RuntimeError where its iterations do not converge."""
    try:
        return float(value())
    except RuntimeError:
        return math.nan
