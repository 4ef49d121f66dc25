import type { ElementRange } from './form.ts';

interface Props {
  elements: string[];
  ranges: Record<string, ElementRange>;
  onChange: (ranges: Record<string, ElementRange>) => void;
}

/** Fewest and most atoms of each element. */
export function ElementLimits({ elements, ranges, onChange }: Props) {
  const set = (element: string, end: keyof ElementRange, value: number | null) => {
    const range = { ...(ranges[element] ?? { least: null, most: null }), [end]: value };
    onChange({ ...ranges, [element]: range });
  };
  return (
    <table class="limits">
      <caption>Atoms of each element</caption>
      <thead>
        <tr>
          <td />
          <th scope="col">at least</th>
          <th scope="col">at most</th>
        </tr>
      </thead>
      <tbody>
        {elements.map((element) => (
          <tr key={element}>
            <th scope="row">
              <span class={`element is-${element}`}>{element}</span>
            </th>
            {(['least', 'most'] as const).map((end) => (
              <td key={end}>
                <input
                  type="number"
                  min={0}
                  aria-label={`${element} at ${end}`}
                  placeholder="any"
                  value={ranges[element]?.[end] ?? ''}
                  onInput={(event) => {
                    const { value, valueAsNumber } = event.currentTarget;
                    set(element, end, value === '' ? null : valueAsNumber);
                  }}
                />
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
