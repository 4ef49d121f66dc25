"""SMILES, keys and validity against RDKit."""

from typing import Any

import pytest

import unmelt

SMILES = [
    "c1ccc2ccccc2c1",
    "c1ccc(-c2ccccc2)cc1",
    "CN1C=NC2=C1C(=O)N(C(=O)N2C)C",
    "C1CC2CCC1C2",
    "C12C3C4C1C5C2C3C45",
    "C1CC11CC1C1CC1C1CC1C1CC1C1CC1C1CC1C1CC1C1CC1C1CC1C1CC1C1CC1",
    "O=C1CCC2C3CCC4=CC(=O)CCC4(C)C3CCC12C",
    "[2H]C([2H])([2H])[13CH2]O",
    "[O-]C(=O)C[NH3+]",
    "C[N+](=O)[O-]",
    "[O-][Cl+3]([O-])([O-])[O-]",
    "F[P-](F)(F)(F)(F)F.[Na+]",
    "OP(=O)(O)OS(=O)(=O)C",
    "C[Si](C)(C)C#CB(O)O",
    "c1cc[nH+]cc1.[I-]",
    "[cH-]1cccc1",
    "F[Xe]F",
    "C[Hg]C",
    "Oc1ccc2c(c1)C13CCN(CC1)C3C2",
]


def molecules(chem: Any, smiles: str) -> tuple[Any, unmelt.Molecule]:
    mol = chem.AddHs(chem.MolFromSmiles(smiles))
    mol.AddConformer(chem.Conformer(mol.GetNumAtoms()))
    return mol, unmelt.Molecule.from_rdkit(mol)


def without_isotopes(chem: Any, mol: Any) -> str:
    mol = chem.Mol(mol)
    for atom in mol.GetAtoms():
        atom.SetIsotope(0)
    return str(chem.MolToSmiles(chem.RemoveHs(mol)))


@pytest.mark.parametrize("smiles", SMILES)
def test_rdkit_reads_the_same_molecule(smiles: str) -> None:
    chem = pytest.importorskip("rdkit.Chem")
    mol, own = molecules(chem, smiles)
    assert own.is_valid
    assert without_isotopes(chem, chem.MolFromSmiles(own.smiles)) == without_isotopes(chem, mol)


@pytest.mark.parametrize("smiles", [s for s in SMILES if "c" in s])
def test_aromatic_bonds_have_the_key_of_the_kekule_form(smiles: str) -> None:
    chem = pytest.importorskip("rdkit.Chem")
    mol, own = molecules(chem, smiles)
    orders = {chem.BondType.SINGLE: 1, chem.BondType.DOUBLE: 2, chem.BondType.TRIPLE: 3, chem.BondType.AROMATIC: 4}
    bonds = [(b.GetBeginAtomIdx(), b.GetEndAtomIdx(), orders[b.GetBondType()]) for b in mol.GetBonds()]
    assert any(order == 4 for _, _, order in bonds)
    aromatic = unmelt.Molecule(own.symbols, own.positions, bonds, list(own.charges))
    assert (aromatic.key, aromatic.smiles, aromatic.is_valid) == (own.key, own.smiles, True)


@pytest.mark.parametrize("smiles", SMILES)
def test_aromatic_smiles_are_those_of_rdkit(smiles: str) -> None:
    chem = pytest.importorskip("rdkit.Chem")
    _, own = molecules(chem, smiles)
    assert own.to_smiles() == own.smiles
    written = own.to_smiles(aromatic=True)
    assert written == chem.MolToSmiles(chem.MolFromSmiles(smiles))
    assert ("c" in written) == any(a.GetIsAromatic() for a in chem.MolFromSmiles(smiles).GetAtoms())


def test_what_rdkit_refuses_has_no_aromatic_smiles(water: unmelt.Molecule, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("rdkit")
    wrong = unmelt.Molecule(["C", *["H"] * 6], [[k, 0, 0] for k in range(7)], [(0, k, 1) for k in range(1, 7)])
    with pytest.raises(ValueError, match="RDKit refuses the molecule"):
        wrong.to_smiles(aromatic=True)
    both = unmelt.molecules.Molecules([water, wrong])
    assert both.to_smiles(aromatic=True) == ["O", None] and both.to_smiles() == [water.smiles, wrong.smiles]
    pytest.importorskip("polars")
    assert both.table(aromatic=True)["smiles"].to_list() == ["O", None]

    def missing(name: str, package: str | None = None) -> Any:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr("importlib.import_module", missing)
    with pytest.raises(ModuleNotFoundError, match=r"unmelt\[chem\]"):
        water.to_smiles(aromatic=True)
