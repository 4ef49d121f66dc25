import type { Disk } from '../api.ts';
import { bytes } from '../lib/format.ts';

/** What takes the room on the disk. */
export function DiskUse({ disk }: { disk: Disk }) {
  return (
    <section aria-labelledby="disk-title">
      <h2 id="disk-title">Disk</h2>
      <p>
        {bytes(disk.free_bytes)} free of {bytes(disk.total_bytes)}
      </p>
      <meter
        min={0}
        max={disk.total_bytes}
        value={disk.total_bytes - disk.free_bytes}
        high={disk.total_bytes * 0.9}
        aria-label="Disk in use"
      />
      <dl class="facts">
        {disk.used.map(({ what, bytes: count }) => (
          <div key={what}>
            <dt>{what}</dt>
            <dd>{bytes(count)}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
