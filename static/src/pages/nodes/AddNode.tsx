import * as Dialog from '@radix-ui/react-dialog';
import { useState, type ReactNode } from 'react';
import { useParameter } from '../../state/view';
import { CopyButton } from '../../ui/CopyButton';
import { Icon } from '../../ui/icons';
import { agentCommand, NODE_NAME } from './agentCommand';

/** The dialog that adds a node; open with `?add=1`. */
export function AddNode(): ReactNode {
  const [add, setAdd] = useParameter('add');
  const [name, setName] = useState('web-1');
  const valid = NODE_NAME.test(name);
  const command = agentCommand(location, valid ? name : 'web-1');
  const loopback = /^(127\.|localhost|\[::1\])/.test(location.hostname);
  return (
    <Dialog.Root open={add !== null} onOpenChange={(open) => setAdd(open ? '1' : null)}>
      <Dialog.Trigger className="primary"><Icon name="plus" size={14} />Add a node</Dialog.Trigger>
      <Dialog.Portal>
        <Dialog.Overlay className="overlay" />
        <Dialog.Content className="dialog">
          <Dialog.Title>Add a node</Dialog.Title>
          <Dialog.Description>
            Run this on this host to see a second node at once. On another machine, put the token that the inner command prints in its place.
          </Dialog.Description>
          <label htmlFor="node-name">Name of the node</label>
          <input id="node-name" value={name} spellCheck={false} autoCapitalize="none" aria-invalid={!valid}
            aria-describedby="node-name-rule" onChange={(event) => setName(event.target.value)} />
          <p id="node-name-rule" className={valid ? 'muted' : 'tone-bad'}>Letters, digits, dot, dash and underscore, at most 64.</p>
          <pre className="agent-command"><code>{command}</code></pre>
          {loopback && <p className="muted">This hub listens on this host only. Start it with <code>--listen</code> for agents elsewhere.</p>}
          <div className="dialog-actions">
            <Dialog.Close>Close</Dialog.Close>
            <CopyButton text={command} label="Copy the command" />
          </div>
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
