import { Molecule } from 'openchemlib';

/** Size of a drawing in its own units, in which a bond is about 20 long; larger molecules are drawn smaller. */
const WIDTH = 150;
const HEIGHT = 115;

const OPTIONS = {
  suppressChiralText: true,
  suppressESR: true,
  suppressCIPParity: true,
  strokeWidth: 1.4,
  autoCrop: true,
  autoCropMargin: 5,
};

/** The structural formula of an SDF record, with wedges for the stereo of its positions, as the text of an SVG. */
function formula(sdf: string): string {
  const molecule = Molecule.fromMolfile(sdf);
  molecule.ensureHelperArrays(Molecule.cHelperParities);
  molecule.removeExplicitHydrogens(true);
  molecule.inventCoordinates();
  // Its style element would be refused by the content security policy; what it says stands in `parts.css`.
  return molecule.toSVG(2 * WIDTH, 2 * HEIGHT, 'structure', OPTIONS).replace(/<style>.*?<\/style>/s, '');
}

/** Lets lines and letters follow the colours of the page. */
function recolour(node: SVGElement) {
  for (const kind of ['stroke', 'fill'] as const) {
    const colour = node.getAttribute(kind);
    if (colour?.startsWith('rgb') !== true) continue;
    const isBlack = colour.replaceAll(' ', '') === 'rgb(0,0,0)';
    node.style[kind] = isBlack
      ? 'var(--ink)'
      : `color-mix(in oklab, ${colour}, var(--ink) var(--depiction-ink))`;
  }
}

function draw(sdf: string, target: SVGSVGElement) {
  const { documentElement: drawn } = new DOMParser().parseFromString(formula(sdf), 'image/svg+xml');
  const [x = 0, y = 0, width = 0, height = 0] = (drawn.getAttribute('viewBox') ?? '').split(' ').map(Number);
  const [wide, high] = [Math.max(WIDTH, width), Math.max(HEIGHT, height)];
  drawn.querySelectorAll('.event').forEach((node) => node.remove());
  target.setAttribute('viewBox', `${x + (width - wide) / 2} ${y + (height - high) / 2} ${wide} ${high}`);
  target.replaceChildren(...drawn.children);
  target.querySelectorAll<SVGElement>('*').forEach(recolour);
}

const waiting = new Map<SVGSVGElement, string>();

/** Draws what waits, one at a time, so that the page stays awake. */
function drawNext() {
  const [next] = waiting;
  if (next === undefined) return;
  const [target, sdf] = next;
  if (target.isConnected) draw(sdf, target);
  waiting.delete(target);
  if (waiting.size > 0) setTimeout(drawNext);
}

/** Draws an SDF record into an SVG element, when its turn comes. */
export function drawStructure(sdf: string, target: SVGSVGElement) {
  waiting.set(target, sdf);
  if (waiting.size === 1) setTimeout(drawNext);
}
