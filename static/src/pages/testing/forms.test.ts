import { describe, expect, it } from 'vitest';
import type { FaultScenario, RunLimits } from '../../api/testing';
import { initialFault, parameterLabel, parametersText, readFault } from './faultForm';
import { INITIAL_FORM, numberFields, readChaos, readForm } from './runForm';

describe('the form of a load test', () => {
  it('has defaults that can be sent as they are, under a name of their own', () => {
    expect(readForm(INITIAL_FORM)).toEqual({
      request: { name: 'paced, 25 connections', scenario: 'paced', connections: 25, duration_s: 5, rate_hz: 10, payload_bytes: 200, wait: false },
    });
    expect(readForm({ ...INITIAL_FORM, name: '  evening ' })).toMatchObject({ request: { name: 'evening' } });
  });

  it.each([
    ['connections', '0'], ['connections', '2001'], ['connections', '2.5'], ['connections', ''], ['connections', '0x'], ['duration_s', '601'],
    ['rate_hz', '-1'], ['payload_bytes', '31'], ['name', 'x'.repeat(81)],
  ] as const)('says what is wrong with %s %o', (field, text) => {
    expect(readForm({ ...INITIAL_FORM, [field]: text })).toEqual({ errors: { [field]: expect.any(String) as string } });
  });

  it('refuses more deliveries than one machine should make', () => {
    expect(readForm({ ...INITIAL_FORM, connections: '2000', rate_hz: '1000' })).toEqual({ errors: { rate_hz: '2,000,000 deliveries/s are more than 200,000' } });
  });

  it('of chaos has bounds as well', () => {
    expect(readChaos({ reconnects: '200', connections: '20' })).toEqual({ request: { reconnects: 200, connections: 20, wait: false } });
    expect(readChaos({ reconnects: '5001', connections: 'x' })).toMatchObject({ errors: { reconnects: 'From 1 to 5,000', connections: 'A number is needed' } });
  });
});

describe('the bounds of a load test', () => {
  const limits: RunLimits = {
    connections: { min: 1, max: 50 }, duration_s: { min: 1, max: 10 }, rate_hz: { min: 1, max: 80 }, payload_bytes: { min: 32, max: 1_536 },
    reconnects: { min: 1, max: 9 },
    scenarios: [
      { name: 'paced', connections_max: 50, refusal: null }, { name: 'storm', connections_max: 20, refusal: null },
      { name: 'fanout', connections_max: 50, refusal: 'publishes too fast' },
    ],
  };

  it.each([['connections', '51'], ['duration_s', '11'], ['rate_hz', '81'], ['payload_bytes', '1537']] as const)('are those of the hub for %s', (field, text) => {
    expect(readForm({ ...INITIAL_FORM, [field]: text })).toHaveProperty('request');
    expect(readForm({ ...INITIAL_FORM, [field]: text }, limits)).toEqual({ errors: { [field]: expect.any(String) as string } });
  });

  it('depend on the scenario', () => {
    const storm = { ...INITIAL_FORM, scenario: 'storm', connections: '21' };
    expect(readForm(storm, limits)).toEqual({ errors: { connections: 'From 1 to 20' } });
    expect(numberFields(limits, 'storm')[0]).toMatchObject({ name: 'connections', min: 1, max: 20 });
    expect(readForm({ ...INITIAL_FORM, scenario: 'fanout' }, limits)).toEqual({ errors: { scenario: 'On this hub it publishes too fast' } });
  });

  it('hold for chaos reconnects', () => {
    expect(readChaos({ reconnects: '10', connections: '51' }, limits)).toEqual({ errors: { reconnects: 'From 1 to 9', connections: 'From 1 to 50' } });
  });
});

describe('the form of a fault', () => {
  const scenario: FaultScenario = {
    name: 'latency', title: 'Slow network', what: '', subsystem: 'connection', duration_s_max: 20, guard: '', metric: 'm', promise: '',
    parameters: [
      { name: 'delay_ms', unit: 'ms', kind: 'number', default: 200, min: -5, max: 3000 },
      { name: 'actor', unit: null, kind: 'text', default: null, allowed: ['topic', 'room'] },
      { name: 'topic', unit: null, kind: 'text', default: 'lab:hot', prefix: 'lab:' },
    ],
  };

  it('begins with what the hub says, and no longer than the hub allows', () => {
    expect(readFault(scenario, initialFault(scenario))).toEqual({
      request: { name: 'latency', parameters: { delay_ms: 200, actor: 'topic', topic: 'lab:hot' }, duration_s: 20 },
    });
  });

  it('says what is wrong by field', () => {
    const form = { parameters: { delay_ms: '3001', actor: 'hub', topic: 'events' }, duration_s: '21' };
    expect(readFault(scenario, form)).toEqual({
      errors: { delay_ms: 'From -5 to 3,000', actor: 'One of topic, room', topic: 'It has to begin with lab:', duration_s: 'From 1 to 20' },
    });
  });

  it('is told in words', () => {
    expect(parametersText(scenario.parameters, { delay_ms: 200, actor: 'topic' })).toBe('Delay 200 ms, Actor topic');
    const mib = { name: 'mib', unit: 'MiB', kind: 'number', default: 64 } as const;
    expect([parametersText([mib], { mib: 64 }), parameterLabel(mib)]).toEqual(['64 MiB', 'MiB']);
    expect(scenario.parameters.map(parameterLabel)).toEqual(['Delay, ms', 'Actor', 'Topic']);
  });
});
