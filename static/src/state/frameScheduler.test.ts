import { expect, it } from 'vitest';
import { FRAME_BUDGET_MS, FrameScheduler } from './frameScheduler';

function harness(): { scheduler: FrameScheduler; frame: () => void; spend: (ms: number) => void } {
  let now_ms = 0;
  const queue: (() => void)[] = [];
  const scheduler = new FrameScheduler((run) => queue.push(run), () => now_ms);
  return { scheduler, frame: () => queue.shift()?.(), spend: (ms) => (now_ms += ms) };
}

it('draws each thing once per frame, however often it was asked for', () => {
  const { scheduler, frame } = harness();
  let drawn = 0;
  const draw = (): void => void (drawn += 1);
  scheduler.request(draw);
  scheduler.request(draw);
  frame();
  frame();
  expect(drawn).toBe(1);
});

it('leaves what does not fit into the budget to the next frame', () => {
  const { scheduler, frame, spend } = harness();
  const order: string[] = [];
  for (const name of ['a', 'b', 'c']) {
    scheduler.request(() => {
      order.push(name);
      spend(FRAME_BUDGET_MS * 0.6);
    });
  }
  frame();
  expect(order).toEqual(['a', 'b']);
  frame();
  expect(order).toEqual(['a', 'b', 'c']);
});

it('forgets what was cancelled', () => {
  const { scheduler, frame } = harness();
  let drawn = 0;
  const draw = (): void => void (drawn += 1);
  scheduler.request(draw);
  scheduler.cancel(draw);
  frame();
  expect(drawn).toBe(0);
});
