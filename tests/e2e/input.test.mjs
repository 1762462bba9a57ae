// What the reader does to the picture, and what follows: moved, covered, inverted, noisy, on drawings and on photographs; the table of
// what a move did; the camera; the guided start; projector mode.
import assert from 'node:assert/strict';
import { scenario } from './harness.mjs';
import { at, engine, reads, strokes, until } from './page.mjs';

const tool = (page, name) => page.getByTestId('alter').getByTestId(name);
// The pixels of a canvas of the page's own.
const pixels = (page, selector) => page.evaluate((where) => {
  const canvas = document.querySelector(where);
  const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d', { willReadFrequently: true });
  copy.drawImage(canvas, 0, 0);
  return [...copy.getImageData(0, 0, canvas.width, canvas.height).data];
}, selector);

const camera = (page) => page.locator('[data-testid=camera]:visible');

scenario('a drawn digit is moved, covered, made noisy and inverted, and all follows', { query: '?backend=cpu&lang=en' }, async ({ page, draw, shot, axe, calm }) => {
  await engine(page);
  await draw('[data-testid=pad]', strokes(3));
  await reads(page, 3);
  await at(page, 'alter').locator('summary').click();
  await tool(page, 'alter-move').click();
  const seen = '[data-testid=surface] canvas';
  const ink = async () => (await pixels(page, seen)).filter((_, i) => i % 4 === 3);
  const before = await until(ink, (values) => values.some((v) => v > 200), 'the surface shows the digit');
  await tool(page, 'alter-right').click();
  // One pixel to the right, exactly.
  await until(ink, (now) => now.every((v, i) => v === (i % 32 ? before[i - 1] : 0)), 'moved by a pixel');
  await page.getByTestId('surface').press('ArrowDown');
  await until(() => tool(page, 'alter-shift').innerText(), (text) => text === '↓1 →1 px', 'keys move too');
  // A drag: a quarter of the pad is 8 of 32 pixels.
  const box = await page.getByTestId('surface').boundingBox();
  await calm('the picture is dragged and all follows', async () => {
    await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width / 4, box.y + box.height / 2, { steps: 12 });
    await page.mouse.up();
    await until(() => tool(page, 'alter-shift').innerText(), (text) => text === '↓1 ←7 px', 'dragged');
  });
  await until(() => page.url(), (url) => /alter=move,1,-7/.test(url), 'the address has it');
  await tool(page, 'alter-reset').click();
  await until(() => page.url(), (url) => !/alter/.test(url), 'the address is plain again');
  await calm('the picture is covered, made noisy, inverted', async () => {
    await tool(page, 'alter-cover').click();
    await until(ink, (now) => now[16 * 32 + 16] === 128 && now[13 * 32 + 13] === 128, 'grey in the middle');
    await tool(page, 'alter-noise').fill('30');
    const noisy = await until(ink, (now) => now.filter((v) => v > 0).length > 400, 'noise');
    await tool(page, 'alter-seed').click();
    await until(ink, (now) => now.some((v, i) => v !== noisy[i]), 'other noise');
    await tool(page, 'alter-invert').click();
    await until(ink, (now) => now[0] > 100, 'paper is ink');
  });
  await shot('altered digit');
  await axe();
  // What is in the address comes back with a reload.
  await until(() => page.url(), (url) => /invert~cover,500,500,250~noise,30~seed,1/.test(url), 'the address');
  await page.reload();
  await engine(page);
  assert.equal(await tool(page, 'alter-noise').inputValue(), '30');
  await tool(page, 'alter-reset').click();
  await draw('[data-testid=pad]', strokes(3));
  await reads(page, 3, 'reads the digit as it is');
});

scenario('a move by one pixel: the convolution moves along, pooling by half a unit', { query: '?backend=cpu&lang=en&variant=lenet5-modern&view=shift' }, async ({ page, shot, axe }) => {
  await engine(page);
  await at(page, 'sample-8').click();
  await reads(page, 8);
  const panel = page.getByTestId('shift');
  const cells = (row) => page.locator('.shift-table tbody tr').nth(row).locator('td').allInnerTexts(); // the input, then layer by layer
  await panel.getByTestId('alter-right').click();
  const one = await until(() => cells(1), (c) => c[0] === '→1', 'the first convolution should move by one');
  assert.deepEqual([one[4], one[5]], ['0 %', '100 %'], one.join());
  assert.ok(parseFloat(one[2]) > 10);
  await panel.getByTestId('alter-right').click();
  await until(async () => (await cells(2)).join(), (c) => /^→1,.*,0 %,100 %$/.test(c), 'two pixels are one unit behind pooling');
  await shot('moved by two');
  await axe();
});

scenario('a photograph on GoogLeNet: moved by drag, covered, compared', { query: '?backend=cpu&lang=en&variant=googlenet', timeout: 120_000 }, async ({ page, shot, calm, axe }) => {
  await engine(page);
  await until(() => at(page, 'milliseconds').count(), (n) => n > 0, 'the network has answered', 60_000);
  const before = await pixels(page, '[data-testid=photo]');
  await at(page, 'alter').locator('summary').click();
  await tool(page, 'alter-move').click();
  const box = await page.getByTestId('surface').boundingBox();
  await calm('a photograph is dragged and the network follows', async () => {
    await page.mouse.move(box.x + 20, box.y + 20);
    await page.mouse.down();
    await page.mouse.move(box.x + 20 + box.width / 14, box.y + 20, { steps: 4 }); // 16 of 224 pixels
    await page.mouse.up();
    await page.waitForTimeout(1000);
  });
  const right = async () => Number((await tool(page, 'alter-shift').innerText()).match(/^→(\d+) px$/)?.[1]);
  const dragged = await until(right, (by) => Math.abs(by - 16) <= 1, 'dragged');
  // A drag ends on a pixel of the screen; keys make it exact.
  if (dragged !== 16) await page.getByTestId('surface').press(dragged < 16 ? 'ArrowRight' : 'ArrowLeft');
  await until(right, (by) => by === 16, 'moved by 16');
  const same = (now) => [0, 1, 2].every((c) => now[(100 * 224 + 116) * 4 + c] === before[(100 * 224 + 100) * 4 + c]) && now[(100 * 224 + 3) * 4] === 0;
  await until(() => pixels(page, '[data-testid=photo]'), same, 'the photograph has moved', 30_000);
  await calm('the move is measured', async () => {
    await at(page, 'alter-compare').click();
    await until(() => page.getByTestId('shift-pool3').count(), (n) => n > 0, 'compared', 60_000);
  });
  const told = await page.getByTestId('shift-pool3').locator('td').allInnerTexts();
  assert.equal(told[0], '→1', 'one unit behind four halvings');
  assert.ok(parseFloat(told[5]) > 50, `most values of pool3 merely moved: ${told}`);
  await shot('moved photograph');
  await axe();
  // Covered, made noisy and inverted: each time the network answers another picture.
  const shown = () => page.evaluate(() => document.querySelector('[data-testid=photo]').toDataURL());
  for (const change of [() => tool(page, 'alter-cover').click(), () => tool(page, 'alter-noise').fill('40'), () => tool(page, 'alter-invert').click()]) {
    const last = await shown();
    await calm('a photograph is altered', async () => {
      await change();
      await until(shown, (now) => now !== last, 'the photograph changes', 30_000);
    });
  }
});

scenario('projector mode: large type at every size, kept in the address', { query: '?backend=cpu&lang=en&mode=projector', viewport: { width: 1024, height: 768 } }, async ({ page, draw, shot, axe }) => {
  await engine(page);
  await draw('[data-testid=pad]', strokes(5));
  await reads(page, 5);
  for (const [width, height, least] of [[1024, 768, 18], [1280, 720, 20], [1920, 1080, 24]]) {
    await page.setViewportSize({ width, height });
    const [size, wide] = await page.evaluate(() => [parseFloat(getComputedStyle(document.body).fontSize), document.documentElement.scrollWidth - innerWidth]);
    assert.ok(size >= least && wide <= 1, `${width}: type of ${size} px, ${wide} px too wide`);
    await shot(`projector ${width}`);
  }
  await axe();
  await at(page, 'projector').click();
  await until(() => page.url(), (url) => !/mode=/.test(url), 'off again');
});

scenario('the guided start: at the first visit, step by step with the real controls, then never again unasked', { query: '?backend=cpu&lang=en', open: false }, async ({ page, draw, shot, axe, go }) => {
  // As for a person: a browser that is driven says so, and is left in peace.
  await page.addInitScript(() => Object.defineProperty(Navigator.prototype, 'webdriver', { get: () => false }));
  await go();
  await engine(page);
  const text = () => page.getByTestId('tour-text').innerText();
  const done = () => page.getByTestId('tour-done').innerText();
  const ticked = (what) => until(done, (t) => t.includes('✓'), what);
  const next = async () => {
    const before = await text();
    await page.getByTestId('tour-next').click();
    await until(text, (t) => t !== before, 'the next step');
  };
  await page.getByTestId('tour').waitFor();
  assert.equal(await done(), 'Try it');
  // The callout does not cover what it speaks of.
  const [callout, pad] = [await page.getByTestId('tour').boundingBox(), await at(page, 'pad').boundingBox()];
  assert.ok(callout.x >= pad.x + pad.width || callout.y >= pad.y + pad.height, 'beside the pad');
  await shot('tour');
  await axe();
  await draw('[data-testid=pad]', strokes(3));
  await ticked('a digit is drawn');
  await next();
  const card = page.locator('[data-testid=card-c1]');
  const box = await card.boundingBox();
  // The callout of the step before may still be leaving.
  for (let i = 0; i < 40 && !(await done()).includes('✓'); i++) {
    await page.mouse.move(box.x + box.width * 0.3 + (i % 2), box.y + box.height * 0.46);
    await page.waitForTimeout(150);
  }
  await ticked('a unit is pointed at');
  await next();
  await page.waitForTimeout(600); // the callout takes its place beside C1
  await page.mouse.click(box.x + box.width * 0.3, box.y + box.height * 0.46);
  await ticked('a layer is chosen');
  await next();
  await ticked('a unit is chosen');
  await shot('tour unit');
  await next();
  await at(page, 'alter').locator('summary').click();
  await tool(page, 'alter-right').click();
  await ticked('the picture is moved');
  await next();
  await at(page, 'panel-training').click();
  await at(page, 'train-play').click();
  await ticked('it trains');
  await page.getByTestId('tour-next').click();
  await page.getByTestId('tour').waitFor({ state: 'detached' });
  await at(page, 'train-pause').click();
  await page.reload();
  await engine(page);
  assert.equal(await page.getByTestId('tour').count(), 0, 'not a second time');
  // Asked for, on another paper, in Korean; Escape ends it.
  await at(page, 'family-resnet-digits').click();
  await at(page, 'language').click();
  await at(page, 'tour-again').click();
  assert.match(await text(), /[가-힣]/);
  await page.keyboard.press('Escape');
  await page.getByTestId('tour').waitFor({ state: 'detached' });
});

scenario('the camera: refused in a sentence, live when allowed, off with another picture', { query: '?backend=cpu&lang=en&variant=resnet20-cifar' }, async ({ page, context, shot, url }) => {
  await engine(page);
  await until(() => at(page, 'milliseconds').count(), (n) => n > 0, 'the network has answered', 60_000);
  const still = await pixels(page, '[data-testid=photo]');
  const session = await context.newCDPSession(page);
  const { targetInfo: { browserContextId } } = await session.send('Target.getTargetInfo');
  const may = (setting) => session.send('Browser.setPermission', { origin: new URL(url).origin, permission: { name: 'camera' }, setting, browserContextId });
  await may('denied');
  await camera(page).click();
  await page.locator('[data-fault=camera-refused]').waitFor();
  await at(page, 'dismiss').click();
  await may('granted');
  await camera(page).click();
  const first = await until(() => pixels(page, '[data-testid=photo]'), (now) => now.some((v, i) => v !== still[i]), 'a frame');
  await until(() => pixels(page, '[data-testid=photo]'), (now) => now.some((v, i) => v !== first[i]), 'frame after frame');
  await shot('camera');
  await at(page, 'photo-0').click();
  await until(() => camera(page).innerText(), (text) => text === 'Camera', 'the camera is off');
  await until(() => pixels(page, '[data-testid=photo]'), (now) => now.every((v, i) => v === still[i]), 'the photograph is back');
});

scenario('no camera over plain HTTP, and a sentence that says so', { lan: true, query: '?lang=en' }, async ({ page }) => {
  await engine(page);
  await camera(page).click();
  await page.locator('[data-fault=camera-insecure]').waitFor();
});
