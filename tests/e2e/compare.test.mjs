// All networks in a table and a plot; two networks side by side on the same picture.
import assert from 'node:assert/strict';
import { scenario } from './harness.mjs';
import { at, engine, strokes, until } from './page.mjs';

scenario('the table: all networks, sorted by any column, each a link', { query: '?backend=cpu&lang=en&view=compare', gpu: false }, async ({ page, axe, shot, calm }) => {
  await engine(page);
  const rows = at(page, 'networks').locator('tbody tr');
  await until(() => rows.count(), (n) => n === 36, 'a row a network');
  const names = () => at(page, 'networks').locator('tbody th').allInnerTexts();
  assert.equal((await names())[0], 'LeNet-5');
  const cells = (await at(page, 'networks').locator('tbody tr', { hasText: 'VGG-16' }).first().locator('td').allInnerTexts()).map((t) => t.replace(/\s+/g, ' '));
  assert.deepEqual(cells.slice(0, 6), ['3×224×224', '2014', '138,357,544', '15.5 G', '16', '212']);
  assert.match(cells[7], /dense, 384 px 8\.1/);
  await calm('the panel is opened and its table sorted', async () => {
    await at(page, 'panel-inspect').click();
    await until(() => rows.count(), (n) => n === 0, 'another panel');
    await at(page, 'panel-compare').click();
    await until(() => rows.count(), (n) => n === 36, 'the table again');
    await at(page, 'sort-parameters').click();
    await at(page, 'sort-parameters').click();
  });
  const header = page.locator('th', { has: at(page, 'sort-parameters') });
  await until(() => header.getAttribute('aria-sort'), (sort) => sort === 'descending', 'sorted from the largest down');
  assert.deepEqual((await names()).slice(0, 3), ['VGG-19, batch norm', 'VGG-19', 'VGG-16, batch norm']);
  await until(() => page.url(), (url) => /sort=-parameters/.test(url), 'the address has the order');
  await at(page, 'sort-top5').click();
  await until(async () => (await names())[0], (name) => name === 'ResNet-152, stride as in the paper', 'the lowest top-5 error first');
  await shot('compare table');
  await axe();
  await page.reload();
  await until(async () => (await names())[0], (name) => name === 'ResNet-152, stride as in the paper', 'the address keeps it', 20_000);
  await at(page, 'row-lenet5-modern').click();
  await until(() => page.url(), (url) => /variant=lenet5-modern/.test(url), 'the row opens its network');
});

scenario('the plot: axes, names, keys, and a point that opens its network', { query: '?backend=cpu&lang=en&view=compare', gpu: false, dark: true }, async ({ page, axe, shot }) => {
  await engine(page);
  const spots = at(page, 'plot').locator('.spot');
  await until(() => spots.count(), (n) => n === 36, 'a point a network');
  await at(page, 'axis-0').selectOption('macs');
  await at(page, 'axis-1').selectOption('top5');
  await until(() => spots.count(), (n) => n === 29, 'a point a published error');
  await until(() => page.url(), (url) => /plot=macs,top5/.test(url), 'the address has the axes');
  await at(page, 'spot-resnet50').hover();
  assert.match(await at(page, 'spot-tip').innerText(), /ResNet-50: Multiply-adds 4\.09 G; ImageNet top-5 error, % 7\.138 \(1 crop; torchvision/);
  await shot('compare plot');
  await axe();
  // From point to point by keys; Enter follows the link.
  await at(page, 'spot-alexnet-torchvision').focus();
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('ArrowDown');
  const there = await page.evaluate(() => document.activeElement.dataset.testid);
  assert.match(there, /^spot-/);
  assert.notEqual(there, 'spot-alexnet-torchvision');
  await page.keyboard.press('Enter');
  await until(() => page.url(), (url) => url.includes(`variant=${there.slice(5)}`), 'the network of that point is open');
});

// What belongs to the second network lies in its own part of the page.
const second = (page, name) => at(page, 'beside').getByTestId(name);
const digit = async (found) => (await found.innerText()).trim();

scenario('two networks on one digit: both answers, linked patches, an engine each that ends when it is closed', { query: '?backend=cpu&lang=en&beside=resnet-digits', gpu: false }, async ({ page, draw, axe, shot, calm }) => {
  await engine(page);
  await draw('[data-testid=pad]', strokes(3));
  await until(() => digit(at(page, 'predicted').first()), (text) => text === '3', 'LeNet-5 reads a 3');
  await until(() => digit(second(page, 'predicted')), (text) => text === '3', 'ResNet reads the same 3');
  assert.match(await second(page, 'class-3').innerText(), /\d+\.\d %/);
  assert.equal(page.workers().length, 2);
  // A unit of one, its patch in both.
  const point = async (stage, card) => {
    const box = await stage.getByTestId(card).boundingBox();
    await page.mouse.move(box.x + box.width * 0.3, box.y + box.height * 0.45);
  };
  await point(page.locator('.main > .stage-section'), 'card-c3');
  await second(page, 'linked').locator('.patch').first().waitFor({ state: 'attached' });
  await shot('two networks');
  await axe();
  await at(page, 'beside').scrollIntoViewIfNeeded();
  // From afar cards are blocks: nearer, until units can be pointed at.
  await point(at(page, 'beside'), 'card-conv1');
  await page.keyboard.down('Control');
  for (let i = 0; i < 4; i++) await page.mouse.wheel(0, -240);
  await page.keyboard.up('Control');
  await page.waitForTimeout(700);
  await point(at(page, 'beside'), 'card-conv1');
  await page.locator('.main > .stage-section').getByTestId('linked').locator('.patch').first().waitFor({ state: 'attached' });
  assert.equal(await second(page, 'linked').count(), 0, 'nothing is pointed at in the first');
  // What is drawn next goes to both.
  await calm('two networks follow a pen and a pointer', async () => {
    await draw('[data-testid=pad]', strokes(7), { pause: 5 });
    await at(page, 'sample-7').click();
    await until(() => digit(second(page, 'predicted')), (text) => text === '7', 'ResNet reads the next one too');
    const box = await at(page, 'beside').getByTestId('viewport').boundingBox();
    for (let i = 0; i < 20; i++) await page.mouse.move(box.x + box.width * (0.1 + 0.04 * i), box.y + box.height * (0.3 + 0.06 * ((i * 3) % 7)));
  });
  await at(page, 'beside-close').click();
  await until(() => page.workers().length, (n) => n === 1, 'its engine has ended');
  await until(() => page.url(), (url) => !/beside/.test(url), 'the address follows');
});

scenario('two networks on one photograph, and where their parameters sit', { query: '?backend=cpu&lang=en&view=compare&variant=googlenet', gpu: false, viewport: { width: 1920, height: 1080 }, timeout: 120_000 }, async ({ page, axe, shot, calm }) => {
  await engine(page);
  await until(() => at(page, 'beside-choose').count(), (n) => n === 1, 'the menu');
  assert.equal(await at(page, 'beside-choose').locator('option[value=lenet5]').isDisabled(), true, 'what reads digits cannot be chosen');
  await at(page, 'beside-choose').selectOption('resnet18');
  await until(() => page.url(), (url) => url.includes('beside=resnet18'), 'the address says so');
  await second(page, 'milliseconds').waitFor({ timeout: 60_000 });
  await at(page, 'milliseconds').first().waitFor({ timeout: 60_000 });
  await calm('two large networks are pointed at', async () => {
    const box = await page.locator('.main > .stage-section').getByTestId('viewport').boundingBox();
    for (let i = 0; i < 20; i++) await page.mouse.move(box.x + box.width * (0.1 + 0.04 * i), box.y + box.height * (0.3 + 0.06 * ((i * 3) % 7)));
  });
  const said = await at(page, 'sits-parameters').locator('desc').textContent();
  assert.match(said, /^GoogLeNet 7 M: .*; ResNet-18 11\.7 M: /);
  await shot('where the parameters sit');
  await axe();
  // A network that reads something else cannot be shown the same picture, and the page says so.
  await page.getByTestId('family-lenet5').click();
  await at(page, 'beside-other').waitFor();
  await until(() => page.workers().length, (n) => n === 1, 'its engine has ended');
});
