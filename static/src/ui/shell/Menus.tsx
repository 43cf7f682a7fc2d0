import * as Menu from '@radix-ui/react-dropdown-menu';
import type { ReactNode } from 'react';
import { useServices } from '../../state/context';
import { RANGES, useRange } from '../../state/view';
import { THEME_LABELS, THEMES, useTheme, type ThemeChoice } from '../../theme/theme';
import { Icon } from '../icons';

interface Choice {
  readonly id: string;
  readonly label: string;
}

interface ChoiceMenuProps {
  readonly value: string;
  readonly choices: readonly Choice[];
  readonly onChoose: (id: string) => void;
}

function ChoiceItems({ value, choices, onChoose }: ChoiceMenuProps): ReactNode {
  return (
    <Menu.RadioGroup value={value} onValueChange={onChoose}>
      {choices.map((choice) => (
        <Menu.RadioItem key={choice.id} value={choice.id} className="menu-item">
          <span className="menu-mark"><Menu.ItemIndicator><Icon name="check" size={13} /></Menu.ItemIndicator></span>
          {choice.label}
        </Menu.RadioItem>
      ))}
    </Menu.RadioGroup>
  );
}

/** The time range of the charts on this page. */
export function RangeMenu(): ReactNode {
  const [range, setRange] = useRange();
  return (
    <Menu.Root modal={false}>
      <Menu.Trigger className="control range" aria-label={`Time range: ${range.short}`}>
        <Icon name="clock" size={14} />
        {range.short}
        <Icon name="chevron" size={12} />
      </Menu.Trigger>
      <Menu.Portal>
        <Menu.Content className="menu" align="end" sideOffset={6}>
          <ChoiceItems value={range.id} choices={RANGES} onChoose={setRange} />
        </Menu.Content>
      </Menu.Portal>
    </Menu.Root>
  );
}

/** Theme, and who is signed in. */
export function UserMenu({ subject, role }: { readonly subject: string; readonly role: string }): ReactNode {
  const { session } = useServices();
  const { choice, choose } = useTheme();
  const choices = (['system', ...THEMES] as const).map((id) => ({ id, label: THEME_LABELS[id] }));
  return (
    <Menu.Root modal={false}>
      <Menu.Trigger className="control" aria-label={`Theme and account: ${subject}`}>
        <Icon name="user" size={16} />
        <span className="wide-only">{subject}</span>
      </Menu.Trigger>
      <Menu.Portal>
        <Menu.Content className="menu" align="end" sideOffset={6}>
          <Menu.Label className="menu-label">{subject}, {role}</Menu.Label>
          <Menu.Separator className="menu-line" />
          <Menu.Label className="menu-label">Theme</Menu.Label>
          <ChoiceItems value={choice} choices={choices} onChoose={(id) => choose(id as ThemeChoice)} />
          <Menu.Separator className="menu-line" />
          <Menu.Item className="menu-item" onSelect={() => void session.logout()}>
            <span className="menu-mark" />
            Sign out
          </Menu.Item>
        </Menu.Content>
      </Menu.Portal>
    </Menu.Root>
  );
}
