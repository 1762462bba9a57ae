// What every test of the page shares. Knows how to open, watch and operate a page, not what Receptive shows.
//
//   import { scenario } from './harness.mjs';
//   scenario('reads a drawn seven', { query: '?backend=cpu' }, async ({ page, draw, shot }) => { … });
//
// A scenario fails on its own assertions, and always on: a console error or warning, an uncaught error on the page or in its worker,
// a request to another origin, a failed request. What a scenario provokes on purpose it names in `allow`.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { launch, LAN } from './browser.mjs';
import { serve } from './server.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
export const DIST = process.env.DIST ?? path.resolve(here, '../../dist');
export const OUT = path.join(here, 'out');
export { LAN };

// One browser of each kind per test file, closed when the file's tests are done.
const browsers = new Map();
function browserWith(gpu) {
  if (!browsers.has(gpu)) browsers.set(gpu, launch({ gpu }));
  return browsers.get(gpu);
}
after(async () => {
  for (const started of browsers.values()) await (await started.catch(() => null))?.close();
});

// The test named `name`, in a fresh profile with a server of its own. Options:
//   gpu            true (default): WebGPU on SwiftShader; false: a browser that has no adapter to offer
//   lan            true: opened as http://receptive.lan:…, no secure context, so no navigator.gpu and no service worker
//   query          what follows the address, e.g. '?backend=gpu'
//   viewport       { width, height }, default 1280 × 800
//   touch, dark, locale   as the names say; locale 'en-GB' by default
//   serviceWorker  true: let it work; by default it is blocked so that each request is the page's own
//   javaScript     false: switched off
//   open           false: the body opens the page itself (go())
//   allow          regular expressions of complaints that the scenario provokes
//   timeout        in ms, default 60 000
// The body gets { page, context, server, url, go, shot, draw, axe, calm, complaints }.
export function scenario(name, options, body) {
  if (typeof options === 'function') [options, body] = [{}, options];
  const { gpu = true, lan = false, query = '', viewport = { width: 1280, height: 800 }, touch = false, dark = false, locale = 'en-GB' } = options;
  const { serviceWorker = false, javaScript = true, open = true, allow = [], timeout = 60_000 } = options;
  test(name, { timeout }, async () => {
    const { browser } = await browserWith(gpu);
    assert.ok(fs.existsSync(path.join(DIST, 'index.html')), `no page in ${DIST}: run make build`);
    const server = await serve(DIST);
    const origin = `http://${lan ? LAN : 'localhost'}:${server.port}`;
    const url = origin + server.base + query;
    const context = await browser.newContext({
      viewport, locale, hasTouch: touch, javaScriptEnabled: javaScript,
      colorScheme: dark ? 'dark' : 'light', serviceWorkers: serviceWorker ? 'allow' : 'block',
    });
    try {
      const complaints = watch(context, origin);
      const unexpected = () => complaints.filter((text) => !allow.some((pattern) => pattern.test(text)));
      const page = await context.newPage();
      const tools = {
        page, context, server, url, complaints,
        go: (more = '') => page.goto(url + more, { waitUntil: 'load' }),
        shot: (title) => shot(page, title),
        draw: (target, strokes, how) => draw(page, target, strokes, how),
        axe: (rules) => axe(page, rules),
        calm: (what, act) => calm(browser, page, what, act),
      };
      if (open) await tools.go();
      try {
        await body(tools);
      } catch (error) {
        await shot(page, `failed ${name}`).catch(() => {});
        // Often the cause of the body's own failure.
        if (unexpected().length) error.message += `\nThe browser complained:\n  ${unexpected().join('\n  ')}`;
        throw error;
      }
      assert.deepEqual(unexpected(), [], 'the browser complained');
    } finally {
      await context.close();
      await server.close();
    }
  });
}

// Collects everything that a user would find in the console or the network panel as wrong.
function watch(context, origin) {
  const complaints = [];
  // Said of the machine, of software rendering or of this harness, whatever the page does.
  const machine = /GPU stall due to ReadPixels|GL Driver Message|Service Worker registration blocked by Playwright|No available adapters/;
  context.on('console', (message) => {
    if (['error', 'warning'].includes(message.type()) && !machine.test(message.text())) {
      complaints.push(`console ${message.type()}: ${message.text()} (${message.location().url})`);
    }
  });
  context.on('weberror', (error) => complaints.push(`uncaught: ${error.error().stack ?? error.error()}`));
  context.on('request', (request) => {
    const { protocol, origin: target } = new URL(request.url());
    if (['http:', 'https:', 'ws:', 'wss:'].includes(protocol) && target !== origin) complaints.push(`request to another origin: ${request.url()}`);
  });
  context.on('requestfailed', (request) => {
    const reason = request.failure()?.errorText;
    // A request that the page itself gave up (a navigation, an AbortController) has not failed.
    if (reason !== 'net::ERR_ABORTED') complaints.push(`request failed: ${request.url()} (${reason})`);
  });
  context.on('response', (response) => {
    if (response.status() >= 400) complaints.push(`status ${response.status()}: ${response.url()}`);
  });
  return complaints;
}

// A task of the page's thread that takes longer is felt as a hitch.
const LONG = 50;

// The tasks of the page's thread while `act` runs, the longest first: { own, parts }. `own` is time on the processor in ms, not from start
// to end: on a busy machine a task of 2 ms may wait for 100, and the page can do nothing about it. `parts`: what the time went to.
export async function tasks(browser, page, act) {
  await browser.startTracing(page, { categories: ['devtools.timeline', 'disabled-by-default-devtools.timeline', 'blink.user_timing'] });
  let trace;
  try {
    await page.evaluate(() => performance.mark('page'));
    await act();
  } finally {
    trace = await browser.stopTracing();
  }
  const { traceEvents } = JSON.parse(trace.toString());
  const { pid, tid } = traceEvents.find(({ cat, name }) => cat === 'blink.user_timing' && name === 'page');
  const events = traceEvents.filter((e) => e.pid === pid && e.tid === tid && e.ph === 'X' && e.tdur > 2_000);
  const within = (a, b) => a !== b && a.ts >= b.ts && a.ts + a.dur <= b.ts + b.dur;
  const found = events.filter(({ name }) => name === 'RunTask').map((task) => {
    const parts = events.filter((e) => within(e, task)).sort((a, b) => b.tdur - a.tdur);
    return { own: task.tdur / 1000, parts: parts.slice(0, 6).map((e) => `${e.name} ${Math.round(e.tdur / 1000)}`) };
  });
  return found.sort((a, b) => b.own - a.own);
}

// Fails where a task of the page's thread takes longer than that while `act` runs.
async function calm(browser, page, what, act) {
  const found = await tasks(browser, page, act);
  const long = found.filter(({ own }) => own > LONG).map(({ own, parts }) => `${Math.round(own)} ms: ${parts.join(', ')}`);
  assert.deepEqual(long, [], `tasks over ${LONG} ms while ${what}`);
  return found;
}

// Writes tests/e2e/out/TITLE.png.
async function shot(page, title) {
  fs.mkdirSync(OUT, { recursive: true });
  const file = path.join(OUT, `${title.replace(/[^\p{L}\p{N}]+/gu, '-')}.png`);
  await page.screenshot({ path: file });
  return file;
}

// Draws strokes, [[[x, y], …], …] in a pad of 280 × 280, on an element. How:
//   input  'mouse' (default), 'touch' (needs the scenario's touch: true) or 'pen'
//   place  { x, y, size } in pad units: the whole pad is shrunk to size × size with its corner at (x, y)
//   pad    side of the pad that the strokes were recorded on, 280
//   pause  ms between points, default 0
async function draw(page, target, strokes, { input = 'mouse', place, pad = 280, pause = 0 } = {}) {
  const element = typeof target === 'string' ? page.locator(target) : target;
  await element.scrollIntoViewIfNeeded();
  const box = await element.boundingBox();
  assert.ok(box, 'the element to draw on is not visible');
  const { x, y, size } = place ?? { x: 0, y: 0, size: pad };
  const at = ([px, py]) => ({
    x: box.x + (x + (px * size) / pad) * (box.width / pad),
    y: box.y + (y + (py * size) / pad) * (box.height / pad),
  });
  const session = input === 'mouse' ? null : await page.context().newCDPSession(page);
  const mouse = (type, point, more) => session.send('Input.dispatchMouseEvent', { type, ...point, button: 'left', pointerType: 'pen', force: 0.5, ...more });
  const finger = (type, points) => session.send('Input.dispatchTouchEvent', { type, touchPoints: points });
  const pointers = {
    mouse: {
      down: async (p) => { await page.mouse.move(p.x, p.y); await page.mouse.down(); },
      move: (p) => page.mouse.move(p.x, p.y),
      up: () => page.mouse.up(),
    },
    pen: {
      down: (p) => mouse('mousePressed', p, { buttons: 1, clickCount: 1 }),
      move: (p) => mouse('mouseMoved', p, { buttons: 1 }),
      up: (p) => mouse('mouseReleased', p, { buttons: 0, clickCount: 1 }),
    },
    touch: { down: (p) => finger('touchStart', [p]), move: (p) => finger('touchMove', [p]), up: () => finger('touchEnd', []) },
  };
  const pointer = pointers[input];
  for (const stroke of strokes) {
    const points = stroke.map(at);
    await pointer.down(points[0]);
    for (const point of points.slice(1)) {
      await pointer.move(point);
      if (pause) await page.waitForTimeout(pause);
    }
    await pointer.up(points.at(-1));
  }
  await session?.detach();
}

// Fails with a list of what axe-core finds wrong for people who use a keyboard, a screen reader or high contrast.
async function axe(page, rules = {}) {
  const source = fs.readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
  await page.evaluate(source);
  const { violations } = await page.evaluate((options) => window.axe.run(document, options), { resultTypes: ['violations'], rules });
  const found = violations.flatMap(({ id, help, nodes }) => nodes.map((node) => `${id}: ${help}\n    ${node.html.slice(0, 160)}\n    ${node.failureSummary}`));
  assert.deepEqual(found, [], 'accessibility');
}

// The colour [r, g, b] of one pixel of what is on the screen.
export async function pixel(page, x, y) {
  const png = await page.screenshot({ clip: { x, y, width: 1, height: 1 } });
  return page.evaluate(async (base64) => {
    const bitmap = await createImageBitmap(await (await fetch(`data:image/png;base64,${base64}`)).blob());
    const context = new OffscreenCanvas(1, 1).getContext('2d');
    context.drawImage(bitmap, 0, 0);
    return [...context.getImageData(0, 0, 1, 1).data.slice(0, 3)];
  }, png.toString('base64'));
}

// The ten recorded digits: [{ digit, strokes }, …], strokes as draw() takes them.
export const DIGITS = JSON.parse(fs.readFileSync(path.resolve(here, '../digits.json'), 'utf8'));
