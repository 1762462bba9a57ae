// The chain from source to page works: wasm page, wasm worker, messages, at a sub-path, and again without a network; and the page
// says which engine runs, and why, whatever the browser offers.
import assert from 'node:assert/strict';
import { engine } from './page.mjs';
import { scenario } from './harness.mjs';

const gpu = (page) => page.evaluate(async () => Boolean(await navigator.gpu?.requestAdapter()));

scenario('a software adapter: the page computes on the CPU engine and says so', async ({ page, shot, server }) => {
  assert.deepEqual(await engine(page), { backend: 'cpu', why: 'software' });
  assert.equal(await gpu(page), true, 'this browser should have WebGPU');
  assert.ok(server.requests.every(({ path }) => path.startsWith('/receptive/')), 'a file was looked for outside the sub-path');
  await shot('smoke');
});

scenario('the GPU engine where the address asks for it', { query: '?backend=gpu', timeout: 120_000 }, async ({ page }) => {
  assert.deepEqual(await engine(page), { backend: 'gpu', why: 'asked' });
});

scenario('without WebGPU', { gpu: false }, async ({ page }) => {
  const { backend, why } = await engine(page);
  assert.equal(backend, 'cpu');
  assert.match(why, /^no-(webgpu|adapter)$/);
});

scenario('over plain http on a LAN', { lan: true }, async ({ page }) => {
  assert.deepEqual(await engine(page), { backend: 'cpu', why: 'insecure' });
  assert.equal(await page.evaluate(() => isSecureContext || 'gpu' in navigator), false);
});

scenario('offline after the first visit', { serviceWorker: true, allow: [/^request failed: .*net::ERR_EMPTY_RESPONSE/] }, async ({ page, server, go }) => {
  await engine(page);
  await page.evaluate(() => navigator.serviceWorker.ready);
  server.down = true;
  await go();
  await engine(page);
});
