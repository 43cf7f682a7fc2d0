import { useEffect, useEffectEvent } from 'react';

/** Whether what has the focus takes letters itself. */
export function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(input|textarea|select)$/i.test(target.tagName)
    && !(target instanceof HTMLInputElement && target.type === 'checkbox'));
}

const OPEN_OVERLAY = '[role="dialog"], [role="alertdialog"], [role="menu"]';

/** Keys of one page. They do nothing while somebody types or a dialog is open, and after `g`, which goes to another page. */
export function usePageKeys(keys: Readonly<Record<string, () => void>>): void {
  const onKey = useEffectEvent((event: KeyboardEvent) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    const action = Object.hasOwn(keys, event.key) ? keys[event.key] : undefined;
    if (action === undefined || document.querySelector(OPEN_OVERLAY) !== null) return;
    // Enter means what has the focus.
    if (event.key === 'Enter' && event.target instanceof HTMLElement && event.target.closest('a, button, summary') !== null) return;
    event.preventDefault();
    action();
  });
  useEffect(() => {
    const listener = (event: KeyboardEvent): void => onKey(event);
    document.addEventListener('keydown', listener);
    return () => document.removeEventListener('keydown', listener);
  }, []);
}
