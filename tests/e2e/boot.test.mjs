// Never a blank page: what is said before the page's own program runs, when it cannot.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { DIST, scenario } from './harness.mjs';

const pageWasm = () => fs.readdirSync(DIST).find((name) => /^page-.*\.wasm$/.test(name));
const half = (name) => fs.readFileSync(path.join(DIST, name)).subarray(0, 5000);

// Chromium complains of preloads that it will not need then.
scenario('JavaScript switched off', { javaScript: false, allow: [/page-.*\.(js|wasm)/] }, async ({ page }) => {
  // getByText does not look inside noscript.
  await page.locator('noscript p:text("needs JavaScript")').waitFor();
  await page.locator('noscript p:text("JavaScript가 필요합니다")').waitFor();
});

scenario('a browser without WebAssembly SIMD', { open: false, allow: [/./] }, async ({ page, go }) => {
  await page.addInitScript(() => { WebAssembly.validate = () => false; });
  // Such a browser would refuse the program too.
  await page.addInitScript(() => { for (const how of ['instantiate', 'instantiateStreaming']) WebAssembly[how] = () => Promise.reject(new Error('no SIMD')); });
  await go();
  await page.getByText('no WebAssembly SIMD').waitFor();
  await page.getByText('WebAssembly SIMD가 없습니다').waitFor();
});

scenario('a program that arrives by half', { open: false, allow: [/./] }, async ({ page, server, go }) => {
  server.replace(pageWasm(), half(pageWasm()));
  await go();
  await page.getByText('could not start').waitFor();
  await page.getByText('시작하지 못했습니다').waitFor();
});

scenario('a program that is missing', { open: false, allow: [/./] }, async ({ page, server, go }) => {
  server.replace(pageWasm(), null);
  await go();
  await page.getByText('could not start').waitFor();
});

scenario('a new build replaces the old one at the next load', { serviceWorker: true, open: false, allow: [/^request failed: .*net::ERR_EMPTY_RESPONSE/] }, async ({ page, server, go }) => {
  // Two builds that differ in one file without a hash and in the worker's list of files.
  const build = (number) => {
    const list = { version: `build${number}`, files: ['index.html', 'weights/w.txt'], onUse: ['data/d.txt'] };
    const worker = fs.readFileSync(path.join(DIST, 'sw.js'), 'utf8').replace(/const build = .*;/, `const build = ${JSON.stringify(list)};`);
    server.replace('sw.js', worker);
    server.replace('index.html', `<!DOCTYPE html><link rel="icon" href="data:,"><title>build ${number}</title><script>navigator.serviceWorker.register('./sw.js', { updateViaCache: 'none' })</script>`);
    server.replace('weights/w.txt', `weights ${number}`);
    server.replace('data/d.txt', `data ${number}`);
  };
  const text = (name) => page.evaluate(async (name) => (await fetch(name)).text(), name);
  const caches = () => page.evaluate(async () => Object.fromEntries(await Promise.all((await window.caches.keys()).map(async (key) => [key, (await (await window.caches.open(key)).keys()).map(({ url }) => url.split('/receptive/')[1]).sort()]))));
  // This build's worker is in charge and has put the others' caches away.
  const settled = (number) => page.evaluate(async (mine) => {
    const tidy = async () => (await window.caches.keys()).filter((key) => key !== 'receptive-data').join() === mine;
    while (!(await tidy()) || navigator.serviceWorker.controller?.state !== 'activated') await new Promise((next) => setTimeout(next, 50));
  }, `receptive-build${number}`);

  build(1);
  await go();
  await settled(1);
  assert.deepEqual(await caches(), { 'receptive-build1': ['index.html', 'weights/w.txt'], 'receptive-data': [] }, 'data is not kept before it is used');
  assert.equal(await text('data/d.txt'), 'data 1');
  assert.deepEqual((await caches())['receptive-data'], ['data/d.txt']);

  build(2);
  await go();
  assert.equal(await page.title(), 'build 2', 'the page is asked of the server first');
  assert.equal(await text('weights/w.txt'), 'weights 2', 'and so is what has no hash, even by the old worker');
  assert.equal(await text('data/d.txt'), 'data 2', 'and the data');
  await settled(2);
  assert.deepEqual(await caches(), { 'receptive-build2': ['index.html', 'weights/w.txt'], 'receptive-data': ['data/d.txt'] });

  server.down = true;
  assert.equal(await text('weights/w.txt'), 'weights 2', 'offline');
  assert.equal(await text('data/d.txt'), 'data 2', 'offline');
  await go();
  assert.equal(await page.title(), 'build 2', 'offline');
});
