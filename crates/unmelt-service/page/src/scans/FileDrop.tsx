import { useState } from 'preact/hooks';
import { api, asProblem, type Problem } from '../api.ts';
import { Icon } from '../parts/Icon.tsx';
import { ProblemBox } from '../parts/ProblemBox.tsx';
import { filesOf, packageOf } from './files.ts';
import type { Sent } from './form.ts';

interface Props {
  label: string;
  hint: string;
  sent: Sent | null;
  isSmall?: boolean;
  /** Whether a folder may be chosen. */
  takesFolder?: boolean;
  onSent: (sent: Sent) => void;
}

/** A place to drop a scan on, or to choose it by. */
export function FileDrop({ label, hint, sent, isSmall = false, takesFolder = false, onSent }: Props) {
  const [isOver, setOver] = useState(false);
  const [working, setWorking] = useState<string | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);

  const take = async (files: File[]) => {
    if (files.length === 0) return;
    setProblem(null);
    setWorking('Reading');
    try {
      const { label: name, ...pack } = await packageOf(files);
      setWorking('Sending');
      onSent({ label: name, upload: await api.upload(pack.name, pack.body, pack.type) });
    } catch (error) {
      setProblem(asProblem(error));
    }
    setWorking(null);
  };

  return (
    <div
      class={`drop ${isOver ? 'is-over' : ''} ${isSmall ? 'is-small' : ''} ${sent === null ? '' : 'is-filled'}`}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        event.preventDefault();
        setOver(false);
        if (event.dataTransfer !== null) void filesOf(event.dataTransfer).then(take);
      }}
    >
      {!isSmall && <Icon name="upload" />}
      <p class="drop-label" aria-live="polite">
        {working ?? (sent === null ? label : sent.label)}
      </p>
      <p class="note">{hint}</p>
      <div class="drop-buttons">
        <label class="file-button">
          <input
            type="file"
            class="unseen"
            multiple
            aria-label={label}
            onChange={(event) => void take([...(event.currentTarget.files ?? [])])}
          />
          <span>{sent === null ? 'Choose file' : 'Choose another'}</span>
        </label>
        {takesFolder && (
          <label class="file-button">
            <input
              type="file"
              class="unseen"
              aria-label={`${label}: a folder`}
              ref={(input) => input?.setAttribute('webkitdirectory', '')}
              onChange={(event) => void take([...(event.currentTarget.files ?? [])])}
            />
            <span>Choose folder</span>
          </label>
        )}
      </div>
      {problem !== null && <ProblemBox problem={problem} />}
    </div>
  );
}
