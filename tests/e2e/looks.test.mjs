// Pictures of every view, for people to look at, in tests/e2e/out/looks-…: both languages, light and dark, narrow and wide, projector mode;
// and what a program can see of looks: nothing wider than the window, no text cut off in a button, no complaint of the browser.
import assert from 'node:assert/strict';
import { scenario } from './harness.mjs';
import { at, engine, strokes, until, visit } from './page.mjs';

// What does not fit: elements that stick out of the window (scrolled ones do not count), buttons whose text is cut off.
const misfits = (page) => page.evaluate(() => {
  const wide = document.documentElement.scrollWidth - innerWidth;
  // What opens and closes groups takes clicks beyond itself, which counts as overflow.
  const cut = [...document.querySelectorAll('button:not(.fold, .unfold), .button, select, th, dt')].filter((e) => e.offsetParent && e.scrollWidth > e.clientWidth + 2 && e.clientWidth > 0 && getComputedStyle(e).textOverflow !== 'ellipsis');
  return [...(wide > 1 ? [`the page is ${wide} px too wide`] : []), ...cut.map((e) => `cut off: ${e.outerHTML.slice(0, 120)}`)];
});

const panels = (page) => page.locator('[role=tab][data-testid^=panel-]').evaluateAll((tabs) => tabs.map((t) => t.dataset.testid.replace('panel-', '')));

const SIZES = { narrow: { width: 390, height: 844 }, tablet: { width: 768, height: 1024 }, laptop: { width: 1280, height: 800 }, wide: { width: 1920, height: 1080 }, '4K': { width: 3840, height: 2160 } };

async function look(page, shot, sizes, combinations, address, names) {
  const found = [];
  for (const size of sizes) {
    await page.setViewportSize(SIZES[size]);
    for (const [lang, theme, more = ''] of combinations) {
      for (const name of names) {
        await visit(page, `?${address}&view=${name}&lang=${lang}&theme=${theme}&backend=cpu${more}`);
        await page.locator(`#panel-${name}`).waitFor();
        await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 120)))));
        const title = `looks ${address} ${name} ${lang} ${theme}${more} ${size}`;
        // A busy machine takes its time to lay things out anew: what stays is wrong.
        let wrong = await misfits(page);
        for (let i = 0; wrong.length && i < 20; i++) {
          await page.waitForTimeout(150);
          wrong = await misfits(page);
        }
        found.push(...wrong.map((misfit) => `${title}: ${misfit}`));
        await page.evaluate(() => document.querySelector('.panels')?.scrollIntoView({ block: 'end' }));
        await shot(title);
      }
      await page.evaluate(() => scrollTo(0, 0));
      await shot(`looks ${address} top ${lang} ${theme}${more} ${size}`);
    }
  }
  return found;
}

scenario('every view of LeNet-5, in both languages and themes, narrow and wide', { query: '?backend=cpu&lang=en', timeout: 240_000 }, async ({ page, draw, shot }) => {
  await engine(page);
  await draw('[data-testid=pad]', strokes(3));
  await until(() => at(page, 'milliseconds').count(), (n) => n > 0, 'the network has answered');
  const names = await panels(page);
  assert.ok(names.length >= 4, names.join());
  const address = 'layer=c3&unit=2,4,5';
  const found = [
    ...await look(page, shot, ['narrow', 'wide'], [['en', 'light'], ['ko', 'dark']], address, names),
    ...await look(page, shot, ['tablet', 'laptop', '4K'], [['ko', 'light'], ['en', 'dark']], address, ['inspect']),
    ...await look(page, shot, ['laptop', 'wide'], [['en', 'light', '&mode=projector'], ['ko', 'dark', '&mode=projector']], address, ['inspect', 'training']),
  ];
  assert.deepEqual(found, []);
});

scenario('every view of GoogLeNet', { query: '?backend=cpu&lang=en&variant=googlenet', timeout: 240_000 }, async ({ page, shot }) => {
  await engine(page);
  await until(() => at(page, 'milliseconds').count(), (n) => n > 0, 'the network has answered', 90_000);
  const names = await panels(page);
  const found = [
    ...await look(page, shot, ['laptop'], [['ko', 'light']], 'variant=googlenet', names),
    ...await look(page, shot, ['narrow', 'wide'], [['en', 'dark']], 'variant=googlenet', ['inspect']),
  ];
  assert.deepEqual(found, []);
});
