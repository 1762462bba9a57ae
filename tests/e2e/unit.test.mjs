// One unit told step by step, and all maps and filters of a layer: on LeNet-5, and on GoogLeNet with its concats, pools and untrained maps.
import assert from 'node:assert/strict';
import { scenario } from './harness.mjs';
import { at, computed, engine, until, visit } from './page.mjs';

const told = (page) => at(page, 'arithmetic').locator('[data-running]');
const step = async (page) => Number(await told(page).getAttribute('data-step'));
const picture = (locator) => locator.screenshot().then((png) => png.toString('base64'));

scenario("a unit's sum grows to its value, by step, by slider and by itself", { query: '?backend=cpu&lang=en&layer=c3&unit=7,2,5', timeout: 120_000 }, async ({ page, axe, shot, calm }) => {
  await engine(page);
  await at(page, 'sample-3').click();
  await at(page, 'unit-slider').waitFor();
  // Four maps of 5×5, then sum, bias and function.
  assert.equal(await at(page, 'unit-count').innerText(), '103 / 103');
  const value = Number(await told(page).getAttribute('data-value'));
  const shown = (text) => Number(text.replace('−', '-').replace(/^.*= /, ''));
  assert.ok(Math.abs(shown(await told(page).getAttribute('data-running')) - value) < 1e-3 * (1 + Math.abs(value)), 'the last number is the value');
  await at(page, 'unit-back').click();
  await until(() => step(page), (n) => n === 102, 'a step back');
  // One product, with its numbers, and the sum so far.
  await at(page, 'unit-slider').fill('1');
  const caption = await until(() => at(page, 'unit-caption').innerText(), (text) => /×/.test(text), 'a product');
  const [, a, b, c] = caption.replaceAll('−', '-').match(/: (-?[\d.]+) × \(?(-?[\d.]+)\)? = (-?[\d.e-]+)/);
  assert.ok(Math.abs(a * b - c) < 2e-3, caption);
  await until(() => page.url(), (url) => /unit=7,2,5/.test(url), 'the address follows');
  await until(() => page.url(), (url) => /step=1(&|$)/.test(url), 'the step is in the address');
  await shot('unit one product');
  // A step touches what it changes, and what comes of it is what would be drawn anew.
  const svg = told(page).locator('svg');
  for (const to of [57, 58, 59]) {
    await at(page, 'unit-slider').fill(String(to));
    await until(() => step(page), (n) => n === to, `step ${to}`);
    if (to === 57) await svg.evaluate((drawn) => { drawn.kept = true; });
  }
  assert.ok(await svg.evaluate((drawn) => drawn.kept), 'the same drawing');
  const stepped = await svg.evaluate((drawn) => drawn.outerHTML);
  await at(page, 'panel-layer').click();
  await at(page, 'panel-inspect').click();
  await until(() => svg.evaluate((drawn) => drawn.outerHTML), (anew) => anew === stepped, 'drawn anew it is the same');
  assert.ok(await svg.evaluate((drawn) => !drawn.kept), 'this one is new');
  await at(page, 'unit-slider').fill('1');
  // By itself, and paused by the space bar.
  await at(page, 'unit-speed').selectOption('30');
  await calm('the arithmetic plays', async () => {
    await at(page, 'unit-play').click();
    await until(() => step(page), (n) => n > 5, 'it goes on by itself');
    await page.waitForTimeout(1000);
  });
  await told(page).focus();
  await page.keyboard.press(' ');
  const stopped = await step(page);
  await page.keyboard.press('ArrowLeft');
  await until(() => step(page), (n) => n <= stopped + 1 && n >= stopped - 1, 'the arrow key steps back');
  await axe();
  // The neighbouring unit by arrow keys on the map, then unit after unit.
  await at(page, 'walk').focus();
  await page.keyboard.press('ArrowDown');
  await until(() => page.url(), (url) => /unit=7,3,5/.test(url), 'the unit below');
  const maps = await at(page, 'walk').boundingBox();
  await at(page, 'walk').click({ position: { x: maps.width - 20, y: 20 } });
  await until(() => page.url(), (url) => /unit=7,0,9/.test(url), 'a click on the output map goes to its unit');
  // Backwards: the loss of the digit's own class, and another.
  await at(page, 'backward-toggle').click();
  const delta = () => at(page, 'backward-chain').getAttribute('data-delta');
  const own = await until(delta, (d) => d !== null, 'the gradient');
  await at(page, 'backward-class').selectOption('8');
  await until(delta, (d) => d !== null && d !== own, 'the gradient for another class');
  await until(() => page.url(), (url) => /backward=1/.test(url) && /class=8/.test(url), 'both in the address');
  await axe();
  await shot('unit backwards');
  await at(page, 'backward-toggle').click();
  await at(page, 'unit-course').selectOption('units');
  await calm('unit after unit plays', async () => {
    await at(page, 'unit-play').click();
    await until(async () => (await at(page, 'walk').locator('.veil').count()) > 0, Boolean, 'the map fills');
    await until(() => at(page, 'unit-play').innerText(), (text) => /Pause/.test(text), 'it plays');
    await page.waitForTimeout(600);
    await at(page, 'unit-play').click();
  });
  await until(() => page.url(), (url) => !/unit=7,0,9/.test(url) && /unit=7,/.test(url), 'and the address follows when it stops');
  await shot('unit window slides');
});

scenario('a sum and a concatenation say where each part comes from', { query: '?variant=resnet-digits&backend=cpu&lang=en&layer=layer2.0.add&unit=5,3,3', timeout: 180_000 }, async ({ page, axe, shot, url }) => {
  const texts = (kind) => at(page, 'arithmetic').locator(`svg.arithmetic text${kind}`).allTextContents().then((all) => all.join(' '));
  const lines = () => texts('.line');
  const numbers = (text) => [...text.replaceAll('−', '-').matchAll(/-?\d+(\.\d+)?(e-\d+)?/g)].map((m) => Number(m[0]));
  await engine(page);
  await at(page, 'sample-3').click();
  const sum = await until(lines, (text) => /F\(x\)/.test(text), 'the sum in the paper’s words');
  assert.match(await texts(''), /F\(x\) · residual branch stage2_1\.conv2 .*Wₛ·x · shortcut: projection stage2_1\.downsample\.0 /);
  const [a, b, c] = numbers(sum.split(' = ').slice(2, 4).join(' = '));
  assert.ok(Math.abs(a + b - c) < 2e-3, sum);
  // Backwards: what each summand gets, and a loss that is told however small it is.
  await at(page, 'backward-toggle').click();
  await until(() => at(page, 'backward').innerText(), (text) => /Loss L = \d[\d.e−]+ for class/.test(text) && !/L = 0 /.test(text), 'the loss', 30_000);
  await axe();
  await shot('unit sum');
  await page.goto(url.split('?')[0] + '?variant=googlenet-digits&backend=cpu&lang=en&layer=inception_3a&unit=30,3,3', { waitUntil: 'load' });
  await engine(page);
  await at(page, 'sample-3').click();
  await until(lines, (text) => /map 30 − 24 = map 6 of inception_3a\.3x3/.test(text), 'the map and its place in the input');
  assert.equal(await at(page, 'arithmetic').locator('rect.part').count(), 4);
  assert.match(await texts(''), /maps 0–23 .*maps 24–63 .*maps 64–79 .*maps 80–95 /);
  await axe();
  await shot('unit concatenation');
});

scenario('no other unit’s sum and no other layer’s maps stand under a heading', { query: '?variant=googlenet&backend=cpu&lang=en&layer=conv2.3x3&unit=3,20,20', timeout: 240_000 }, async ({ page }) => {
  await engine(page);
  await told(page).waitFor({ timeout: 120_000 });
  // Each frame from now on: is a sum seen that is not the selected unit's?
  const watch = () => page.evaluate(() => {
    window.__wrong = [];
    const look = () => {
      const section = document.querySelector('[data-testid=arithmetic]');
      const sum = section?.querySelector('[data-running]');
      if (sum && sum.checkVisibility({ visibilityProperty: true }) && sum.dataset.of.split(':')[0] !== section.dataset.of?.split(':')[0]) window.__wrong.push([sum.dataset.of, section.dataset.of]);
      requestAnimationFrame(look);
    };
    look();
  });
  await watch();
  const before = await told(page).getAttribute('data-of');
  await page.evaluate(() => { history.pushState(null, '', location.href.replace(/layer=[^&]*/, 'layer=inception_4a.3x3').replace(/unit=[^&]*/, 'unit=3,5,5')); dispatchEvent(new PopStateEvent('popstate')); });
  await until(() => told(page).getAttribute('data-of').catch(() => before), (of) => of !== before && of.endsWith(':3,5,5'), 'the other unit', 60_000);
  assert.deepEqual(await page.evaluate(() => window.__wrong), []);
  // The Layer tab: the canvas shows nothing until it shows this layer's maps.
  await page.getByRole('tab', { name: /Layer/ }).click();
  await until(() => at(page, 'maps-canvas').evaluate((c) => getComputedStyle(c).visibility), (v) => v === 'visible', 'maps', 60_000);
  // In every frame in which the heading names the next layer, until its maps are there, the canvas is hidden.
  const title = at(page, 'maps-view').locator('h3').first();
  const old = await title.innerText();
  await page.evaluate((old) => {
    window.__seen = [];
    const look = () => {
      const [title, canvas] = [document.querySelector('[data-testid=maps-view] h3'), document.querySelector('[data-testid=maps-canvas]')];
      if (title.innerText !== old) window.__seen.push(getComputedStyle(canvas).visibility);
      requestAnimationFrame(look);
    };
    look();
  }, old);
  await at(page, 'layer-after').click();
  await until(() => page.evaluate(() => window.__seen.at(-1)), (v) => v === 'visible', 'the next layer’s maps', 60_000);
  assert.equal(await page.evaluate(() => window.__seen[0]), 'hidden');
});

scenario('all maps of a layer, one of them large, and back to a unit', { query: '?backend=cpu&lang=en&view=layer&layer=c1', timeout: 120_000 }, async ({ page, axe, shot }) => {
  await engine(page);
  await at(page, 'sample-7').click();
  await until(() => at(page, 'dead-units').count(), (n) => n > 0, 'the layer in numbers');
  // 6 maps of 28×28: what is above zero and what is not are all there are.
  assert.match(await at(page, 'dead-units').innerText(), /of 4,704 \(/);
  assert.equal(await page.locator('[data-testid^=map-]').count(), 6);
  const blank = await picture(at(page, 'map-2'));
  await until(async () => (await picture(at(page, 'map-2'))).length, (n) => n > 600, `map 2 has a picture, not ${blank.length}`);
  // By mean: the labels do not grow.
  await at(page, 'order').selectOption({ label: 'largest mean first' });
  const means = await until(
    async () => (await page.locator('[data-testid^=map-]').allInnerTexts()).map((t) => Number(t.trim().split(/\s+/)[1].replace('−', '-'))),
    (all) => all.every((v, i) => i === 0 || all[i - 1] >= v), 'sorted by mean');
  assert.equal(means.length, 6);
  const before = await picture(at(page, 'maps-canvas'));
  await at(page, 'colours').selectOption({ index: 1 });
  await until(async () => (await picture(at(page, 'maps-canvas'))) !== before, Boolean, 'other colours');
  await at(page, 'map-4').click();
  await at(page, 'map-large').waitFor();
  await until(() => page.url(), (url) => /layer=c1&map=4/.test(url) && /order=mean/.test(url) && /colours=cividis/.test(url), 'the address has map, order, colours');
  await axe();
  await shot('layer c1 map 4');
  await at(page, 'map-large').click({ position: { x: 100, y: 60 } });
  await until(() => page.url(), (url) => /unit=4,\d+,\d+/.test(url) && !/view=layer/.test(url), 'a click on the large map tells of its unit');
  await at(page, 'unit-slider').waitFor();
});

scenario('GoogLeNet: colours, concats, pools, and only a page of maps', { query: '?variant=googlenet&backend=cpu&lang=en&view=layer&layer=conv1.7x7_s2', timeout: 240_000 }, async ({ page, axe, shot, calm }) => {
  await engine(page);
  await computed(page);
  await until(() => at(page, 'dead-units').count(), (n) => n > 0, 'conv1 in numbers', 60_000);
  await until(async () => (await picture(at(page, 'filters-coloured'))).length, (n) => n > 5_000, 'its 64 kernels in colour', 30_000);
  await shot('googlenet conv1');
  await axe();
  // Through the layers by the button, to one of many maps: no more than a page of them is there.
  await at(page, 'layer-after').click();
  await until(() => page.url(), (url) => !/layer=conv1/.test(url), 'the next layer');
  for (const layer of ['inception3a', 'maxpool3']) {
    const option = await at(page, 'layer-select').locator('option').allInnerTexts();
    const found = option.find((text) => text.toLowerCase().replace(/[_ ]/g, '').includes(layer)) ?? option.at(-3);
    await at(page, 'layer-select').selectOption({ label: found });
    await until(() => at(page, 'maps-view').locator('h3').first().innerText(), (text) => text.toLowerCase().includes(found.toLowerCase()), found, 30_000);
    await until(() => page.locator('[data-testid^=map-]').count(), (n) => n > 0 && n <= 128, 'a page of maps', 30_000);
    await calm('maps are sorted, scaled, coloured, turned over', async () => {
      await at(page, 'order').selectOption({ index: 1 });
      await at(page, 'scale').selectOption({ index: 1 });
      await at(page, 'colours').selectOption({ index: 1 });
      await at(page, 'page-after').click();
      await page.waitForTimeout(500);
    });
  }
  const map = page.locator('[data-testid^=map-]').nth(3);
  await map.click();
  await at(page, 'map-large').click({ position: { x: 90, y: 90 } });
  await at(page, 'unit-slider').waitFor({ timeout: 60_000 });
  assert.ok(Number(await at(page, 'unit-slider').getAttribute('max')) >= 1);
  await at(page, 'unit-slider').fill('1');
  await until(() => step(page), (n) => n === 1, 'its first step');
  await shot('googlenet unit');
});

const value = async (page) => Number(await told(page).getAttribute('data-value'));
// The unit of this address, once it is told: which it is, and its value.
async function unitAt(page, query, from) {
  await visit(page, query);
  await until(() => at(page, 'walk').locator('..').locator('figcaption').innerText(), (text) => from.test(text), `${query} comes from ${from}`, 30_000);
  await told(page).waitFor();
  return value(page);
}

scenario("GoogLeNet: each part of a concat, neighbours across maps, a sum of 192 maps forwards and backwards", { query: '?variant=googlenet&backend=cpu&lang=en&layer=norm1&unit=20,14,14', gpu: false, timeout: 240_000 }, async ({ page, axe, shot, calm }) => {
  await engine(page);
  await computed(page);
  await at(page, 'unit-slider').waitFor({ timeout: 60_000 });
  assert.match(await told(page).locator('svg > title').textContent(), /n = 5, k = 1, α = 1\.0e−4, β = 0\.75; Σ z² = .* k \+ α\/n · Σ z² = .* \/ [\d.]+\^0\.75 = /s, 'local response normalisation');
  const address = '?variant=googlenet&backend=cpu&lang=en&groups=inception_3a';
  // 64 maps of 1×1, 128 of 3×3, 32 of 5×5, 32 after pooling: the first of each part, and the last of all.
  for (const [map, part, own] of [[0, '1x1', 0], [64, '3x3', 0], [192, '5x5', 0], [255, 'pool_proj', 31]]) {
    const joined = await unitAt(page, `${address}&layer=inception_3a&unit=${map},10,10`, new RegExp(`${part.replace('_', '.')}.*${own}\\b.*→`, 'i'));
    const before = await unitAt(page, `${address}&layer=inception_3a.${part}&unit=${own},10,10`, new RegExp(`→.*${part.replace('_', '.')}.*${own}`, 'i'));
    assert.equal(joined, before, `map ${map} of the concat is map ${own} of ${part}`);
  }
  await visit(page, `${address}&layer=conv2.3x3&unit=100,30,30`);
  await until(() => at(page, 'walk').locator('..').locator('figcaption').innerText(), (text) => /conv2.*→.*100/i.test(text), 'the convolution', 30_000);
  await calm('a sum of 64 maps plays, and its window slides', async () => {
    await at(page, 'unit-speed').selectOption('30');
    await at(page, 'unit-slider').fill('1');
    await at(page, 'unit-play').click();
    await until(() => step(page), (n) => n > 20, 'it plays');
    await at(page, 'unit-play').click();
    await at(page, 'unit-course').selectOption('units');
    await at(page, 'unit-play').click();
    await until(() => at(page, 'walk').locator('.veil').count(), (n) => n > 0, 'the map fills');
    await page.waitForTimeout(500);
    await at(page, 'unit-play').click();
  });
  await calm('the gradient is asked for', async () => {
    await at(page, 'backward-toggle').click();
    await at(page, 'backward-chain').waitFor({ timeout: 60_000 });
  });
  assert.ok(Number.isFinite(Number(await at(page, 'backward-chain').getAttribute('data-delta'))));
  await axe();
  await shot('googlenet backwards');
});

scenario('VGG-16: the longest sum there is, 25,088 products, and a page of 4,096 units, what it looks at', { query: '?variant=vgg16&backend=cpu&lang=en&layer=classifier.0&unit=12,0,0', gpu: false, timeout: 240_000 }, async ({ page, calm, shot }) => {
  await engine(page);
  await computed(page);
  await at(page, 'unit-slider').waitFor({ timeout: 60_000 });
  const elements = await told(page).locator('svg *').count();
  assert.ok(elements < 60, `${elements} elements`);
  const all = Number(await at(page, 'unit-slider').getAttribute('max'));
  await calm('it is stepped, scrubbed and played', async () => {
    await at(page, 'unit-back').click();
    await until(() => step(page), (n) => n === all - 1, 'a step back');
    for (const to of [1, 5, all >> 1]) {
      await at(page, 'unit-slider').fill(String(to));
      await until(() => step(page), (n) => n === to, `step ${to}`);
    }
    await at(page, 'unit-speed').selectOption('30');
    await at(page, 'unit-play').click();
    await until(() => step(page), (n) => n > (all >> 1) + 10, 'it plays');
    await at(page, 'unit-play').click();
  });
  await calm('the next unit is opened', async () => {
    await at(page, 'unit-course').selectOption('units');
    await at(page, 'unit-forward').click();
    await until(() => page.url(), (url) => /unit=13,0,0/.test(url), 'the next unit');
    await page.waitForTimeout(1000);
  });
  await shot('vgg16 fc6');
  await calm('its units are shown', async () => {
    await at(page, 'panel-layer').click();
    await until(() => page.locator('[data-testid^=map-]').count(), (n) => n > 300 && n <= 512, 'a page of units', 30_000);
    await page.waitForTimeout(1000);
  });
  await at(page, 'panel-attribution').click();
  for (const method of ['gradcam', 'saliency']) {
    await calm(`${method} of 138 million parameters`, async () => {
      await at(page, `method-${method}`).click();
      await at(page, 'attribution').getByTestId('passes-ask').click();
      await until(() => at(page, 'attribution').getByTestId('passes').getAttribute('data-done'), (done) => done === 'true', method, 60_000);
    });
  }
  await shot('vgg16 saliency');
});
