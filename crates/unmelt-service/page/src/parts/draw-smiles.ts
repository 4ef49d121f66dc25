import SmilesDrawer from 'smiles-drawer';

const COLOURS = {
  light: {
    C: '#1d2b33',
    O: '#c23a2b',
    N: '#2a55c4',
    F: '#3a7d22',
    CL: '#3a7d22',
    BR: '#8a4b1f',
    I: '#6a2a9a',
    S: '#8a6a00',
    P: '#b5651d',
    B: '#9a5a40',
    SI: '#6b7480',
    H: '#5b6a72',
    BACKGROUND: '#ffffff',
  },
  dark: {
    C: '#dfe8ec',
    O: '#ff8a7a',
    N: '#8db2ff',
    F: '#8fd070',
    CL: '#8fd070',
    BR: '#e0a070',
    I: '#c79bf0',
    S: '#e6c84a',
    P: '#f0b070',
    B: '#e0a890',
    SI: '#a8b2bc',
    H: '#a9b6bd',
    BACKGROUND: '#141c20',
  },
};

const drawer = new SmilesDrawer.SvgDrawer({
  width: 220,
  height: 170,
  bondThickness: 1.3,
  padding: 8,
  compactDrawing: false,
  themes: COLOURS,
});

/** Draws a SMILES into an SVG element; a SMILES that cannot be drawn stands there as text. */
export function drawSmiles(smiles: string, target: SVGSVGElement, isDark: boolean) {
  target.replaceChildren();
  const fail = () => {
    const text = document.createElementNS('http://www.w3.org/2000/svg', 'text');
    text.setAttribute('x', '110');
    text.setAttribute('y', '88');
    text.setAttribute('text-anchor', 'middle');
    text.setAttribute('class', 'no-drawing');
    text.textContent = smiles;
    target.append(text);
  };
  SmilesDrawer.parse(smiles, (tree) => drawer.draw(tree, target, isDark ? 'dark' : 'light'), fail);
}
