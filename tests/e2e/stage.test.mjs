// The stage: zoomed, panned, walked; maps painted where they are in view; groups opened and closed; strip; files.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { scenario } from './harness.mjs';
import { at, computed, engine, until } from './page.mjs';

// Records what the page tells the engine to paint on the stage: { size, rects }, newest last.
const recordPaints = (page) => page.addInitScript(() => {
  window.__paints = [];
  const post = Worker.prototype.postMessage;
  Worker.prototype.postMessage = function (message, ...rest) {
    for (const part of Array.isArray(message) ? message : [message]) {
      if (part?.Paint && [0, 100].includes(part.Paint.canvas)) window.__paints.push(part.Paint);
    }
    return post.call(this, message, ...rest);
  };
});
const transform = (page) => at(page, 'stage').evaluate((e) => new DOMMatrix(getComputedStyle(e).transform)).then(({ a, e, f }) => ({ zoom: a, x: e, y: f }));
const level = (page) => at(page, 'viewport').getAttribute('data-level');
// Nothing has been sent to be painted for a while.
async function painted(page) {
  let [before, since] = [-1, 0];
  await until(async () => {
    const now = await page.evaluate(() => window.__paints.length);
    if (now !== before) [before, since] = [now, Date.now()];
    return Date.now() - since;
  }, (quiet) => quiet > 1500, 'all is painted', 60_000);
}
const rest = (page) => page.waitForTimeout(400);

async function wheel(page, x, y, { dx = 0, dy = 0, ctrl = false }) {
  await page.mouse.move(x, y);
  if (ctrl) await page.keyboard.down('Control');
  await page.mouse.wheel(dx, dy);
  if (ctrl) await page.keyboard.up('Control');
}

// Drags the stage step by step, there and back, and tells the frames' median.
async function drag(page) {
  const box = await at(page, 'viewport').boundingBox();
  await page.evaluate(() => {
    window.__frames = [];
    const tick = (now) => { if (window.__frames?.push(now)) requestAnimationFrame(tick); };
    requestAnimationFrame(tick);
  });
  for (const way of [1, -1]) {
    const [x, y] = [box.x + box.width * (way > 0 ? 0.7 : 0.3), box.y + box.height * 0.6];
    await page.mouse.move(x, y);
    await page.mouse.down();
    for (let i = 1; i <= 24; i++) await page.mouse.move(x - way * 14 * i, y - way * 4 * i);
    await page.mouse.up();
  }
  const frames = await page.evaluate(() => { const all = window.__frames; window.__frames = undefined; return all; });
  return frames.slice(1).map((t, i) => t - frames[i]).sort((a, b) => a - b)[frames.length >> 1];
}

// All of what one does with the stage: pointed at, turned nearer, pushed, dragged, walked by the strip and the minimap.
const handled = (page, calm) => calm('the stage is pointed at, zoomed and dragged', async () => {
  const box = await at(page, 'viewport').boundingBox();
  for (let i = 0; i < 20; i++) await page.mouse.move(box.x + box.width * (0.1 + 0.04 * i), box.y + box.height * (0.3 + 0.06 * ((i * 3) % 7)));
  for (let i = 0; i < 4; i++) await wheel(page, box.x + 300, box.y + 160, { dy: -100, ctrl: true });
  for (let i = 0; i < 20; i++) await page.mouse.move(box.x + box.width * (0.9 - 0.04 * i), box.y + box.height * (0.3 + 0.06 * ((i * 3) % 7)));
  for (let i = 0; i < 6; i++) await wheel(page, box.x + 300, box.y + 160, { dx: 60, dy: 20 });
  await drag(page);
  await at(page, 'zoom-in').click();
  const map = await at(page, 'minimap').boundingBox();
  await page.mouse.click(map.x + map.width * 0.6, map.y + map.height / 2);
  await at(page, 'zoom-fit').click();
  const strip = await at(page, 'strip').locator('div.strip').boundingBox();
  for (let i = 1; i < 20; i++) await page.mouse.move(strip.x + strip.width * i / 20, strip.y + 30);
  await rest(page);
});

scenario('lenet5: the whole at first, then nearer, by wheel, buttons, keys and minimap', { gpu: false, query: '?backend=cpu&lang=en', open: false, timeout: 120_000 }, async ({ page, go, axe, shot, calm }) => {
  await recordPaints(page);
  await go();
  await engine(page);
  await at(page, 'sample-3').click();
  await until(() => at(page, 'maps').count(), (n) => n > 0, 'maps are shown');
  const whole = await transform(page);
  assert.ok(whole.zoom > 0.95 && whole.zoom <= 1, `LeNet-5 needs no zoom: ${whole.zoom}`);
  assert.equal(await at(page, 'viewport').getAttribute('data-whole'), 'true');
  assert.equal(await at(page, 'minimap').isVisible(), false);
  const box = await at(page, 'viewport').boundingBox();
  const [x, y] = [box.x + 300, box.y + 160];
  await wheel(page, x, y, { dy: -100, ctrl: true });
  await wheel(page, x, y, { dy: -100, ctrl: true });
  await rest(page);
  const near = await transform(page);
  assert.ok(near.zoom > 1.5, `zoomed to ${near.zoom}`);
  const point = (t) => [(300 - t.x) / t.zoom, (160 - t.y) / t.zoom];
  point(near).forEach((v, i) => assert.ok(Math.abs(v - point(whole)[i]) < 2, 'what was under the pointer stayed there'));
  assert.ok(await at(page, 'minimap').isVisible());
  // A plain wheel pans, and scrolls the page only at the edge.
  const scrolled = await page.evaluate(() => scrollY);
  await wheel(page, x, y, { dx: 60, dy: 20 });
  await rest(page);
  assert.notEqual((await transform(page)).x, near.x);
  assert.equal(await page.evaluate(() => scrollY), scrolled);
  await wheel(page, x, y, { dy: 5000 });
  await wheel(page, x, y, { dy: 300 });
  await until(() => page.evaluate(() => scrollY), (now) => now > scrolled, 'at the edge the page scrolls');
  await page.evaluate(() => scrollTo(0, 0));
  // Dragging is no click; a click still selects.
  await drag(page);
  assert.doesNotMatch(page.url(), /layer=/);
  await handled(page, calm);
  await at(page, 'viewport').focus();
  await page.keyboard.press('0');
  await rest(page);
  assert.deepEqual(await transform(page), whole);
  await page.keyboard.press('+');
  await page.keyboard.press('ArrowRight');
  await rest(page);
  assert.ok((await transform(page)).zoom > 1.2);
  const seen = await at(page, 'minimap').boundingBox();
  await page.mouse.click(seen.x + seen.width - 6, seen.y + seen.height / 2);
  await rest(page);
  const right = await transform(page);
  assert.ok(right.x < (await transform(page)).zoom * -50, `the minimap moves the view: ${right.x}`);
  await at(page, 'zoom-fit').click();
  await rest(page);
  await at(page, 'card-c3').click({ position: { x: 20, y: 20 } });
  await until(() => page.url(), (url) => /layer=c3/.test(url), 'a click selects');
  // The strip and the stage point at one another.
  const strip = await at(page, 'strip').locator('div.strip').boundingBox();
  await page.mouse.move(strip.x + strip.width - 6, strip.y + 30);
  await until(() => at(page, 'strip-told').innerText(), (text) => /Output/.test(text), 'the strip tells its numbers');
  assert.equal(await page.locator('.pointed').count(), 1, 'and the stage shows which');
  await at(page, 'legend').locator('summary').click();
  await axe();
  await shot('stage lenet5');
});

scenario('lenet5: kept as SVG and as PNG', { gpu: false, query: '?backend=cpu&lang=en', timeout: 120_000 }, async ({ page }) => {
  await engine(page);
  await at(page, 'sample-3').click();
  await until(() => at(page, 'maps').count(), (n) => n > 0, 'maps are shown');
  await at(page, 'export').locator('summary').click();
  const kept = async (name) => {
    const [download] = await Promise.all([page.waitForEvent('download', { timeout: 30_000 }), at(page, name).click()]);
    return { name: download.suggestedFilename(), bytes: fs.readFileSync(await download.path()) };
  };
  const svg = await kept('export-svg');
  assert.equal(svg.name, 'lenet5.svg');
  assert.match(svg.bytes.toString(), /^<svg[\s\S]*117,600 MACs[\s\S]*<\/svg>/);
  assert.doesNotMatch(svg.bytes.toString(), /var\(/);
  const png = await kept('export-png');
  assert.equal(png.name, 'lenet5.png');
  // The picture's colours: blue and orange are the maps'.
  const colours = await page.evaluate(async (base64) => {
    const bitmap = await createImageBitmap(await (await fetch(`data:image/png;base64,${base64}`)).blob());
    const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d');
    context.drawImage(bitmap, 0, 0);
    const { data } = context.getImageData(0, 0, bitmap.width, bitmap.height);
    const found = new Set();
    for (let i = 0; i < data.length; i += 404) found.add(`${data[i] >> 4},${data[i + 1] >> 4},${data[i + 2] >> 4}`);
    return { width: bitmap.width, found: found.size };
  }, png.bytes.toString('base64'));
  assert.ok(colours.width > 2500, `${colours.width} pixels wide`);
  assert.ok(colours.found > 40, `${colours.found} colours: maps are on it`);
});

scenario('resnet-digits: a picture larger than a canvas may be, with every card\'s maps in it', { gpu: false, query: '?variant=resnet-digits&backend=cpu&lang=en', timeout: 180_000 }, async ({ page }) => {
  await engine(page);
  await at(page, 'sample-3').click();
  await until(() => at(page, 'maps').count(), (n) => n > 0, 'maps are shown');
  await at(page, 'export').locator('summary').click();
  const [download] = await Promise.all([page.waitForEvent('download', { timeout: 120_000 }), at(page, 'export-png').click()]);
  const bytes = fs.readFileSync(await download.path());
  const [width, height] = [bytes.readUInt32BE(16), bytes.readUInt32BE(20)];
  const stage = await at(page, 'stage').evaluate((e) => [e.offsetWidth, e.offsetHeight]);
  assert.ok(width > 8192 && width >= stage[0] * 2 && height >= stage[1] * 2, `${width}×${height} of ${stage}`);
  // In px of the stage.
  const cards = await page.locator('.card-button').evaluateAll((all) => all.map((e) => ({ name: e.dataset.testid, at: [e.offsetLeft, e.offsetTop, e.offsetWidth, e.offsetHeight] })));
  const colours = await page.evaluate(async ({ base64, cards, zoom }) => {
    const blob = await (await fetch(`data:image/png;base64,${base64}`)).blob();
    const count = async ({ at: [x, y, w, h] }) => {
      const bitmap = await createImageBitmap(blob, ...[x, y, w, h].map((v) => Math.round(v * zoom)));
      const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d');
      context.drawImage(bitmap, 0, 0);
      const { data } = context.getImageData(0, 0, bitmap.width, bitmap.height);
      const found = new Set();
      for (let i = 0; i < data.length; i += 124) found.add(`${data[i] >> 3},${data[i + 1] >> 3},${data[i + 2] >> 3}`);
      return found.size;
    };
    const out = [];
    for (const card of cards) out.push(await count(card));
    return out;
  }, { base64: bytes.toString('base64'), cards, zoom: width / stage[0] });
  cards.forEach(({ name }, i) => assert.ok(colours[i] > 25, `${name}: ${colours[i]} colours`));
});

scenario('resnet50: from slabs to maps; only what is in view is painted', { gpu: false, query: '?variant=resnet50&backend=cpu&lang=en&groups=conv2_1,conv3_1,conv4_1', open: false, timeout: 240_000 }, async ({ page, go, axe, shot, calm }) => {
  await recordPaints(page);
  await go();
  await engine(page);
  await until(() => at(page, 'milliseconds').count(), (n) => n > 0, 'the network has answered', 120_000);
  const cards = await page.locator('.card-button').count();
  assert.ok(cards > 20, `${cards} cards`);
  const far = await level(page);
  await at(page, 'card-layer2.0.conv2').dblclick({ position: { x: 4, y: 12 } });
  await until(() => level(page), (now) => now === 'near', 'two clicks go near');
  assert.notEqual(far, 'near', 'as a whole it is seen from farther off');
  await until(() => page.evaluate(() => window.__paints.at(-1)?.rects.some((r) => r.rows > 0)), Boolean, 'maps are painted', 30_000);
  await until(() => at(page, 'maps').count(), (n) => n > 0, 'maps are shown', 30_000);
  const box = await at(page, 'viewport').boundingBox();
  console.log(`# median frame while dragging: ${(await drag(page)).toFixed(1)} ms`);
  await rest(page);
  const paints = await page.evaluate(() => window.__paints.filter((p) => p.rects.some((r) => r.rows > 0)));
  const sources = (p, rows) => new Set(p.rects.filter((r) => (r.rows > 0) === rows).map((r) => JSON.stringify(r.source)));
  const last = paints.at(-1);
  // The view and a quarter of it on each side.
  const [width, height] = last.size;
  assert.ok(width <= box.width * 1.5 + 2 && height <= box.height * 1.5 + 2, `${width}×${height} in ${box.width}×${box.height}`);
  for (const { at: [x, y, w, h] } of last.rects.filter((r) => r.rows > 0)) {
    assert.ok(x < width && y < height && x + w > 0 && y + h > 0, `a map at ${x}, ${y} is out of view`);
  }
  assert.ok(sources(last, true).size < cards / 2, `${sources(last, true).size} of ${cards} cards are painted`);
  assert.ok(sources(last, false).size > 0, 'the others are kept at hand');
  // Within the margin nothing is sent; another zoom is painted anew, with all of its margin.
  await at(page, 'zoom-in').click();
  await page.mouse.move(box.x + 200, box.y + 100);
  await rest(page);
  await painted(page);
  const sent = await page.evaluate(() => window.__paints.length);
  await wheel(page, box.x + 200, box.y + 100, { dx: 8 });
  await rest(page);
  assert.equal(await page.evaluate(() => window.__paints.length), sent);
  await shot('stage resnet50 near');
  // A group closes by the button on its box, which comes into view with the whole.
  await at(page, 'zoom-fit').click();
  await rest(page);
  await shot('stage resnet50 whole');
  // From afar, too, what opens and closes a group has room for a finger.
  assert.equal(await level(page), 'far');
  const tight = await page.locator('.unfold, .fold').evaluateAll((all) => all.flatMap((e) => {
    const r = e.getBoundingClientRect();
    const hits = (x, y) => document.elementFromPoint(x, y) === e;
    const reach = (dx, dy) => { let n = 0; while (n < 40 && hits(r.x + r.width / 2 + dx * n, r.y + r.height / 2 + dy * n)) n++; return n; };
    const size = [reach(1, 0) + reach(-1, 0) - 1, reach(0, 1) + reach(0, -1) - 1];
    return Math.min(...size) < 23 ? [`${e.dataset.testid}: ${size.join('×')}`] : [];
  }));
  assert.deepEqual(tight, []);
  await handled(page, calm);
  await calm('a group is closed, opened and closed', async () => {
    await at(page, 'fold-conv3_1').click();
    await until(() => at(page, 'card-layer2.0.conv2').count(), (n) => n === 0, 'folded');
    await at(page, 'unfold-conv3_1').click();
    await at(page, 'card-layer2.0.conv2').waitFor();
    await at(page, 'fold-conv3_1').click();
    await until(() => at(page, 'card-layer2.0.conv2').count(), (n) => n === 0, 'folded again');
  });
  await at(page, 'export').locator('summary').click();
  for (const [name, least] of [['export-svg', 20_000], ['export-png', 100_000]]) {
    const [download] = await Promise.all([page.waitForEvent('download', { timeout: 60_000 }), at(page, name).click()]);
    const { size } = fs.statSync(await download.path());
    assert.ok(size > least, `${download.suggestedFilename()}: ${size} bytes`);
  }
  await at(page, 'export').locator('summary').click();
  await at(page, 'stage-wide').click();
  await until(() => page.url(), (url) => /stage=wide/.test(url), 'the address has it');
  await rest(page);
  const full = await at(page, 'viewport').boundingBox();
  assert.ok(full.width > 1200 && full.height > 480, `it fills the window: ${full.width}×${full.height}`);
  const told = await at(page, 'strip-told').boundingBox();
  assert.ok(told.y + told.height <= 800, 'and the strip is in it as well');
  await axe();
  await shot('stage resnet50 wide');
  await page.keyboard.press('Escape');
  await until(() => page.url(), (url) => !/stage=wide/.test(url), 'back to the page');
});

for (const [name, query, layer, least] of [['LeNet-5', '', 'c3', 5], ['GoogLeNet', '&variant=googlenet', 'conv2.3x3', 12]]) {
  scenario(`${name}: what a unit sees, through every layer before it, and what a pixel reaches`, { gpu: false, query: `?backend=cpu&lang=en${query}`, timeout: 120_000 }, async ({ page, calm, shot, axe }) => {
    await engine(page);
    if (!query) await at(page, 'sample-3').click();
    await computed(page);
    const patches = () => at(page, 'field').locator('.patch').count();
    const card = at(page, `card-${layer}`);
    await card.focus();
    await page.keyboard.press('Enter');
    await until(patches, (n) => n >= 3, 'its cone');
    await until(() => page.url(), (url) => url.includes(`layer=${layer}`), 'the layer is chosen');
    await calm('unit after unit is pointed at by keys', async () => {
      for (let i = 0; i < 12; i++) await page.keyboard.press(i % 2 ? 'ArrowDown' : 'ArrowRight');
      await page.keyboard.press('PageDown');
    });
    const seen = await patches();
    await at(page, 'card-input').focus();
    await page.keyboard.press('Enter');
    await until(patches, (n) => n >= least && n > seen, 'what a pixel reaches', 20_000);
    await calm('pixel after pixel is pointed at', async () => {
      for (let i = 0; i < 12; i++) await page.keyboard.press(i % 2 ? 'ArrowDown' : 'ArrowRight');
    });
    await axe();
    await shot(`reached ${name}`);
  });
}

scenario('two fingers zoom, one pans', { gpu: false, query: '?backend=cpu&lang=ko', viewport: { width: 390, height: 844 }, touch: true, timeout: 120_000 }, async ({ page, axe, shot }) => {
  await engine(page);
  const box = await at(page, 'viewport').boundingBox();
  await page.evaluate((y) => scrollTo(0, y - 100), box.y);
  const { x, y, width, height } = await at(page, 'viewport').boundingBox();
  const session = await page.context().newCDPSession(page);
  const fingers = (type, ...points) => session.send('Input.dispatchTouchEvent', { type, touchPoints: points.map(([px, py], id) => ({ x: px, y: py, id })) });
  const [cx, cy] = [x + width / 2, y + height / 2];
  const before = await transform(page);
  await fingers('touchStart', [cx - 30, cy]);
  await fingers('touchStart', [cx - 30, cy], [cx + 30, cy]);
  for (let d = 35; d <= 90; d += 5) await fingers('touchMove', [cx - d, cy], [cx + d, cy]);
  await fingers('touchEnd');
  await rest(page);
  const after = await transform(page);
  assert.ok(after.zoom > before.zoom * 1.8, `${before.zoom} to ${after.zoom}`);
  await fingers('touchStart', [cx, cy]);
  for (let d = 0; d <= 60; d += 6) await fingers('touchMove', [cx - d, cy]);
  await fingers('touchEnd');
  await rest(page);
  assert.ok((await transform(page)).x < after.x - 20, 'one finger pans');
  await axe();
  await shot('stage phone');
});
