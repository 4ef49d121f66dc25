import { useState } from 'preact/hooks';
import type { Commands } from '../lib/commands.ts';
import { Choice } from './Choice.tsx';
import { Icon } from './Icon.tsx';

const WAYS = [
  { value: 'python', label: 'Python' },
  { value: 'shell', label: 'Command line' },
  { value: 'curl', label: 'curl' },
] as const;

/** The same request as a text to copy. */
export function CopyAs({ commands }: { commands: Commands }) {
  const [way, setWay] = useState<keyof Commands>('python');
  const [isCopied, setCopied] = useState(false);
  const copy = async () => {
    await navigator.clipboard.writeText(commands[way]);
    setCopied(true);
    setTimeout(() => setCopied(false), 2000);
  };
  return (
    <details class="copy-as">
      <summary>Copy as code</summary>
      <Choice label="Language" isLabelHidden value={way} options={WAYS} onChange={setWay} />
      <div class="code">
        <pre tabIndex={0} aria-label="Code">
          {commands[way]}
        </pre>
        <button type="button" class="quiet" onClick={() => void copy()}>
          <Icon name={isCopied ? 'check' : 'copy'} />
          {isCopied ? 'Copied' : 'Copy'}
        </button>
      </div>
    </details>
  );
}
