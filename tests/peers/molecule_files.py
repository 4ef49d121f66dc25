"""Compares what unmelt and RDKit read from SDF files: atoms, charges, radicals, isotopes, bonds, fields, names.

    cargo build --release -p unmelt-molecules --example records
    python3 tests/peers/molecule_files.py target/release/examples/records FILE.sdf ...

Records that one of both does not read are listed. Needs RDKit.
"""

import json
import subprocess
import sys

from rdkit import Chem, RDLogger

CODES = {"SINGLE": 1, "DOUBLE": 2, "TRIPLE": 3, "AROMATIC": 4, "ZERO": 8, "DATIVE": 9, "HYDROGEN": 10}


def of_rdkit(path):
    """What RDKit reads; None for a record that it does not."""
    for mol in Chem.SDMolSupplier(path, sanitize=False, removeHs=False):
        if mol is None:
            yield None
            continue
        atom = lambda a: [a.GetSymbol(), a.GetFormalCharge(), a.GetNumRadicalElectrons(), a.GetIsotope()]
        bond = lambda b: [b.GetBeginAtomIdx(), b.GetEndAtomIdx(), CODES.get(str(b.GetBondType()), str(b.GetBondType()))]
        yield {
            "name": mol.GetProp("_Name").strip(),
            "atoms": [atom(a) for a in mol.GetAtoms()],
            "bonds": [bond(b) for b in mol.GetBonds()],
            "fields": [[k, mol.GetProp(k)] for k in mol.GetPropNames()],
        }


def main(program, files):
    RDLogger.DisableLog("rdApp.*")
    same, differ = 0, 0
    for path in files:
        lines = subprocess.run([program, path], capture_output=True, text=True, check=True).stdout.splitlines()
        own = [json.loads(line) for line in lines]
        records = [r for r in own if "atoms" in r]
        for fault in (r for r in own if "atoms" not in r):
            print(f"{path}: unmelt: {fault.get('fault') or fault['error']}")
        try:
            theirs = list(of_rdkit(path))
        except OSError as error:
            print(f"{path}: RDKit: {error}")
            continue
        unread = theirs.count(None)
        if unread:
            print(f"{path}: RDKit reads {len(theirs) - unread} of {len(theirs)} records, unmelt {len(records)}")
        theirs = [r for r in theirs if r is not None]
        if len(theirs) != len(records):
            # Without a common numbering only the same names are compared.
            names = {r["name"]: r for r in records}
            pairs = [(names[r["name"]], r) for r in theirs if r["name"] in names]
        else:
            pairs = list(zip(records, theirs))
        for ours, other in pairs:
            wrong = [k for k in other if sorted(map(str, ours[k])) != sorted(map(str, other[k]))]
            same, differ = same + (not wrong), differ + bool(wrong)
            for key in wrong:
                print(f"{path}: {ours['name']!r}: {key}: unmelt {ours[key]}, RDKit {other[key]}")
    print(f"{same} records are the same, {differ} differ")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
