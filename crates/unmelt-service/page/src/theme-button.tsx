import { Icon, type IconName } from './parts/Icon.tsx';
import { theme, type Theme } from './state/theme.ts';

const NEXT: Record<Theme, Theme> = { system: 'light', light: 'dark', dark: 'system' };
const LOOKS: Record<Theme, { icon: IconName; label: string }> = {
  system: { icon: 'auto', label: 'Colours as the system has them' },
  light: { icon: 'sun', label: 'Light colours' },
  dark: { icon: 'moon', label: 'Dark colours' },
};

/** Light, dark, or as the system has it. */
export function ThemeButton() {
  const { icon, label } = LOOKS[theme.value];
  return (
    <button
      type="button"
      class="quiet theme"
      aria-label={label}
      title={label}
      onClick={() => (theme.value = NEXT[theme.value])}
    >
      <Icon name={icon} />
    </button>
  );
}
