"""Molecules from and to RDKit."""

from typing import Any

from ._extras import extra
from ._unmelt import Molecule

_ORDERS = {1: "SINGLE", 2: "DOUBLE", 3: "TRIPLE", 4: "AROMATIC", 8: "ZERO", 9: "DATIVE", 10: "HYDROGEN"}


def to_rdkit(molecule: Molecule, sanitize: bool) -> Any:
    """An RDKit molecule with one conformer; hydrogens stay as they are."""
    chem = extra("rdkit.Chem")
    editable = chem.RWMol()
    numbers, charges = molecule.numbers.tolist(), molecule.charges.tolist()
    isotopes, radicals = molecule.isotopes.tolist(), molecule.radicals.tolist()
    for number, charge, isotope, electrons in zip(numbers, charges, isotopes, radicals, strict=True):
        atom = chem.Atom(number)
        atom.SetFormalCharge(charge)
        atom.SetIsotope(isotope)
        atom.SetNumRadicalElectrons(electrons)
        # What is missing is missing: no hydrogen is implied.
        atom.SetNoImplicit(True)
        editable.AddAtom(atom)
    for begin, end, order in molecule.bonds:
        editable.AddBond(begin, end, getattr(chem.BondType, _ORDERS[order]))
    conformer = chem.Conformer(len(molecule))
    conformer.Set3D(not molecule.is_drawing)
    for k, place in enumerate(molecule.positions.tolist()):
        conformer.SetAtomPosition(k, place)
    editable.AddConformer(conformer)
    mol = editable.GetMol()
    mol.SetProp("_Name", molecule.name)
    for key, value in molecule.fields.items():
        mol.SetProp(key, value)
    if sanitize:
        chem.SanitizeMol(mol)
    return mol


def to_smiles(molecule: Molecule, aromatic: bool = False) -> str:
    """Canonical SMILES: unmelt's in the Kekulé form, or RDKit's with aromatic atoms in lower case.

    Raises:
        ValueError: RDKit refuses the molecule.
    """
    if not aromatic:
        return molecule.smiles
    refused = extra("rdkit.Chem").MolSanitizeException
    try:
        return written(to_rdkit(molecule, sanitize=True))
    except refused as error:
        raise ValueError(f"RDKit refuses the molecule, so it has no aromatic SMILES: {error}") from None


def written(mol: Any) -> str:
    """RDKit's canonical SMILES with aromatic atoms and isotopes, without hydrogens; `to_rdkit` marks no stereocentres."""
    chem = extra("rdkit.Chem")
    smiles: str = chem.MolToSmiles(chem.RemoveHs(mol))
    return smiles


def from_rdkit(mol: Any) -> Molecule:
    """The molecule of an RDKit one with a conformer."""
    if not hasattr(mol, "GetNumConformers"):
        raise TypeError(f"mol must be an RDKit molecule, but it is a {type(mol).__name__}")
    if mol.GetNumConformers() == 0:
        raise ValueError("mol has no conformer: give it one, as by AllChem.EmbedMolecule")
    chem = extra("rdkit.Chem")
    plain = chem.Mol(mol)
    chem.Kekulize(plain, clearAromaticFlags=True)
    codes = {getattr(chem.BondType, name): code for code, name in _ORDERS.items()}
    bonds = []
    for bond in plain.GetBonds():
        if bond.GetBondType() not in codes:
            raise ValueError(f"mol has a bond of type {bond.GetBondType()}, which unmelt does not know")
        bonds.append((bond.GetBeginAtomIdx(), bond.GetEndAtomIdx(), codes[bond.GetBondType()]))
    return Molecule(
        [atom.GetAtomicNum() for atom in plain.GetAtoms()],
        plain.GetConformer().GetPositions(),
        bonds,
        [atom.GetFormalCharge() for atom in plain.GetAtoms()],
        name=plain.GetProp("_Name") if plain.HasProp("_Name") else "",
        fields={key: str(value) for key, value in plain.GetPropsAsDict(False, False).items()},
        isotopes=[atom.GetIsotope() for atom in plain.GetAtoms()],
        radicals=[atom.GetNumRadicalElectrons() for atom in plain.GetAtoms()],
        is_drawing=not plain.GetConformer().Is3D(),
    )
