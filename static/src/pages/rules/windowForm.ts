import type { SuppressionWindow, WindowDefinition } from '../../api/policies';
import { writeSeconds } from '../../format/seconds';
import { unixMs } from '../../format/times';
import { FormReader, lines, optional, type Errors } from './conditionForm';

/** A suppression window while it is edited. `start` and `end` are in the browser's time, as its date field has them. */
export interface WindowForm {
  readonly name: string;
  readonly again: boolean;
  readonly start: string;
  readonly end: string;
  readonly cron: string;
  readonly time_zone: string;
  readonly duration_seconds: string;
  readonly metric_pattern: string;
  readonly service: string;
  readonly matchers: string;
  readonly comment: string;
}

/** Begins that people ask for. */
export const CRONS: readonly (readonly [string, string])[] = [
  ['0 2 * * *', 'every day at 02:00'], ['0 22 * * 1-5', 'weekdays at 22:00'], ['0 3 * * 0', 'Sundays at 03:00'], ['0 4 1 * *', 'the first of the month at 04:00'],
];

export function emptyWindow(now_ms: number, time_zone: string): WindowForm {
  return {
    name: '', again: false, start: dateField(now_ms), end: dateField(now_ms + 2 * 3_600_000), cron: CRONS[0]?.[0] ?? '', time_zone, duration_seconds: '2h',
    metric_pattern: '', service: '', matchers: '', comment: '',
  };
}

export function windowForm(window: SuppressionWindow, now_ms: number, time_zone: string): WindowForm {
  const empty = emptyWindow(now_ms, time_zone);
  return {
    ...empty,
    name: window.name,
    again: window.cron !== undefined,
    ...(unixMs(window.start) === null ? {} : { start: dateField(unixMs(window.start) ?? 0) }),
    ...(unixMs(window.end) === null ? {} : { end: dateField(unixMs(window.end) ?? 0) }),
    ...(window.cron === undefined ? {} : { cron: window.cron, time_zone: window.time_zone ?? 'UTC', duration_seconds: writeSeconds(window.duration_seconds ?? 0) }),
    metric_pattern: window.metric_pattern ?? '', service: window.service ?? '', matchers: (window.matchers ?? []).join(', '), comment: window.comment ?? '',
  };
}

/** The window that is meant, or what is wrong with what was typed. The hub checks the rest. */
export function readWindow(form: WindowForm): { readonly definition: WindowDefinition } | { readonly errors: Errors } {
  const errors: Record<string, string> = {};
  const reader = new FormReader('', errors);
  const matchers = lines(form.matchers);
  if (matchers.length === 0 && form.service.trim() === '' && form.metric_pattern.trim() === '') {
    errors['/matchers'] = 'Say which alerts: by labels, a service or a metric';
  }
  const definition: WindowDefinition = {
    name: reader.needed('name', form.name),
    matchers,
    ...optional('metric_pattern', form.metric_pattern.trim()), ...optional('service', form.service.trim()), ...optional('comment', form.comment.trim()),
    ...(form.again ? readAgain(form, reader) : readOnce(form, errors)),
  };
  return Object.keys(errors).length === 0 ? { definition } : { errors };
}

function readAgain(form: WindowForm, reader: FormReader): Partial<WindowDefinition> {
  return {
    cron: reader.needed('cron', form.cron), time_zone: form.time_zone, duration_seconds: reader.seconds('duration_seconds', form.duration_seconds, true),
  };
}

function readOnce(form: WindowForm, errors: Record<string, string>): Partial<WindowDefinition> {
  const moment = (name: 'start' | 'end'): string => {
    const ms = new Date(form[name]).getTime();
    if (!Number.isNaN(ms)) return new Date(ms).toISOString();
    errors[`/${name}`] = 'A date and a time are needed';
    return '';
  };
  return { start: moment('start'), end: moment('end') };
}

/** As a date field has it: `2026-11-28T13:00`, in the browser's time. */
function dateField(ms: number): string {
  const at = new Date(ms);
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}T${two(at.getHours())}:${two(at.getMinutes())}`;
}
