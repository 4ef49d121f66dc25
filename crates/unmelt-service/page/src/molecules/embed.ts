import { ConformerGenerator, ForceFieldMMFF94, Molecule, Resources } from 'openchemlib';

let resources: Promise<void> | null = null;

function read(smiles: string): Molecule {
  try {
    return Molecule.fromSmiles(smiles);
  } catch (error) {
    const reason = error instanceof Error ? error.message.replace(/^.*SmilesParser: /, '') : '';
    throw new Error(`This is no SMILES: ${reason}`, { cause: error });
  }
}

/**
 * An SDF record of a SMILES, with hydrogens: one conformer of likely torsions, relaxed by the force field MMFF94s+. The same
 * SMILES gives the same record.
 *
 * Throws a sentence where the text is no SMILES, or where no geometry is found.
 */
export async function embed(smiles: string): Promise<string> {
  const molecule = read(smiles);
  resources ??= Resources.registerFromUrl();
  await resources;
  const conformer = new ConformerGenerator(0).getOneConformerAsMolecule(molecule);
  if (conformer === null) throw new Error('No geometry was found for this SMILES.');
  new ForceFieldMMFF94(conformer, ForceFieldMMFF94.MMFF94SPLUS).minimise();
  conformer.setName(smiles);
  return `${conformer.toMolfile()}$$$$\n`;
}
