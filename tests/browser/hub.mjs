import { spawn, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const BIN = process.env.INFRAWATCH_BIN;
if (BIN === undefined) throw new Error('INFRAWATCH_BIN has to name the infrawatch binary under test');

const START_LIMIT_MS = 15_000;
const STOP_LIMIT_MS = 10_000;

/** A hub of its own on a free port, with its own data directory. */
export class Hub {
  #process = null;
  #log = [];
  address = '127.0.0.1:0';
  login_url = '';
  data_dir = mkdtempSync(join(tmpdir(), 'infrawatch-browser-'));

  /** `options`: further ones of `infrawatch serve`. */
  constructor(...options) {
    this.options = options;
  }

  /** The rules of a fresh hub are left out: what they find on this machine is nobody's business in a test of alerts. */
  withoutRules() {
    const settings = join(this.data_dir, 'settings.toml');
    writeFileSync(settings, '[alert]\nseeds = false\n');
    this.options.push('--config', settings);
    return this;
  }

  /** Starts the hub; after a stop it comes back on the same port with the same data. */
  async start() {
    const child = spawn(BIN, ['serve', '--listen', this.address, '--data-dir', this.data_dir, '--log-format', 'json', ...this.options], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#process = child;
    child.stderr.on('data', (chunk) => this.#log.push(String(chunk)));
    const lines = createInterface({ input: child.stdout });
    const first = await Promise.race([
      once(lines, 'line').then(([line]) => line),
      once(child, 'exit').then(([code]) => Promise.reject(new Error(`the hub ended with ${code}:\n${this.log()}`))),
      deadline(START_LIMIT_MS, 'the hub did not say that it listens'),
    ]);
    lines.on('line', (line) => this.#log.push(line));
    const listening = JSON.parse(first);
    if (listening.event !== 'listening') throw new Error(`the first line is not the listening event: ${first}`);
    this.address = listening.address;
    this.login_url = listening.login_url;
  }

  async stop() {
    await end(this.#process);
    this.#process = null;
  }

  async dispose() {
    await this.stop();
    rmSync(this.data_dir, { recursive: true, force: true });
  }

  log() {
    return this.#log.slice(-40).join('\n');
  }

  url(path = '/') {
    return `http://${this.address}${path}`;
  }

  /** Adds a person; the password is the name thrice. */
  addUser(name, role) {
    execFileSync(BIN, ['user', 'add', name, '--role', role, '--data-dir', this.data_dir], { input: `${name.repeat(3)}\n`, stdio: ['pipe', 'ignore', 'inherit'] });
  }

  /** Starts an agent for `node` against this hub; returns the function that stops it. */
  startAgent(node) {
    const token = execFileSync(BIN, ['token', '--data-dir', this.data_dir, '--role', 'agent', '--node', node], { encoding: 'utf8' }).trim();
    const child = spawn(BIN, ['agent', '--hub', `ws://${this.address}`, '--token', token, '--spool-dir', `${this.data_dir}/spool-${node}`], {
      // A spool of its own: another agent of the same node may run on this machine.
      cwd: this.data_dir,
      stdio: 'ignore',
    });
    return () => end(child);
  }
}

async function end(child) {
  if (child === null || child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGTERM');
  await Promise.race([gone, deadline(STOP_LIMIT_MS, 'a process did not stop on SIGTERM')]).catch((error) => {
    child.kill('SIGKILL');
    throw error;
  });
}

function deadline(limit_ms, message) {
  return new Promise((_, reject) => {
    setTimeout(() => reject(new Error(message)), limit_ms).unref();
  });
}
