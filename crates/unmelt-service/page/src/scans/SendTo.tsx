import { useEffect, useState } from 'preact/hooks';
import { api, asProblem, type Delivery, type Destination, type Problem } from '../api.ts';
import { Icon } from '../parts/Icon.tsx';
import { ProblemBox } from '../parts/ProblemBox.tsx';

const STATES: Record<Delivery['state'], string> = {
  waiting: 'waiting',
  sending: 'sending',
  sent: 'sent',
  failed: 'failed, will be tried again',
};

/** Milliseconds between two looks at what was sent. */
const PERIOD = 1500;

/** Sends a derived series to a PACS, and says how that goes. */
export function SendTo({ job }: { job: string }) {
  const [places, setPlaces] = useState<Destination[]>([]);
  const [chosen, setChosen] = useState('');
  const [deliveries, setDeliveries] = useState<Delivery[]>([]);
  const [problem, setProblem] = useState<Problem | null>(null);
  const isOpen = deliveries.some(({ state }) => state === 'waiting' || state === 'sending');

  const attempt = async (work: () => Promise<void>) => {
    try {
      await work();
      setProblem(null);
    } catch (error) {
      setProblem(asProblem(error));
    }
  };
  const look = () => attempt(async () => setDeliveries(await api.deliveries(job)));
  useEffect(() => {
    void attempt(async () => {
      const found = await api.destinations();
      setPlaces(found);
      setChosen(found[0]?.name ?? '');
    });
    void look();
  }, [job]);
  useEffect(() => {
    if (!isOpen) return;
    const timer = setInterval(() => void look(), PERIOD);
    return () => clearInterval(timer);
  }, [isOpen]);

  if (places.length === 0) return null;
  return (
    <section class="send" aria-label="Send to a PACS">
      <h2>Send to a PACS</h2>
      <div class="beside">
        <select
          aria-label="Destination"
          value={chosen}
          onChange={(event) => setChosen(event.currentTarget.value)}
        >
          {places.map(({ name, title }) => (
            <option key={name} value={name}>
              {title}
            </option>
          ))}
        </select>
        <button
          type="button"
          onClick={() =>
            void attempt(async () => {
              await api.deliver(job, chosen);
              await look();
            })
          }
        >
          <Icon name="send" />
          Send
        </button>
      </div>
      <ul aria-live="polite">
        {deliveries.map((delivery) => (
          <li key={delivery.destination}>
            {places.find(({ name }) => name === delivery.destination)?.title ?? delivery.destination}:{' '}
            {delivery.sent} of {delivery.instances} images {STATES[delivery.state]}
            {delivery.message !== null && <span class="note"> {delivery.message}</span>}
          </li>
        ))}
      </ul>
      {problem !== null && <ProblemBox problem={problem} />}
    </section>
  );
}
