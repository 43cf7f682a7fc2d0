import { useEffect, useMemo, useState, useSyncExternalStore, type ReactNode } from 'react';
import { applyChoice, LIGHT_PREFERRED, storedChoice, ThemeContext, type ThemeChoice } from './theme';

const media = matchMedia(LIGHT_PREFERRED);

function watchSystem(changed: () => void): () => void {
  media.addEventListener('change', changed);
  return () => media.removeEventListener('change', changed);
}

export function ThemeProvider({ children }: { readonly children: ReactNode }): ReactNode {
  const light_preferred = useSyncExternalStore(watchSystem, () => media.matches);
  const [choice, setChoice] = useState<ThemeChoice>(storedChoice);
  const theme = choice === 'system' ? (light_preferred ? 'light' : 'dark') : choice;
  useEffect(() => {
    const colour = getComputedStyle(document.documentElement).getPropertyValue('--bg').trim();
    document.querySelector('meta[name="theme-color"]')?.setAttribute('content', colour);
  }, [theme]);
  const controls = useMemo(() => ({
    theme,
    choice,
    // The charts read the variables while they render, so the document changes first.
    choose: (next: ThemeChoice): void => {
      applyChoice(next);
      setChoice(next);
    },
  }) as const, [theme, choice]);
  return <ThemeContext value={controls}>{children}</ThemeContext>;
}
