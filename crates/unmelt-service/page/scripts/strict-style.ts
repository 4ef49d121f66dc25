import type { Plugin } from 'vite';

const FILE = /smiles-drawer\.mjs$/;

/** What smiles-drawer writes as inline styles, and the same as attributes. */
const CHANGES: [from: string, to: string][] = [
  [
    'g.setAttributeNS(null, "style", `transform: translateX(${x}px) translateY(${y}px)`);',
    'g.setAttributeNS(null, "transform", `translate(${x} ${y})`);',
  ],
  ['this.svg.appendChild(this.style);', ''],
];

/**
 * Keeps smiles-drawer within a content security policy without inline styles. Its fonts stand in `style/parts.css`.
 * The build fails where a new version of it is written otherwise.
 */
export function strictStyle(): Plugin {
  return {
    name: 'strict-style',
    transform(code, id) {
      if (!FILE.test(id)) return null;
      return CHANGES.reduce((text, [from, to]) => {
        if (!text.includes(from)) this.error(`smiles-drawer has no longer: ${from}`);
        return text.replaceAll(from, to);
      }, code);
    },
  };
}
