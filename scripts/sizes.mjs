// Bytes that a visitor fetches until the first prediction: the page is opened, a digit is drawn, the server's log is read.
// Knows only where to draw and where the answer appears (the test names of src/ui.rs).
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import zlib from 'node:zlib';
import { launch } from '../tests/e2e/browser.mjs';
import { serve } from '../tests/e2e/server.mjs';

const dist = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../dist');
const server = await serve(dist);
const { browser, close } = await launch();
const context = await browser.newContext({ serviceWorkers: 'block' });
const page = await context.newPage();
await page.goto(`http://localhost:${server.port}${server.base}`);
const pad = page.getByTestId('pad');
await pad.waitFor();
const box = await pad.boundingBox();
await page.mouse.move(box.x + 0.5 * box.width, box.y + 0.2 * box.height);
await page.mouse.down();
await page.mouse.move(box.x + 0.5 * box.width, box.y + 0.8 * box.height, { steps: 10 });
await page.mouse.up();
await page.getByTestId('predicted').filter({ hasText: /\d/ }).first().waitFor();
await close();
await server.close();

const fetched = server.requests.filter(({ status }) => status === 200);
const names = [...new Set(fetched.map((request) => request.path.split('?')[0].slice(server.base.length) || 'index.html'))];
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
