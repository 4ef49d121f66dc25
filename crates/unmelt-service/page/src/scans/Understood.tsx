import type { SeriesUnderstood, Upload } from '../api.ts';
import { bytes, counted, number } from '../lib/format.ts';

interface Props {
  upload: Upload;
  series: number;
  onChange: (series: number) => void;
}

/** What the program read out of the files. */
export function Understood({ upload, series, onChange }: Props) {
  const { understood } = upload;
  if (understood.kind !== 'volume') {
    return <p class="warning">This file holds molecules, not a scan.</p>;
  }
  const chosen = understood.series.find((one) => one.number === series) ?? understood.series[0];
  return (
    <section class="understood" aria-label="What was understood">
      {understood.series.length > 1 && (
        <label class="field">
          Series
          <select value={series} onChange={(event) => onChange(Number(event.currentTarget.value))}>
            {understood.series.map((one) => (
              <option key={one.number} value={one.number}>
                {one.description} ({one.instances})
              </option>
            ))}
          </select>
        </label>
      )}
      {chosen !== undefined && <Facts series={chosen} format={understood.format} size={upload.bytes} />}
      {understood.warnings.map((warning) => (
        <p class="warning" key={warning}>
          {warning}
        </p>
      ))}
    </section>
  );
}

function Facts({
  series,
  format,
  size,
}: {
  series: SeriesUnderstood;
  format: 'nifti' | 'dicom';
  size: number;
}) {
  const rows: [string, string][] = [
    [
      'Format',
      `${format === 'nifti' ? 'NIfTI' : `DICOM, ${counted(series.instances, 'image')}`}, ${bytes(size)}`,
    ],
    ['Voxels', series.shape.join(' × ')],
    ['Spacing', `${series.spacing_mm.map((mm) => mm.toFixed(2)).join(' × ')} mm`],
    ['Stored as', series.orientation],
    ['Modality', [series.modality, series.contrast].filter((part) => part !== null).join(', ') || 'not said'],
    ['Intensities', series.intensity_range.map(number).join(' to ')],
  ];
  if (series.noise !== null) {
    rows.push(['Noise', `σ ${number(series.noise.sigma)}, ${series.noise.rician ? 'Rician' : 'Gaussian'}`]);
  }
  return (
    <dl class="facts">
      {rows.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
