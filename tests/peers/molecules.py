"""Generated molecules, judged by others: RDKit, PoseBusters and GFN2-xTB.

    python3 tests/peers/molecules.py molecules.sdf [--xtb 100] [--json]

needs rdkit and numpy; posebusters and tblite (with scipy) where they are installed. Nothing is guessed from distances: the bonds are those
of the file. Strain is the GFN2-xTB energy that up to 100 BFGS steps release, in kcal/mol. Where the records carry a target
(`target_dipole`, D), the mean absolute error of the GFN2 dipole is printed as well.
"""

import argparse
import json
import statistics

import numpy as np
from rdkit import Chem, RDLogger

RDLogger.DisableLog("rdApp.*")
BOHR = 0.529177210903
KCAL = 627.509474


def read(path):
    """All records, unsanitized, and those that RDKit sanitizes and that are in one piece."""
    raw = list(Chem.SDMolSupplier(path, sanitize=False, removeHs=False))
    good = []
    for mol in raw:
        try:
            mol = Chem.Mol(mol)
            Chem.SanitizeMol(mol)
        except Exception:
            continue
        if len(Chem.GetMolFrags(mol)) == 1:
            good.append(mol)
    return raw, good


def radicals(mol):
    return any(a.GetNumRadicalElectrons() or a.GetNumImplicitHs() for a in mol.GetAtoms())


def smiles_agree(mols):
    """Share of molecules whose SMILES field is, for RDKit, the molecule of the record."""
    def same(mol):
        flat = Chem.Mol(mol)
        Chem.RemoveStereochemistry(flat)
        flat = Chem.MolFromSmiles(Chem.MolToSmiles(flat))
        other = Chem.MolFromSmiles(mol.GetProp("smiles"))
        return other is not None and Chem.MolToSmiles(other) == Chem.MolToSmiles(flat)
    named = [m for m in mols if m.HasProp("smiles")]
    return sum(map(same, named)) / len(named) if named else None


def busters(mols):
    from posebusters import PoseBusters
    table = PoseBusters(config="mol").bust(mols, None, None)
    return float(table.all(axis=1).mean())


def calculator(mol):
    from tblite.interface import Calculator
    numbers = np.array([a.GetAtomicNum() for a in mol.GetAtoms()])
    positions = mol.GetConformer().GetPositions() / BOHR
    calc = Calculator("GFN2-xTB", numbers, positions, charge=float(Chem.GetFormalCharge(mol)))
    calc.set("verbosity", 0)
    return calc, positions


def relax(mol, steps=100):
    """Strain in kcal/mol, and the dipole before relaxation in Debye."""
    from scipy.optimize import minimize
    calc, start = calculator(mol)
    first = calc.singlepoint()
    dipole = float(np.linalg.norm(first.get("dipole")) * 2.541746)

    def energy(x):
        calc.update(x.reshape(-1, 3))
        result = calc.singlepoint()
        return result.get("energy"), result.get("gradient").ravel()

    end = minimize(energy, start.ravel(), jac=True, method="BFGS", options={"maxiter": steps, "gtol": 1e-4})
    return (first.get("energy") - end.fun) * KCAL, dipole


def dipole(mol):
    calc, _ = calculator(mol)
    return float(np.linalg.norm(calc.singlepoint().get("dipole")) * 2.541746)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file")
    parser.add_argument("--xtb", type=int, default=100, help="molecules to relax")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    raw, good = read(args.file)
    keys = {Chem.MolToSmiles(Chem.RemoveHs(m)) for m in good}
    out = {
        "count": len(raw),
        "sanitizable_and_connected": len(good) / len(raw),
        "without_radicals_or_implicit_hydrogens": sum(not radicals(m) for m in good) / len(raw),
        "valid_times_unique": len(keys) / len(raw),
        "smiles_agree": smiles_agree(good),
    }
    try:
        out["posebusters_of_all"] = busters(good) * len(good) / len(raw)
    except ImportError:
        pass
    try:
        out["strain_kcal_mol_median"] = statistics.median(relax(m)[0] for m in good[: args.xtb])
        targets = [m for m in good if m.HasProp("target_dipole")]
        if targets:
            errors = [abs(dipole(m) - float(m.GetProp("target_dipole"))) for m in targets]
            out["dipole_mean_absolute_error_debye"] = statistics.mean(errors)
    except ImportError:
        pass
    if args.json:
        print(json.dumps(out, indent=2))
        return
    for name, value in out.items():
        print(f"{name.replace('_', ' '):<45}", value if isinstance(value, int) or value is None else f"{value:.4f}")


if __name__ == "__main__":
    main()
