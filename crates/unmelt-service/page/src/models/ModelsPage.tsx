import type { Model } from '../api.ts';
import { bytes, number } from '../lib/format.ts';
import { models } from '../state/session.ts';

/** The cards of the models. */
export function ModelsPage() {
  return (
    <div class="one-part">
      <h1>Models</h1>
      <div class="cards">
        {models.value.map((model) => (
          <Card key={model.name} model={model} />
        ))}
      </div>
    </div>
  );
}

function factsOf(model: Model): [string, string][] {
  const own: [string, string][] =
    model.of === 'molecules'
      ? [
          ['Elements', model.elements.join(', ')],
          ['Atoms', `${model.atoms[0]} to ${model.atoms[1]}, hydrogens included`],
        ]
      : [
          ['Trained on', model.trained_on],
          ['Tasks', model.tasks.join(', ')],
          ['Calibrated for', model.calibrated.join(', ') || 'nothing'],
        ];
  return [
    ...own,
    ['Parameters', number(model.parameters)],
    ['Size', bytes(model.bytes)],
    ['Trained by', model.trained_by],
    ['Licence', model.licence],
    ['Digest', model.digest],
  ];
}

function Card({ model }: { model: Model }) {
  return (
    <article class="model-card">
      <h2>
        {model.name} <span class="unit">{model.of === 'molecules' ? 'molecules' : 'scans'}</span>
      </h2>
      <p>{model.description}</p>
      <dl class="facts">
        {factsOf(model).map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd class={name === 'Digest' ? 'digest' : ''}>{value}</dd>
          </div>
        ))}
      </dl>
      {model.limits.length > 0 && (
        <>
          <h3>Outside of it</h3>
          <ul class="limits-list">
            {model.limits.map((limit) => (
              <li key={limit}>{limit}</li>
            ))}
          </ul>
        </>
      )}
      {model.of === 'molecules' && model.properties.length > 0 && (
        <>
          <h3>Properties</h3>
          <div class="table-frame" tabIndex={0} role="region" aria-label={`Properties of ${model.name}`}>
            <table class="data">
              <thead>
                <tr>
                  <th scope="col">Property</th>
                  <th scope="col">Unit</th>
                  <th scope="col">Mean</th>
                  <th scope="col">Range</th>
                </tr>
              </thead>
              <tbody>
                {model.properties.map((property) => (
                  <tr key={property.name}>
                    <th scope="row">{property.label}</th>
                    <td>{property.unit}</td>
                    <td class="num">{number(property.mean)}</td>
                    <td class="num">
                      {number(property.range[0])} to {number(property.range[1])}
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        </>
      )}
      <h3>Measured</h3>
      <div class="table-frame" tabIndex={0} role="region" aria-label={`Measured numbers of ${model.name}`}>
        <table class="data">
          <tbody>
            {model.measured.map(({ name, value }) => (
              <tr key={name}>
                <th scope="row">{name.replaceAll('_', ' ')}</th>
                <td class="num">{number(value)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <details>
        <summary>How it was measured</summary>
        <p class="note">{model.protocol}</p>
      </details>
      <h3>Training data</h3>
      <p class="note">{model.data}</p>
    </article>
  );
}
