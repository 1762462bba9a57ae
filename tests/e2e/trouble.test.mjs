// What goes wrong and what is unusual: thick pens, files of another network, a download cut short, no mouse.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { DIST, scenario } from './harness.mjs';
import { at, engine, number, reads, strokes, until, visit } from './page.mjs';

const query = '?backend=cpu&lang=en';

scenario('a thick pen and a thin one', { query }, async ({ page, draw }) => {
  await engine(page);
  for (const end of ['Home', 'End']) {
    await at(page, 'pen').press(end);
    for (const digit of [0, 1, 3, 7]) {
      await draw('[data-testid=pad]', strokes(digit));
      await reads(page, digit, `pen at ${end}: reads a ${digit}`);
      await at(page, 'clear').click();
    }
  }
});

scenario('weights of another network: told by name, nothing changed', { query }, async ({ page, draw, shot }) => {
  await engine(page);
  const buffer = fs.readFileSync(`${DIST}/weights/lenet5-modern.safetensors`);
  await at(page, 'panel-training').click();
  await at(page, 'load').setInputFiles({ name: 'modern.safetensors', mimeType: 'application/octet-stream', buffer });
  await until(() => at(page, 'notice').first().textContent(), (text) => /c1\.weight/.test(text), 'the missing tensors are named');
  await shot('wrong weights');
  await at(page, 'dismiss').first().click();
  await draw('[data-testid=pad]', strokes(2));
  await reads(page, 2);
});

scenario('weights saved and loaded again', { query }, async ({ page, draw }) => {
  await engine(page);
  await at(page, 'panel-training').click();
  const [download] = await Promise.all([page.waitForEvent('download'), at(page, 'save').click()]);
  const file = await download.path();
  assert.match(download.suggestedFilename(), /\.safetensors$/);
  await at(page, 'load').setInputFiles({ name: 'mine.safetensors', mimeType: 'application/octet-stream', buffer: fs.readFileSync(file) });
  await until(() => at(page, 'origin').innerText(), (text) => text.includes('mine.safetensors'), 'the file is in use');
  await draw('[data-testid=pad]', strokes(5));
  await reads(page, 5);
});

scenario('a download of MNIST cut short says so, and the page goes on', { query, timeout: 90_000 }, async ({ page, context, draw }) => {
  await engine(page);
  await context.route('**/data/train-images*', async (route) => {
    const body = fs.readFileSync(`${DIST}/data/train-images-idx3-ubyte.gz`).subarray(0, 200_000);
    await route.fulfill({ body, contentType: 'application/gzip' });
  });
  await at(page, 'panel-training').click();
  await at(page, 'train-play').click();
  await at(page, 'notice').first().waitFor({ timeout: 30_000 });
  await at(page, 'dismiss').first().click();
  await draw('[data-testid=pad]', strokes(6));
  await until(async () => (await at(page, 'predicted').first().innerText()).match(/\d/)?.[0], Boolean, 'it still reads');
});

scenario('keyboard alone: to a unit and its arithmetic, and back', { query }, async ({ page }) => {
  await engine(page);
  await at(page, 'sample-3').press('Enter');
  await reads(page, 3);
  await at(page, 'card-c1').focus();
  await page.keyboard.press('Enter');
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('Enter');
  await until(() => at(page, 'arithmetic').locator('svg').count(), (n) => n > 0, 'the arithmetic is drawn');
  await until(() => page.url(), (url) => /unit/.test(url), 'the address has the unit');
  const deep = page.url();
  for (let i = 0; i < 3; i++) await page.keyboard.press('Escape');
  await until(() => page.url(), (url) => url !== deep && !/unit/.test(url), 'Escape goes back to the whole network');
});

scenario('the page answers while the CPU engine trains', { query, timeout: 90_000 }, async ({ page, calm }) => {
  await engine(page);
  await at(page, 'sample-3').click();
  await at(page, 'panel-training').click();
  await at(page, 'train-play').click();
  await until(() => number(page, 'step'), (step) => step >= 40, '40 steps', 60_000);
  await calm('the engine trains', () => page.waitForTimeout(3000));
  const unit = () => at(page, 'arithmetic').locator('[data-value]').getAttribute('data-value');
  await calm('it trains and a unit is told anew', async () => {
    await visit(page, `${query}&layer=c3&unit=7,2,5`);
    const first = await until(unit, Boolean, 'the unit');
    await until(unit, (now) => now !== first, 'its value follows');
    await page.waitForTimeout(2000);
  });
  await calm('it trains and all maps of a layer follow', async () => {
    await at(page, 'panel-layer').click();
    await at(page, 'dead-units').waitFor();
    await page.waitForTimeout(2000);
  });
});

scenario('a device lost while nobody asks anything of it: the page says so by itself', { query: '?backend=gpu&lang=en', timeout: 90_000, open: false }, async ({ page, context, go }) => {
  // The worker remembers its devices, so that one can be destroyed behind the engine's back.
  await context.route('**/engine-*_loader.js', async (route) => {
    const response = await route.fetch();
    const remember = `self.devices = []; const ask = GPUAdapter.prototype.requestDevice;
      GPUAdapter.prototype.requestDevice = async function (...args) { const device = await ask.apply(this, args); self.devices.push(device); return device; };`;
    await route.fulfill({ response, body: `${remember}\n${await response.text()}` });
  });
  await go();
  assert.equal((await engine(page)).backend, 'gpu');
  await page.waitForTimeout(1000);
  await page.workers()[0].evaluate(() => self.devices.forEach((device) => device.destroy()));
  await page.locator('[data-testid=engine-badge][data-backend=cpu]').first().waitFor({ timeout: 5000 });
});
