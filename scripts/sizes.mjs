// Bytes that a visitor fetches until the first prediction: the page is opened, a stroke is drawn, the server's log is read.
// Knows only that there is a pad to draw on: the first element with touch-action: none.
import fs from 'node:fs';
import path from 'node:path';
import zlib from 'node:zlib';
import { launch } from '../tests/e2e/browser.mjs';
import { serve } from '../tests/e2e/server.mjs';

const dist = path.resolve(import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname), '../dist');
const server = await serve(dist);
const { browser, close } = await launch();
const context = await browser.newContext({ serviceWorkers: 'block' });
const page = await context.newPage();
await page.goto(`http://localhost:${server.port}${server.base}`, { waitUntil: 'networkidle' });
const pad = await page.evaluateHandle(() => [...document.querySelectorAll('*')].find((e) => getComputedStyle(e).touchAction === 'none'));
const box = await pad.asElement()?.boundingBox();
if (box) {
  const at = (x, y) => page.mouse.move(box.x + x * box.width, box.y + y * box.height);
  await at(0.5, 0.2);
  await page.mouse.down();
  await at(0.5, 0.8);
  await page.mouse.up();
}
await page.waitForLoadState('networkidle');
await close();
await server.close();

const names = [...new Set(server.requests.map((request) => request.path.split('?')[0].slice(server.base.length) || 'index.html'))];
const rows = names.map((name) => {
  const bytes = fs.readFileSync(path.join(dist, name));
  const brotli = zlib.brotliCompressSync(bytes, { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 11, [zlib.constants.BROTLI_PARAM_SIZE_HINT]: bytes.length } });
  return [name, bytes.length, zlib.gzipSync(bytes, { level: 9 }).length, brotli.length];
});
rows.sort((a, b) => b[1] - a[1]);
rows.push(['total', ...[1, 2, 3].map((column) => rows.reduce((sum, row) => sum + row[column], 0))]);
const line = ([name, ...numbers]) => console.log(name.padEnd(40), ...numbers.map((n) => String(n).padStart(9)));
line(['file', 'raw', 'gzip', 'brotli']);
rows.forEach(line);
if (!box) console.log('(no pad to draw on was found: this is what opening the page fetches)');
