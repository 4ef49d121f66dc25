"""Tables of molecules with explicit hydrogens into one table of heavy atoms, which `drugs` is trained on.

    python3 data/drugs/heavy_atoms.py --without bioactive_dev.parquet --output heavy.parquet ligands_ccd.parquet geom-*.parquet

Hydrogens follow from element, formal charge and bonds in Kekulé form (the default valences of SMILES), so nothing is lost
but their positions. Molecules of the table `--without` (same SMILES without stereo) are left out, and so are
molecules of more than one part, those whose hydrogens do not follow from the default valences, and repeats. Needs polars and numpy.
"""

import argparse

import numpy as np
import polars as pl

# Default valences: the smallest that is not below the sum of bond orders, of the neutral element; a charge shifts to the isoelectronic one.
VALENCES = {5: (3,), 6: (4,), 7: (3, 5), 8: (2,), 9: (1,), 15: (3, 5), 16: (2, 4, 6), 17: (1,), 35: (1,), 53: (1,)}
FIELDS = ("logp", "tpsa", "qed", "sa_score")


def implied_hydrogens(number: int, charge: int, bonds: int) -> int:
    """Hydrogens of an atom by default valences; -1 if there is no such valence."""
    valences = VALENCES.get(number - charge, ())
    if number in (16, 15) and charge > 0:
        valences = {16: (3, 5), 15: (4,)}[number]
    if number in (9, 17, 35, 53) and charge == -1:
        valences = (0,)
    return min((v - bonds for v in valences if v >= bonds), default=-1)


def heavy(row: dict) -> dict | None:
    numbers = np.array(row["atomic_numbers"], dtype=int)
    begin, end = np.array(row["bond_begin"], dtype=int), np.array(row["bond_end"], dtype=int)
    order = np.array(row["bond_order"], dtype=int)
    keep = numbers != 1
    new = np.cumsum(keep) - 1
    inner = keep[begin] & keep[end]
    hydrogens = np.zeros(len(numbers), dtype=int)
    np.add.at(hydrogens, begin[~inner], numbers[end[~inner]] == 1)
    np.add.at(hydrogens, end[~inner], numbers[begin[~inner]] == 1)
    bonds = np.zeros(len(numbers), dtype=int)
    np.add.at(bonds, begin[inner], order[inner])
    np.add.at(bonds, end[inner], order[inner])
    charges = row["formal_charges"]
    for k in np.flatnonzero(keep):
        if implied_hydrogens(int(numbers[k]), charges[k], int(bonds[k])) != hydrogens[k]:
            return None
    parts = np.arange(len(numbers))
    for a, b in zip(begin, end):
        parts[parts == parts[a]] = parts[b]
    if len(set(parts)) != 1 or keep.sum() < 2:
        return None
    positions = np.array(row["positions"], dtype=np.float32).reshape(-1, 3)[keep]
    return {
        "id": row["id"],
        "atomic_numbers": numbers[keep].tolist(),
        "formal_charges": [c for c, k in zip(charges, keep) if k],
        "positions": positions.ravel().tolist(),
        "bond_begin": new[begin[inner]].tolist(),
        "bond_end": new[end[inner]].tolist(),
        "bond_order": order[inner].tolist(),
        **{name: row[name] for name in FIELDS},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", nargs="+")
    parser.add_argument("--without", action="append", default=[])
    parser.add_argument("--output", required=True)
    arguments = parser.parse_args()
    seen = {s for path in arguments.without for s in pl.read_parquet(path)["smiles"]}
    rows, left_out = [], 0
    for path in arguments.tables:
        for row in pl.read_parquet(path).iter_rows(named=True):
            molecule = None if row["smiles"] in seen else heavy(row)
            seen.add(row["smiles"])
            if molecule is None:
                left_out += 1
            else:
                rows.append(molecule)
    lists = {"atomic_numbers": pl.UInt8, "formal_charges": pl.Int8, "positions": pl.Float32}
    lists |= {"bond_begin": pl.UInt32, "bond_end": pl.UInt32, "bond_order": pl.UInt8}
    schema = {"id": pl.String} | {n: pl.List(t) for n, t in lists.items()} | {n: pl.Float32 for n in FIELDS}
    pl.DataFrame(rows, schema=schema).write_parquet(arguments.output)
    print(f"{len(rows)} molecules written, {left_out} left out")


if __name__ == "__main__":
    main()
