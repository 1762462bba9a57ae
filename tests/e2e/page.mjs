// What scenarios of the page share: how to find its parts (the names are listed in src/ui.rs) and wait for what they say.
import assert from 'node:assert/strict';
import { DIGITS } from './harness.mjs';

export const at = (page, name) => page.getByTestId(name);

// Which engine runs, and why, once the page knows.
export async function engine(page, timeout = 60_000) {
  const badge = page.locator('[data-testid=engine-badge][data-backend]').first();
  await badge.waitFor({ timeout });
  return { backend: await badge.getAttribute('data-backend'), why: (await badge.getAttribute('data-why')).replace(/^why-/, '') };
}

// Waits until `read()` passes `good`, and returns it.
export async function until(read, good, what, timeout = 15_000) {
  const end = Date.now() + timeout;
  for (let last; ; ) {
    try {
      last = await read();
      if (good(last)) return last;
    } catch (error) {
      last = error;
    }
    if (Date.now() > end) assert.fail(`${what}: still ${last}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

// The digit that the page says it sees.
export const reads = (page, digit, what = `reads a ${digit}`, timeout = 15_000) =>
  until(async () => (await at(page, 'predicted').first().innerText()).trim().match(/\d/)?.[0], (text) => text === String(digit), what, timeout);

export const strokes = (digit) => DIGITS.find((d) => d.digit === digit).strokes;

// A number that the page shows, without its thousands' separators.
export const number = async (page, name) => Number((await at(page, name).first().innerText()).replace(/[^\d.eE+−-]/g, '').replace('−', '-'));

// Goes to an address within the page, without loading it anew.
export const visit = (page, query) => page.evaluate((to) => {
  history.pushState(null, '', to);
  dispatchEvent(new PopStateEvent('popstate'));
}, query);

// The network has answered what it was shown.
export const computed = (page) => until(() => at(page, 'milliseconds').count(), (n) => n > 0, 'the network has answered', 120_000);
