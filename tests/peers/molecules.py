"""Generated molecules, checked by RDKit, PoseBusters and GFN2-xTB.

    python3 tests/peers/molecules.py molecules.sdf [--xtb 100] [--json]

needs unmelt and rdkit; posebusters and tblite (with scipy) where they are installed. Nothing is guessed from distances: the bonds are those
of the file. Strain is the GFN2-xTB energy that up to 100 BFGS steps release, in kcal/mol. Where the records carry a target
(`target_dipole`, D), the mean absolute error of the GFN2 dipole is printed as well.
"""

import argparse
import json
import statistics

import unmelt
from rdkit import Chem, RDLogger

RDLogger.DisableLog("rdApp.*")


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
    own = [unmelt.Molecule.from_rdkit(m) for m in good]
    try:
        out["posebusters_of_all"] = sum(unmelt.checks.posebusters(own)) / len(raw)
    except ImportError:
        pass
    try:
        out["strain_kcal_mol_median"] = statistics.median(unmelt.checks.strain(own[: args.xtb]))
        aimed = [k for k, m in enumerate(good) if m.HasProp("target_dipole")]
        if aimed:
            found = unmelt.checks.dipoles([own[k] for k in aimed])
            errors = [abs(d - float(good[k].GetProp("target_dipole"))) for d, k in zip(found, aimed)]
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
