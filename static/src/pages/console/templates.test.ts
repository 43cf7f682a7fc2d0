import { expect, it } from 'vitest';
import { frameWarning, TEMPLATES, templateText } from './templates';

it('every template is a frame, and what is none is said to be none', () => {
  for (const { frame } of TEMPLATES) expect(frameWarning(templateText(frame))).toBeNull();
  for (const written of ['', '{', '[]', '3', 'null', '{}', '{"type":""}', '{"type":4}']) expect(frameWarning(written)).toEqual(expect.any(String));
});
