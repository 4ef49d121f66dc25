"""The picture of molecules on the first page.

    python3 docs/pictures/molecules.py --unmelt target/release/unmelt

Runs `unmelt molecules generate --count 12 --output molecules.sdf` (seed 0, 100 steps, nothing filtered or chosen) and
draws the twelve molecules from the bonds of the file. Hydrogens on carbon are left out. Needs RDKit.
"""

import argparse
import pathlib
import subprocess
import tempfile

from rdkit import Chem
from rdkit.Chem import Draw, rdDepictor
from rdkit.Chem.Draw import rdMolDraw2D

HERE = pathlib.Path(__file__).parent


def flat(molecule):
    """The molecule without hydrogens on carbon, laid out in two dimensions."""
    if molecule is None:
        return Chem.MolFromSmiles("")
    molecule = Chem.RemoveHs(molecule)
    molecule.RemoveAllConformers()
    rdDepictor.Compute2DCoords(molecule)
    return rdMolDraw2D.PrepareMolForDrawing(molecule, addChiralHs=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--unmelt", default="target/release/unmelt")
    parser.add_argument("--output", type=pathlib.Path, default=HERE / "molecules.png")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "molecules.sdf"
        subprocess.run([options.unmelt, "molecules", "generate", "--count", "12", "--output", file], check=True)
        molecules = list(Chem.SDMolSupplier(str(file), removeHs=False))
    settings = rdMolDraw2D.MolDrawOptions()
    settings.prepareMolsBeforeDrawing = False
    flats = [flat(m) for m in molecules]
    image = Draw.MolsToGridImage(flats, molsPerRow=6, subImgSize=(200, 170), returnPNG=False, drawOptions=settings)
    image.save(options.output)


if __name__ == "__main__":
    main()
