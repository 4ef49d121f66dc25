"""Scaffolds kept and fragments linked: how many completions are molecules.

    python3 tests/peers/fragments.py MOLECULES [--model qm9] [--scaffolds 20] [--links 20] [--each 10] [--steps 100]

MOLECULES is a file of real molecules with hydrogens and positions. Of molecules drawn from it the ring systems with their linkers (Bemis &
Murcko) are kept as scaffolds, and the ends of a chain as fragments to link; where something was cut off, a valence is open. Each is completed
`--each` times, to the size of the molecule that it is from. Needs unmelt and rdkit.
"""

import argparse
import random

import unmelt
from rdkit import Chem, RDLogger
from rdkit.Chem.Scaffolds import MurckoScaffold

RDLogger.DisableLog("rdApp.*")


def part(mol, heavy):
    """The heavy atoms of these numbers with their hydrogens, as they lie in space."""
    kept = set(heavy)
    for atom in mol.GetAtoms():
        if atom.GetAtomicNum() == 1 and atom.GetNeighbors()[0].GetIdx() in kept:
            kept.add(atom.GetIdx())
    cut = Chem.RWMol(mol)
    Chem.Kekulize(cut, clearAromaticFlags=True)
    for atom in cut.GetAtoms():
        atom.SetNoImplicit(True)
    for k in sorted(set(range(mol.GetNumAtoms())) - kept, reverse=True):
        cut.RemoveAtom(k)
    return unmelt.molecules.Molecule.from_rdkit(cut.GetMol())


def scaffold(mol):
    """The scaffold of a molecule, if it has one and is more."""
    heavy = {a.GetIdx() for a in mol.GetAtoms() if a.GetAtomicNum() > 1}
    core = mol.GetSubstructMatch(MurckoScaffold.GetScaffoldForMol(Chem.RemoveHs(mol)))
    return [part(mol, core)] if core and 0 < len(core) < len(heavy) else None


def ends(mol, draw):
    """The two ends of a molecule that is cut at two bonds, with something between them."""
    single = [
        (b.GetBeginAtomIdx(), b.GetEndAtomIdx())
        for b in mol.GetBonds()
        if b.GetBondType() == Chem.BondType.SINGLE
        and not b.IsInRing()
        and b.GetBeginAtom().GetAtomicNum() > 1
        and b.GetEndAtom().GetAtomicNum() > 1
    ]
    pairs = [(a, b) for i, a in enumerate(single) for b in single[i + 1 :] if not set(a) & set(b)]
    draw.shuffle(pairs)
    for a, b in pairs:
        cut = Chem.RWMol(mol)
        cut.RemoveBond(*a)
        cut.RemoveBond(*b)
        pieces = Chem.GetMolFrags(cut)
        middle = [p for p in pieces if set(a) & set(p) and set(b) & set(p)]
        outer = [p for p in pieces if p not in middle]
        if len(pieces) == 3 and len(middle) == 1:
            heavy = [[k for k in p if mol.GetAtomWithIdx(k).GetAtomicNum() > 1] for p in outer]
            return [part(mol, h) for h in heavy]
    return None


def is_molecule(molecule):
    """Whether RDKit sanitizes it as one piece without radicals."""
    try:
        mol = molecule.to_rdkit()
        Chem.SanitizeMol(mol)
    except (ValueError, Chem.MolSanitizeException):
        return False
    whole = len(Chem.GetMolFrags(mol)) == 1
    return whole and not any(a.GetNumRadicalElectrons() for a in mol.GetAtoms())


def kept(molecule, fragments):
    """Whether every atom of the fragments is where it was."""
    at = [tuple(p) for p in molecule.positions.round(4)]
    return all(tuple(p) in at for f in fragments for p in f.positions.round(4))


def measure(what, cases, model, args):
    good = whole = total = 0
    for number, (fragments, atoms) in enumerate(cases):
        made = model.generate(
            args.each, fragments=fragments, atoms=atoms, seed=number, steps=args.steps, progress=False
        )
        total += len(made)
        good += sum(map(is_molecule, made))
        whole += sum(kept(m, fragments) for m in made)
    print(f"{what:<10} {len(cases):4} of {total} completions: {100 * good / total:5.1f} % valid and connected, {100 * whole / total:.1f} % kept")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("molecules")
    parser.add_argument("--model", default="qm9")
    parser.add_argument("--scaffolds", type=int, default=20)
    parser.add_argument("--links", type=int, default=20)
    parser.add_argument("--each", type=int, default=10)
    parser.add_argument("--steps", type=int, default=100)
    args = parser.parse_args()
    real = unmelt.molecules.read(args.molecules)
    model = unmelt.molecules.Model(args.model)
    draw = random.Random(0)
    scaffolds, links = [], []
    while len(scaffolds) < args.scaffolds or len(links) < args.links:
        molecule = real[draw.randrange(len(real))]
        mol = molecule.to_rdkit()
        core, fragments = scaffold(mol), ends(mol, draw)
        if core and len(scaffolds) < args.scaffolds:
            scaffolds.append((core, len(molecule)))
        if fragments and len(links) < args.links:
            links.append((fragments, len(molecule)))
    measure("scaffolds", scaffolds, model, args)
    measure("links", links, model, args)


if __name__ == "__main__":
    main()
