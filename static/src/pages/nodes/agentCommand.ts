/** Letters, digits and `. _ -`: what a node name and a shell word may both have. */
export const NODE_NAME = /^[A-Za-z0-9._-]{1,64}$/;

/**
 * The one line that starts an agent against this hub. The token comes out of the hub's own command, so no secret
 * passes the browser.
 */
export function agentCommand(page: { protocol: string; host: string }, node: string): string {
  const scheme = page.protocol === 'https:' ? 'wss' : 'ws';
  return `infrawatch agent --hub ${scheme}://${page.host} --token "$(infrawatch token --role agent --node ${node})"`;
}
