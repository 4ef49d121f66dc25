interface Props {
  /** Where the picture changes from before to after, in percent from the left. */
  split: number;
  onChange: (split: number) => void;
}

/** The line between before and after; its grip can be dragged. */
export function Wipe({ split, onChange }: Props) {
  const drag = (event: PointerEvent) => {
    const stage = (event.currentTarget as HTMLElement).closest('.stage')?.getBoundingClientRect();
    if (stage === undefined || event.buttons === 0) return;
    onChange(Math.min(100, Math.max(0, (100 * (event.clientX - stage.left)) / stage.width)));
  };
  return (
    <div class="wipe-line" style={{ left: `${split}%` }} aria-hidden="true">
      <span
        class="wipe-grip"
        onPointerDown={(event) => event.currentTarget.setPointerCapture(event.pointerId)}
        onPointerMove={drag}
      >
        ‹ ›
      </span>
    </div>
  );
}
