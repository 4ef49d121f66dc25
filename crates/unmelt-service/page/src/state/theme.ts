import { effect, signal } from '@preact/signals';

export type Theme = 'system' | 'light' | 'dark';

const KEY = 'unmelt-theme';
const stored = localStorage.getItem(KEY);
const system = matchMedia('(prefers-color-scheme: dark)');

export const theme = signal<Theme>(stored === 'light' || stored === 'dark' ? stored : 'system');
export const isDark = signal(false);

function settle() {
  isDark.value = theme.value === 'dark' || (theme.value === 'system' && system.matches);
}

system.addEventListener('change', settle);

effect(() => {
  document.documentElement.dataset.theme = theme.value;
  localStorage.setItem(KEY, theme.value);
  settle();
});
