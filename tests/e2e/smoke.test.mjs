// The chain from source to page works: wasm page, wasm worker, message, at a sub-path, and again without a network.
import assert from 'node:assert/strict';
import { scenario } from './harness.mjs';

const answered = (page) => page.getByText('The engine answers.').waitFor({ timeout: 20_000 });

scenario('the page starts its engine', async ({ page, shot, server }) => {
  await answered(page);
  assert.equal(await page.evaluate(async () => Boolean(await navigator.gpu?.requestAdapter())), true, 'this browser should have WebGPU');
  assert.ok(server.requests.every(({ path }) => path.startsWith('/receptive/')), 'a file was looked for outside the sub-path');
  await shot('smoke');
});

scenario('without WebGPU', { gpu: false }, async ({ page }) => {
  await answered(page);
  assert.equal(await page.evaluate(async () => Boolean(await navigator.gpu?.requestAdapter())), false, 'this browser should have no WebGPU');
});

scenario('over plain http on a LAN', { lan: true }, async ({ page }) => {
  await answered(page);
  assert.equal(await page.evaluate(() => isSecureContext || 'gpu' in navigator), false);
});

scenario('offline after the first visit', { serviceWorker: true, allow: [/^request failed: .*net::ERR_EMPTY_RESPONSE/] }, async ({ page, server, go }) => {
  await answered(page);
  await page.evaluate(() => navigator.serviceWorker.ready);
  server.down = true;
  await go();
  await answered(page);
});
