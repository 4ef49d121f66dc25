import type { MoleculeResult, ModelProperty, MoleculeRole } from '../api.ts';
import { number } from '../lib/format.ts';
import { Icon } from '../parts/Icon.tsx';
import { Viewer } from '../parts/Viewer.tsx';
import { faultOf, Formula } from './Gallery.tsx';

interface Props {
  molecule: MoleculeResult;
  properties: ModelProperty[];
  targets: Record<string, number>;
  roles: MoleculeRole[];
  onUse: (molecule: MoleculeResult, role: MoleculeRole) => void;
}

/** One molecule in three dimensions, with its numbers. */
export function Inspector({ molecule, properties, targets, roles, onUse }: Props) {
  const rows = properties.filter(({ name }) => name in molecule.properties);
  return (
    <section class="inspector" aria-label={`Molecule ${molecule.number}`}>
      <Viewer
        records={[molecule.sdf]}
        label={`Molecule ${molecule.number}, ${molecule.formula}, in three dimensions`}
      />
      <div class="inspector-text">
        <h2>
          <Formula text={molecule.formula} /> <span class="unit">no. {molecule.number}</span>
        </h2>
        <p class="smiles">{molecule.smiles}</p>
        <dl class="numbers">
          <div>
            <dt>Atoms</dt>
            <dd>{molecule.atoms}</dd>
          </div>
          <div>
            <dt>Rings</dt>
            <dd>{molecule.rings}</dd>
          </div>
          <div>
            <dt>Structure</dt>
            <dd>{molecule.valid && molecule.connected ? 'valid' : faultOf(molecule)}</dd>
          </div>
          {rows.map(({ name, label, unit }) => (
            <div key={name}>
              <dt>{label}</dt>
              <dd>
                {number(molecule.properties[name] ?? NaN)} {unit}
                {targets[name] !== undefined && <span class="aimed"> aim {number(targets[name])}</span>}
              </dd>
            </div>
          ))}
        </dl>
        {rows.length > 0 && <p class="note">Properties are estimates of the model.</p>}
        <div class="actions">
          {roles.includes('vary') && (
            <button type="button" onClick={() => onUse(molecule, 'vary')}>
              <Icon name="more" />
              More like this
            </button>
          )}
          {roles.includes('scaffold') && (
            <button type="button" class="quiet" onClick={() => onUse(molecule, 'scaffold')}>
              Use as scaffold
            </button>
          )}
        </div>
      </div>
    </section>
  );
}
