// Every paper's networks in the page: chosen, shown a photograph, walked from stage to unit, folded and opened.
import assert from 'node:assert/strict';
import path from 'node:path';
import { scenario } from './harness.mjs';
import { at, computed, engine, reads, strokes, until } from './page.mjs';

// Darkest and lightest of the pixels of a canvas, as a screenshot has them: a blank one has none to tell.
const contrast = async (locator) => (await locator.screenshot()).length;

scenario('a tab a paper, and a digit for each of them', { query: '?backend=cpu&lang=en', timeout: 240_000 }, async ({ page, draw, shot }) => {
  await engine(page);
  await draw('[data-testid=pad]', strokes(3));
  for (const name of ['alexnet-digits', 'vgg-digits', 'googlenet-digits', 'resnet-digits']) {
    await at(page, `family-${name}`).click();
    await until(() => at(page, 'variant').inputValue(), (value) => value === name, `${name} is chosen`);
    await until(async () => /variant=/.test(page.url()) && page.url().includes(name), Boolean, 'the address has it');
    await computed(page); // the drawing is still there and is read by the next network
    await shot(`network ${name}`);
  }
  await page.goBack();
  await until(() => at(page, 'variant').inputValue(), (value) => value === 'googlenet-digits', 'back');
});

scenario('resnet50 and a photograph, from the whole to one unit', { query: '?variant=resnet50&backend=cpu&lang=en', timeout: 240_000 }, async ({ page, axe, shot }) => {
  await engine(page);
  await computed(page);
  assert.match(await at(page, 'origin').innerText(), /Untrained/);
  assert.ok(await at(page, 'untrained').isVisible(), 'numbers of an untrained network are said to mean nothing');
  assert.match(await at(page, 'predicted').innerText(), /–/); // and name nothing
  assert.ok(await contrast(at(page, 'photo')) > 5_000, 'the photograph is seen');
  await shot('resnet50 folded');
  // A block is folded at first, opens, and its layers have pictures.
  assert.equal(await at(page, 'card-layer1.1.conv2').count(), 0);
  await at(page, 'unfold-conv2_2').click();
  await at(page, 'card-layer1.1.conv2').waitFor();
  await until(() => page.url(), (url) => /groups=conv2_2/.test(url), 'the address has the open group');
  await computed(page);
  // Its arithmetic, from a click in the middle of a map: a 3×3 convolution over 64 maps, batch norm, ReLU.
  const card = at(page, 'card-layer1.1.conv2');
  // As a whole the network is seen from farther off: two clicks go near the card, where its units can be pointed at.
  await card.dblclick({ position: { x: 4, y: 14 } });
  await until(() => at(page, 'viewport').getAttribute('data-level'), (level) => level === 'near', 'near');
  await page.waitForTimeout(400);
  await card.click({ position: { x: 27, y: 90 } }); // in its first map
  await until(() => at(page, 'arithmetic').locator('svg').count(), (n) => n > 0, 'the arithmetic is drawn', 60_000);
  await until(() => at(page, 'arithmetic').innerText(), (text) => /√|σ/.test(text), 'with its batch norm', 30_000);
  assert.match(page.url(), /layer=layer1\.1\.conv2&unit=/);
  await axe();
  await shot('resnet50 unit');
  await page.evaluate(() => scrollTo(0, 0));
  await at(page, 'zoom-fit').click();
  await page.waitForTimeout(400);
  await at(page, 'fold-conv2_2').click();
  await until(() => at(page, 'card-layer1.1.conv2').count(), (n) => n === 0, 'folded again');
});

scenario('own pictures, and files that are none', { query: '?variant=resnet18&backend=cpu&lang=en', timeout: 180_000 }, async ({ page }) => {
  await engine(page);
  await computed(page);
  const before = (await at(page, 'photo').screenshot()).toString('base64');
  await at(page, 'photo-pick').setInputFiles({ name: 'notes.png', mimeType: 'image/png', buffer: Buffer.from('no picture at all') });
  const notice = page.locator('[data-fault=photo-file]');
  await notice.waitFor();
  assert.match(await notice.innerText(), /notes\.png cannot be read as a picture/);
  assert.equal((await at(page, 'photo').screenshot()).toString('base64'), before, 'the picture before stays');
  await at(page, 'photo-pick').setInputFiles(path.resolve('www/images/rocket.webp'));
  await until(async () => (await at(page, 'photo').screenshot()).toString('base64') !== before, Boolean, 'the own picture is shown', 60_000);
  // Dropped, and pasted.
  const given = async (type) => {
    const last = (await at(page, 'photo').screenshot()).toString('base64');
    await page.evaluate(async ([type, where]) => {
      const blob = await (await fetch(where)).blob();
      const data = new DataTransfer();
      data.items.add(new File([blob], 'own.webp', { type: 'image/webp' }));
      const target = type === 'drop' ? document.querySelector('[data-testid=photo]') : window;
      const more = { bubbles: true, cancelable: true };
      target.dispatchEvent(type === 'drop' ? new DragEvent('drop', { ...more, dataTransfer: data }) : new ClipboardEvent('paste', { ...more, clipboardData: data }));
    }, [type, `images/${type === 'drop' ? 'cat' : 'rocket'}.webp`]);
    await until(async () => (await at(page, 'photo').screenshot()).toString('base64') !== last, Boolean, `a picture by ${type}`, 60_000);
  };
  await given('drop');
  await given('paste');
  await at(page, 'photo-1').click();
  await until(() => at(page, 'photo-1').getAttribute('aria-pressed'), (v) => v === 'true', 'a sample again');
});

scenario('a picture that comes with the page is in the address; nothing is said by the network before', { query: '?backend=cpu&lang=en&picture=7.1', timeout: 180_000 }, async ({ page, draw }) => {
  await engine(page);
  await reads(page, 7);
  await page.reload();
  await reads(page, 7, 'the same digit after reloading');
  assert.match(page.url(), /picture=7\.1/);
  // From a digit to photographs: no answer, and no picture, of LeNet-5 while the other is being opened.
  await page.evaluate(() => {
    window.__early = [];
    const look = () => {
      const shown = (name) => document.querySelector(`[data-testid="${name}"]`);
      const opening = /Opening the weights/.test(shown('origin')?.textContent ?? '');
      if (opening && location.search.includes('variant=') && shown('milliseconds')) window.__early.push(shown('milliseconds').textContent);
      window.__looking = requestAnimationFrame(look);
    };
    look();
  });
  await page.evaluate(() => { history.pushState(null, '', location.href.replace(/[?].*/, '?variant=resnet152&backend=cpu&lang=en&picture=7.1')); dispatchEvent(new PopStateEvent('popstate')); });
  await until(() => at(page, 'origin').innerText(), (text) => /Untrained/.test(text), 'another network is open', 90_000);
  assert.deepEqual(await page.evaluate(() => window.__early), []);
  await computed(page);
  // What is drawn is in no address.
  await page.goBack();
  await reads(page, 7, 'back at the digit', 60_000);
  await draw('[data-testid=pad]', strokes(3));
  await until(() => page.url(), (url) => !/picture=/.test(url), 'a drawing is in no address');
});
