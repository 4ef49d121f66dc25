import type { ComponentChildren } from 'preact';
import { useId } from 'preact/hooks';
import type { Problem } from '../api.ts';

interface FieldProps {
  label: string;
  /** Unit or range, behind the label. */
  unit?: string;
  help?: string;
  fault?: string | null;
  children: (id: string, describedBy: string | undefined) => ComponentChildren;
}

/** A control with its label, a sentence of help, and what is wrong with its value. */
export function Field({ label, unit, help, fault, children }: FieldProps) {
  const id = useId();
  const notes = help !== undefined || (fault ?? null) !== null ? id + '-note' : undefined;
  return (
    <div class={`field ${fault ? 'is-wrong' : ''}`}>
      <label for={id}>
        {label}
        {unit !== undefined && unit !== '' && <span class="unit"> {unit}</span>}
      </label>
      {children(id, notes)}
      {notes !== undefined && (
        <p class="note" id={notes} role={fault ? 'alert' : undefined}>
          {fault ?? help}
        </p>
      )}
    </div>
  );
}

interface NumberFieldProps {
  label: string;
  unit?: string;
  help?: string;
  fault?: string | null;
  value: number | null;
  placeholder?: string;
  min?: number;
  max?: number;
  step?: number | 'any';
  onChange: (value: number | null) => void;
}

export function NumberField(props: NumberFieldProps) {
  return (
    <Field label={props.label} unit={props.unit} help={props.help} fault={props.fault}>
      {(id, note) => (
        <input
          id={id}
          type="number"
          inputMode="decimal"
          value={props.value ?? ''}
          placeholder={props.placeholder}
          min={props.min}
          max={props.max}
          step={props.step ?? 1}
          aria-describedby={note}
          aria-invalid={props.fault ? true : undefined}
          onInput={(event) => {
            const { value, valueAsNumber } = event.currentTarget;
            props.onChange(value === '' ? null : valueAsNumber);
          }}
        />
      )}
    </Field>
  );
}

/** The sentence that a problem has for a field. */
export function faultOf(problem: Problem | null, field: string): string | null {
  return problem?.fields.find((fault) => fault.field === field)?.message ?? null;
}
