// What a visitor waits for, measured in the real browser: cold load to the first prediction, and a stroke to the maps on the screen.
//   node benches/page.mjs [cpu|gpu] [runs]      (after make build)
// A stroke is timed from the pointer's move to the first frame after the engine has answered with the output of that very picture: it paints
// before it answers.
import { launch } from '../tests/e2e/browser.mjs';
import { DIGITS, DIST } from '../tests/e2e/harness.mjs';
import { serve } from '../tests/e2e/server.mjs';

const [backend = 'cpu', runs = '5'] = process.argv.slice(2);
const median = (v) => [...v].sort((a, b) => a - b)[v.length >> 1];
const { browser, close } = await launch({ gpu: true });
const server = await serve(DIST);
const url = `http://localhost:${server.port}${server.base}?backend=${backend}&lang=en`;
const { strokes } = DIGITS.find((d) => d.digit === 3);
const cold = [], moves = [];
for (let run = 0; run < Number(runs); run++) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, serviceWorkers: 'block' });
  const page = await context.newPage();
  // Watches what page and worker say to each other, without touching it.
  await page.addInitScript(() => {
    const Native = window.Worker, post = Native.prototype.postMessage;
    window.__moves = []; window.__sent = [];
    window.Worker = class extends Native {
      constructor(...args) {
        super(...args);
        this.addEventListener('message', ({ data }) => {
          if (!JSON.stringify(data?.[0] ?? data, (k, v) => (ArrayBuffer.isView(v) ? 0 : v)).includes('"Output"')) return;
          const from = window.__sent.shift();
          window.__sent.length = 0; // strokes that a newer one replaced
          window.__first ??= performance.now();
          if (from) requestAnimationFrame(() => window.__moves.push(performance.now() - from));
        });
      }
    };
    window.Worker.prototype.postMessage = function (...args) { return post.apply(this, args); };
    addEventListener('pointermove', () => window.__sent.push(performance.now()), true);
  });
  await page.goto(url, { waitUntil: 'commit' });
  await page.waitForFunction(() => window.__first, null, { timeout: 120_000 });
  cold.push(await page.evaluate(() => window.__first));
  const box = await page.getByTestId('pad').boundingBox();
  const at = ([x, y]) => [box.x + (x / 280) * box.width, box.y + (y / 280) * box.height];
  await page.mouse.move(...at(strokes[0][0]));
  await page.mouse.down();
  await page.evaluate(() => { window.__moves.length = window.__sent.length = 0; });
  for (const point of strokes[0]) { await page.mouse.move(...at(point)); await page.waitForTimeout(backend === 'cpu' ? 40 : 200); }
  await page.mouse.up();
  moves.push(...(await page.evaluate(() => window.__moves)));
  await context.close();
}
const sorted = [...moves].sort((a, b) => a - b);
console.log(`${backend}: cold load to the first answer, median of ${cold.length}: ${median(cold).toFixed(0)} ms`);
console.log(`${backend}: stroke to painted maps, ${moves.length} moves: median ${median(moves).toFixed(1)} ms, 90th percentile ${sorted[Math.floor(sorted.length * 0.9)].toFixed(1)} ms`);
await server.close();
await close();
process.exit(0);
