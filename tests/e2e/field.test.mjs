// Receptive fields, theoretical and measured, the builder of stacks, and what an answer depends on; on a small and on a large network.
import assert from 'node:assert/strict';
import { scenario } from './harness.mjs';
import { at, computed, engine, number, strokes, until } from './page.mjs';

const measured = (page, panel, timeout = 60_000) => until(() => at(page, panel).locator('[data-testid=passes]').getAttribute('data-done'), (v) => v === 'true', `${panel} is measured`, timeout);
// The colours of a heat map: how many of its pixels are not grey.
const coloured = (page, id) => at(page, id).locator('canvas').evaluate((canvas) => {
  const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d', { willReadFrequently: true });
  copy.drawImage(canvas, 0, 0);
  const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
  let found = 0;
  for (let i = 0; i < data.length; i += 4) found += Math.abs(data[i] - data[i + 2]) > 12 ? 1 : 0;
  return found;
});
const value = async (page, id, text) => { await at(page, id).fill(text); await at(page, id).press('Tab'); };

scenario('LeNet-5: effective field of a unit, the table, the builder', { query: '?view=field&layer=c3&unit=2,4,5&backend=cpu&lang=en', timeout: 120_000 }, async ({ page, draw, axe, shot }) => {
  await engine(page);
  await draw('[data-testid=pad]', strokes(4));
  await measured(page, 'effective');
  assert.equal(await at(page, 'effective-field').innerText(), '14 × 14 pixels');
  const first = await coloured(page, 'effective-map');
  assert.ok(first > 100 && first <= 196, `${first} pixels of the 14 × 14`);
  await at(page, 'effective-over').selectOption('noise');
  await measured(page, 'effective');
  assert.ok(Number(await at(page, 'effective-size').getAttribute('data-side')) <= 14);
  await until(() => page.url(), (url) => /over=noise/.test(url), 'the address follows');
  // A row of the table selects its layer, everywhere.
  await at(page, 'field-s4').getByRole('button').click();
  await until(() => page.url(), (url) => /layer=s4/.test(url), 'the address has it');
  await until(() => at(page, 'effective-field').innerText(), (t) => t === '16 × 16 pixels', 'the measured field follows');
  assert.match(await at(page, 'field-passes').innerText(), /From C5 on/);
  await page.locator('.field-plot [data-layer=c1]').click();
  await until(() => page.url(), (url) => /layer=c1&|layer=c1$/.test(url), 'a bar does the same');
  // Three 3×3 and one 7×7: the paper's 27C² and 49C², and multiply-adds beyond 32 bits.
  const text = (id) => at(page, id).innerText();
  assert.match(await text('stack-built'), /7 × 7\s+27C² = 110,592\s+5,549,064,192/);
  assert.match(await text('stack-one'), /7 × 7\s+49C² = 200,704\s+10,070,523,904/);
  await at(page, 'stack-dilated').click();
  await until(() => text('stack-built'), (t) => /15 × 15/.test(t), 'dilation');
  await value(page, 'stack-stride-0', '2');
  await until(() => page.url(), (url) => /stack=64~3\.2\.1\.1~/.test(url), 'the address has the stack');
  await until(() => text('stack-one'), (t) => /27 × 27/.test(t), '3 + 2·2·2 + 2·4·2');
  await axe();
  await shot('field lenet5');
});

scenario('LeNet-5: the effective field follows training, live', { query: '?view=field&layer=c3&unit=2,4,5&backend=cpu&lang=en', gpu: false, timeout: 120_000 }, async ({ page, draw, calm, shot }) => {
  await engine(page);
  await draw('[data-testid=pad]', strokes(4));
  await measured(page, 'effective');
  const map = () => at(page, 'effective-map').locator('canvas').evaluate((canvas) => canvas.toDataURL());
  const before = await map();
  await at(page, 'panel-training').click();
  await at(page, 'train-play').click();
  await until(() => number(page, 'step'), (step) => step >= 1, 'it trains', 60_000);
  await at(page, 'panel-field').click();
  const box = await at(page, 'viewport').boundingBox();
  await calm('the engine trains and the field is measured anew', async () => {
    const seen = new Set([before]);
    // And the stage is pointed at meanwhile.
    for (let i = 0; seen.size < 4; i++) {
      assert.ok(i < 400, `${seen.size - 1} fields measured`);
      await page.mouse.move(box.x + box.width * (0.1 + (i % 40) / 50), box.y + box.height * 0.4);
      await page.waitForTimeout(50);
      seen.add(await map());
    }
  });
  await shot('effective field while training');
  await at(page, 'panel-training').click();
  await at(page, 'train-pause').click();
  assert.ok(await number(page, 'step') > 1);
});

// VGG's kind of network as well, small enough to be asked live.
for (const [name, variant] of [['LeNet-5', 'lenet5'], ['VGG for digits', 'vgg-digits']]) scenario(`${name}: what the answer depends on`, { query: `?view=attribution&variant=${variant}&backend=cpu&lang=en`, timeout: 120_000 }, async ({ page, draw, axe, calm, shot }) => {
  await engine(page);
  await draw('[data-testid=pad]', strokes(3));
  const asked = async () => {
    const ask = at(page, 'attribution').getByTestId('passes-ask');
    if (await ask.count()) await ask.click();
    await measured(page, 'attribution');
  };
  await computed(page);
  await asked();
  const maps = new Set();
  for (const method of ['saliency', 'product', 'gradcam', 'occlusion']) {
    await calm(`${method} is computed`, async () => {
      await at(page, `method-${method}`).click();
      await asked();
    });
    await until(async () => {
      const map = await at(page, 'attribution-map').locator('canvas').evaluate((canvas) => canvas.toDataURL());
      return await coloured(page, 'attribution-map') > 3 && maps.size < maps.add(map).size;
    }, Boolean, `${method}: a map in colours, unlike those before`, 30_000);
  }
  await until(() => page.url(), (url) => /method=occlusion/.test(url), 'the address follows');
  const predicted = await at(page, 'attribution-of').getAttribute('data-class');
  await at(page, 'attribution-class').selectOption(String((Number(predicted) + 5) % 10));
  await until(() => at(page, 'attribution-of').getAttribute('data-class'), (c) => c !== predicted, 'another class');
  await axe();
  await shot(`attribution ${variant}`);
});

scenario('GoogLeNet: attribution and effective field on demand, with progress and an end', { query: '?variant=googlenet&view=attribution&method=occlusion&backend=cpu&lang=en', timeout: 240_000 }, async ({ page, axe, shot, calm }) => {
  await engine(page);
  await computed(page);
  assert.ok(await at(page, 'attribution-untrained').isVisible(), 'said plainly');
  await at(page, 'attribution').getByTestId('passes-ask').click();
  const progress = at(page, 'attribution').locator('progress');
  await until(() => progress.count(), (n) => n > 0, 'it goes on', 60_000);
  await until(async () => Number(await progress.getAttribute('value').catch(() => 0)), (n) => n >= 2, 'some places are known', 120_000);
  await at(page, 'attribution').getByTestId('passes-ask').click();
  await until(() => progress.count(), (n) => n === 0, 'it was stopped');
  for (const method of ['saliency', 'gradcam']) {
    await calm(`${method} is computed`, async () => {
      await at(page, `method-${method}`).click();
      await at(page, 'attribution').getByTestId('passes-ask').click();
      await measured(page, 'attribution', 120_000);
    });
    assert.ok(await coloured(page, 'attribution-map') > 1000, method);
  }
  assert.ok(await at(page, 'attribution-of').innerText());
  await axe();
  await shot('attribution googlenet');
  await at(page, 'panel-field').click();
  assert.match(await at(page, 'effective-field').innerText(), /715 × 715 pixels\s+The theoretical field reaches far/);
  await page.locator('[data-testid^=field-inception]').first().waitFor();
  await calm('a row of the table is chosen, and the field of its unit measured', async () => {
    await at(page, 'field-conv2.3x3').getByRole('button').click();
    await until(() => at(page, 'effective-field').innerText(), (t) => /^19 × 19 pixels/.test(t), 'the field of conv2', 30_000);
    await at(page, 'effective-over').selectOption('noise');
    await at(page, 'effective').getByTestId('passes-ask').click();
    await measured(page, 'effective', 120_000);
  });
  const side = Number(await at(page, 'effective-size').getAttribute('data-side'));
  assert.ok(side > 0 && side <= 19, `${side} of 19 pixels`);
  await axe();
  await shot('effective googlenet');
});
