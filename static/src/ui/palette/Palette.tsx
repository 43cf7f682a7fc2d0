import * as Dialog from '@radix-ui/react-dialog';
import { lazy, Suspense, type ReactNode } from 'react';

/** Loaded when it is opened first: whoever never asks pays nothing for it. */
const PaletteList = lazy(() => import('./PaletteList'));

interface PaletteProps {
  readonly open: boolean;
  readonly onOpenChange: (open: boolean) => void;
  readonly showKeys: () => void;
}

/** Goes anywhere and does anything by a few letters. */
export function Palette({ open, onOpenChange, showKeys }: PaletteProps): ReactNode {
  return (
    <Dialog.Root open={open} onOpenChange={onOpenChange}>
      <Dialog.Portal>
        <Dialog.Overlay className="overlay" />
        <Dialog.Content className="dialog palette" aria-describedby={undefined}>
          <Dialog.Title className="visually-hidden">Go to, or do</Dialog.Title>
          <Suspense fallback={<div className="skeleton" role="status" aria-label="Loading"><span /><span /></div>}>
            <PaletteList close={() => onOpenChange(false)} showKeys={showKeys} />
          </Suspense>
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
