import { createContext, use } from 'react';

export const THEMES = ['dark', 'light', 'ocean', 'sunset'] as const;
export type ThemeName = (typeof THEMES)[number];
/** What the person chose: a theme, or whatever the system prefers. */
export type ThemeChoice = ThemeName | 'system';

export const THEME_LABELS: Readonly<Record<ThemeChoice, string>> = {
  system: 'As the system', dark: 'Dark', light: 'Light', ocean: 'Ocean', sunset: 'Sunset',
};

const KEY = 'infrawatch.theme';

export function storedChoice(): ThemeChoice {
  try {
    const stored = localStorage.getItem(KEY);
    return THEMES.find((theme) => theme === stored) ?? 'system';
  } catch {
    return 'system';
  }
}

/** Applies the choice to the document and remembers it. */
export function applyChoice(choice: ThemeChoice): void {
  if (choice === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = choice;
  try {
    if (choice === 'system') localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, choice);
  } catch {
    // Without storage the choice holds until the page is loaded again.
  }
}

export const LIGHT_PREFERRED = '(prefers-color-scheme: light)';

export interface ThemeControls {
  /** The theme on screen. */
  readonly theme: ThemeName;
  readonly choice: ThemeChoice;
  readonly choose: (choice: ThemeChoice) => void;
}

export const ThemeContext = createContext<ThemeControls>({ theme: 'dark', choice: 'system', choose: () => undefined });

export function useTheme(): ThemeControls {
  return use(ThemeContext);
}
