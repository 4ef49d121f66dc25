"""SMILES and Kekulé forms of unmelt, read by RDKit.

    python3 tests/peers/smiles.py TABLE.parquet [TABLE.parquet …] [--count 10000]

needs unmelt, polars and rdkit. Each table has a row a molecule: atomic_numbers, formal_charges, positions, bond_begin, bond_end,
bond_order. The SMILES that unmelt writes must be, for RDKit, the molecule of the row, without stereochemistry; the molecule must be
valid for both or for neither; and two rows must have one key exactly where RDKit writes one SMILES.
"""

import argparse
import collections
import sys

import polars
import unmelt
from rdkit import Chem, RDLogger

RDLogger.DisableLog("rdApp.*")


def flat(mol):
    """RDKit's SMILES without stereochemistry, with hydrogens implied."""
    mol = Chem.Mol(mol)
    Chem.RemoveStereochemistry(mol)
    return Chem.MolToSmiles(Chem.MolFromSmiles(Chem.MolToSmiles(mol)))


def rdkit_molecule(row):
    editable = Chem.RWMol()
    for number, charge in zip(row["atomic_numbers"], row["formal_charges"], strict=True):
        atom = Chem.Atom(number)
        atom.SetFormalCharge(charge)
        editable.AddAtom(atom)
    orders = {1: Chem.BondType.SINGLE, 2: Chem.BondType.DOUBLE, 3: Chem.BondType.TRIPLE}
    for begin, end, order in zip(row["bond_begin"], row["bond_end"], row["bond_order"], strict=True):
        editable.AddBond(begin, end, orders[order])
    mol = editable.GetMol()
    try:
        Chem.SanitizeMol(mol)
    except Exception:
        return None
    return None if any(a.GetNumImplicitHs() for a in mol.GetAtoms()) else mol


def own_molecule(row):
    flat_positions = row["positions"]
    positions = [flat_positions[k : k + 3] for k in range(0, len(flat_positions), 3)]
    bonds = list(zip(row["bond_begin"], row["bond_end"], row["bond_order"], strict=True))
    return unmelt.Molecule(row["atomic_numbers"], positions, bonds, row["formal_charges"])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", nargs="+")
    parser.add_argument("--count", type=int, default=10_000)
    args = parser.parse_args()
    table = polars.concat([polars.read_parquet(t).drop("qed", "logp", "tpsa", "weight", strict=False) for t in args.tables], how="diagonal")
    table = table.sample(min(args.count, table.height), seed=0)
    wrong, keys, names = collections.Counter(), collections.defaultdict(set), collections.defaultdict(set)
    for row in table.iter_rows(named=True):
        mol, own = rdkit_molecule(row), own_molecule(row)
        wrong["validity"] += own.is_valid != (mol is not None)
        if mol is None:
            continue
        name, read = flat(mol), Chem.MolFromSmiles(own.smiles)
        if read is None or Chem.MolToSmiles(read) != name:
            wrong["smiles"] += 1
            print(f"{own.smiles} is not {name}")
        keys[own.key].add(name)
        names[name].add(own.key)
    wrong["keys"] = sum(len(x) > 1 for x in [*keys.values(), *names.values()])
    print(f"{table.height} molecules, {len(names)} different; differences: {dict(wrong)}")
    sys.exit(any(wrong.values()))


if __name__ == "__main__":
    main()
