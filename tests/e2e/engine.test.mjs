// The engine's worker by itself, on both engines: the protocol's messages go in and out of the real browser, without the page.
import assert from 'node:assert/strict';
import { DIGITS, scenario } from './harness.mjs';

// Starts a worker in the page; afterwards `engine.tell(command, …transferred)` and `await engine.hear('Output')` there.
const start = (page) => page.evaluate(() => {
  const worker = new Worker(document.querySelector('meta[name=engine]').content, { type: 'module' });
  const kind = (event) => (typeof event === 'string' ? event : Object.keys(event)[0]);
  const heard = [];
  const waiting = [];
  worker.onmessage = ({ data: [event, ...rest] }) => {
    const name = kind(event);
    const found = { name, ...(event[name] ?? {}), value: event[name], rest };
    heard.push(found);
    for (const one of waiting.filter((w) => w.names.includes(name) && w.test(found))) {
      waiting.splice(waiting.indexOf(one), 1);
      one.resolve(found);
    }
  };
  worker.onerror = (event) => heard.push({ name: 'crash', message: event.message });
  window.engine = {
    worker,
    heard,
    tell: (command, ...transferred) => worker.postMessage([command, ...transferred], transferred),
    // The next event of these names, or a failure.
    hear: (names, test = () => true) => new Promise((resolve, reject) => {
      waiting.push({ names: [].concat(names), test, resolve });
      waiting.push({ names: ['Failed'], test: () => true, resolve: (e) => reject(new Error(`${e.fault.key}: ${e.fault.detail}`)) });
    }),
    ask: (command, names, test) => {
      // The picture shown before is told once more when a network opens.
      const { generation } = command.Show ?? {};
      if (generation !== undefined) test = (event) => event.generation === generation;
      const answer = window.engine.hear(names, test);
      window.engine.tell(command);
      return answer;
    },
  };
});

const ask = (page, command, names) => page.evaluate(([command, names]) => window.engine.ask(command, names), [command, names]);

async function open(page, backend, variant, weights = 'Shipped') {
  await start(page);
  const engine = await ask(page, { Start: { backend } }, 'Engine');
  assert.equal(engine.value.backend, backend, engine.value.why);
  return ask(page, { Open: { generation: 1, variant, weights } }, 'Opened');
}

const strokes = (strokes) => ({ Strokes: { strokes, size: 280, pen: 20, centre: true } });

for (const backend of ['cpu', 'gpu']) {
  scenario(`the ${backend} engine reads drawn digits`, { open: true }, async ({ page }) => {
    for (const variant of ['lenet5', 'lenet5-modern']) {
      const opened = await open(page, backend, variant);
      assert.ok(opened.value.origin.Shipped !== undefined, JSON.stringify(opened.value));
      const said = [];
      for (const { digit, strokes: drawn } of DIGITS) {
        const output = await ask(page, { Show: { generation: 10 + digit, picture: strokes(drawn) } }, 'Output');
        assert.equal(output.value.generation, 10 + digit);
        said.push(output.value.predicted);
      }
      assert.deepEqual(said, DIGITS.map(({ digit }) => digit), variant);
    }
  });

  scenario(`the ${backend} engine paints maps and tells a unit's arithmetic`, {}, async ({ page, shot }) => {
    await open(page, backend, 'lenet5');
    await page.evaluate(() => {
      document.body.innerHTML = '<canvas id="maps" width="360" height="60" style="position:fixed;left:0;top:0"></canvas>';
      const surface = document.getElementById('maps').transferControlToOffscreen();
      window.engine.tell({ Canvas: { canvas: 3 } }, surface);
      const rects = [0, 1, 2, 3, 4, 5].map((i) => ({ source: { Value: 1 }, offset: i * 784, rows: 28, cols: 28, at: [i * 60 + 2, 2, 56, 56] }));
      window.engine.tell({ Paint: { canvas: 3, ticket: 1, size: [360, 60], rects, scale: 'layer', palette: 'light' } });
    });
    const { strokes: drawn } = DIGITS[5];
    await ask(page, { Show: { generation: 2, picture: strokes(drawn) } }, 'Output');
    const colours = () => page.evaluate(async () => {
      const bitmap = await createImageBitmap(document.getElementById('maps'));
      const context = new OffscreenCanvas(360, 60).getContext('2d');
      context.drawImage(bitmap, 0, 0);
      const { data } = context.getImageData(0, 0, 360, 60);
      const seen = new Set();
      for (let i = 0; i < data.length; i += 4) seen.add(data.slice(i, i + 4).join());
      return seen.size;
    });
    let seen = 0;
    for (let i = 0; i < 50 && seen < 50; i += 1) {
      await page.waitForTimeout(50);
      seen = await colours();
    }
    await shot(`engine maps ${backend}`);
    assert.ok(seen > 50, `${seen} colours`);
    const told = await ask(page, { Explain: { request: 9, node: 2, unit: { c: 3, y: 14, x: 13 } } }, 'Explained');
    assert.deepEqual(told.value.nodes, [1, 2]);
    assert.ok(Math.abs(told.value.explanations[1].steps.at(-1)[1] - told.value.value) < 1e-5);
    const tensor = await page.evaluate(() => window.engine.ask({ Read: { request: 4, source: { Value: 2 } } }, 'Tensor').then((t) => [t.shape, t.rest[0].constructor.name, t.rest[0][3 * 784 + 14 * 28 + 13]]));
    assert.deepEqual(tensor.slice(0, 2), [[6, 28, 28], 'Float32Array']);
    assert.equal(tensor[2], told.value.value);
    // From the stroke to the painted maps, as the worker sees it, without the page's own work.
    const times = await page.evaluate(async (picture) => {
      const times = [];
      for (let i = 0; i < 60; i += 1) {
        const before = performance.now();
        await window.engine.ask({ Show: { generation: 100 + i, picture } }, 'Output');
        times.push(performance.now() - before);
      }
      return times.sort((a, b) => a - b);
    }, strokes(drawn));
    console.log(`${backend}: stroke to output, median ${times[30].toFixed(2)} ms, 90th percentile ${times[54].toFixed(2)} ms`);
  });

  scenario(`the ${backend} engine trains, keeps the run and goes on with it`, { timeout: 120_000 }, async ({ page }) => {
    await open(page, backend, 'lenet5-modern', { Seed: 1 });
    const losses = await page.evaluate(async () => {
      const { engine } = window;
      const losses = [];
      await engine.ask('Play', 'Running');
      while (losses.length < 30) {
        const { steps } = await engine.hear('Progress');
        losses.push(...steps.map((s) => s.loss));
      }
      await engine.ask('Pause', 'Halted');
      return losses;
    });
    const mean = (list) => list.reduce((a, b) => a + b, 0) / list.length;
    assert.ok(mean(losses.slice(-5)) < mean(losses.slice(0, 5)), losses.join());
    // A moment for the saving that follows the pause.
    await ask(page, { Save: { request: 3 } }, 'File');
    await page.reload();
    await open(page, backend, 'lenet5-modern', { Seed: 1 });
    const saved = await page.evaluate(() => window.engine.heard.find((e) => e.name === 'Saved') ?? window.engine.hear('Saved'));
    assert.ok(saved.value.step >= 30);
    const restored = await ask(page, 'Restore', 'Opened');
    assert.deepEqual(restored.value.origin, { Trained: saved.value.step });
    const { value } = await ask(page, 'Step', 'Progress');
    assert.equal(value.steps[0].step, saved.value.step + 1);
    assert.ok(value.steps[0].loss < losses[0]);
  });
}

// Maps as both engines paint them, enlarged and made smaller, on a layer's scale and on their own; the GPU reads none of them back.
scenario('the GPU paints from its own memory what the CPU paints', { timeout: 120_000 }, async ({ page, shot }) => {
  const size = [400, 180];
  const rects = [0, 1, 2, 3, 4, 5].map((i) => ({ source: { Value: 1 }, offset: i * 784, rows: 28, cols: 28, at: [i * 60 + 2, 2, 56, 56] }));
  rects.push(...[0, 1, 2, 3, 4, 5].map((i) => ({ source: { Value: 2 }, offset: i * 784, rows: 28, cols: 28, at: [i * 60 + 2, 64, 14, 14] })));
  rects.push({ source: { Value: 0 }, offset: 0, rows: 32, cols: 32, at: [2, 84, 96, 96] });
  rects.push({ source: { Param: 0 }, offset: 25, rows: 5, cols: 5, at: [104, 84, 50, 50] });
  const pictures = {};
  for (const backend of ['cpu', 'gpu']) {
    pictures[backend] = [];
    // A worker that counts the bytes that come back from the GPU.
    await page.evaluate(() => {
      const url = new URL(document.querySelector('meta[name=engine]').content, location.href).href;
      const counting = `let bytes = 0;
        const range = globalThis.GPUBuffer?.prototype.getMappedRange;
        if (range) GPUBuffer.prototype.getMappedRange = function (...a) { const r = range.apply(this, a); bytes += r.byteLength; return r; };
        const channel = new BroadcastChannel('bytes');
        channel.onmessage = () => { channel.postMessage(bytes); bytes = 0; };
        await import(${JSON.stringify(url)}); postMessage([{ Loaded: {} }]);`;
      document.querySelector('meta[name=engine]').content = URL.createObjectURL(new Blob([counting], { type: 'text/javascript' }));
      window.engineUrl ??= url;
    });
    await start(page);
    await page.evaluate(() => { document.querySelector('meta[name=engine]').content = window.engineUrl; return window.engine.hear('Loaded'); });
    await ask(page, { Start: { backend } }, 'Engine');
    await ask(page, { Open: { generation: 1, variant: 'lenet5', weights: 'Shipped' } }, 'Opened');
    for (const [n, [scale, palette]] of [['layer', 'light'], ['map', 'dark']].entries()) {
      await page.evaluate(([backend, size, rects, scale, palette, n]) => {
        const canvas = Object.assign(document.createElement('canvas'), { id: `${backend}${n}`, width: size[0], height: size[1] });
        canvas.style.cssText = `position:fixed;left:0;top:${n * size[1]}px;background:#888`;
        document.body.append(canvas);
        window.engine.tell({ Canvas: { canvas: n } }, canvas.transferControlToOffscreen());
        window.engine.tell({ Paint: { canvas: n, ticket: 1, size, rects, scale, palette } });
      }, [backend, size, rects, scale, palette, n]);
    }
    await ask(page, { Show: { generation: 2, picture: strokes(DIGITS[5].strokes) } }, 'Output');
    const back = () => page.evaluate(() => new Promise((resolve) => {
      const channel = new BroadcastChannel('bytes');
      channel.onmessage = ({ data }) => { channel.close(); resolve(data); };
      channel.postMessage('?');
    }));
    await back();
    await ask(page, { Show: { generation: 3, picture: strokes(DIGITS[3].strokes) } }, 'Output');
    if (backend === 'gpu') assert.equal(await back(), 40, 'the output alone is read back');
    await page.waitForTimeout(500);
    for (const n of [0, 1]) {
      pictures[backend].push(await page.evaluate(async ([id, [width, height]]) => {
        const context = new OffscreenCanvas(width, height).getContext('2d');
        context.drawImage(await createImageBitmap(document.getElementById(id)), 0, 0);
        return [...context.getImageData(0, 0, width, height).data];
      }, [`${backend}${n}`, size]));
    }
    await shot(`maps of the ${backend} engine`);
    await page.evaluate(() => window.engine.worker.terminate());
  }
  for (const n of [0, 1]) {
    const [cpu, gpu] = [pictures.cpu[n], pictures.gpu[n]];
    assert.ok(new Set(cpu).size > 50, 'there is something to compare');
    const apart = cpu.map((v, i) => Math.abs(v - gpu[i]));
    // The CPU's colours come from a table of 512 steps.
    const off = apart.filter((d) => d > 4).length;
    assert.ok(off === 0, `picture ${n}: ${off} of ${apart.length} bytes differ, by up to ${apart.reduce((a, b) => Math.max(a, b))}`);
  }
});

scenario('every kernel computes on WebGPU what it computes on the CPU', { timeout: 120_000 }, async ({ page }) => {
  await start(page);
  await ask(page, { Start: { backend: 'cpu' } }, 'Engine');
  const { value } = await ask(page, { SelfTest: { request: 5 } }, 'SelfTested');
  assert.ok(value.cases.length > 30, `${value.cases.length} cases`);
  assert.deepEqual(value.failed, []);
});

scenario('a lost device is told, and the CPU goes on', {}, async ({ page }) => {
  await open(page, 'gpu', 'lenet5');
  const show = (generation) => ask(page, { Show: { generation, picture: strokes(DIGITS[7].strokes) } }, 'Output');
  const before = await show(3);
  const engine = await ask(page, 'LoseDevice', 'Engine');
  assert.deepEqual([engine.value.backend, engine.value.why], ['cpu', 'device-lost']);
  const after = await show(4);
  assert.equal(after.value.predicted, before.value.predicted);
  const back = await ask(page, { UseBackend: 'gpu' }, 'Engine');
  assert.deepEqual([back.value.backend, back.value.why], ['gpu', 'asked']);
  assert.equal((await show(5)).value.predicted, 7);
});

scenario('the engine chooses by itself', {}, async ({ page }) => {
  await start(page);
  const { value } = await ask(page, { Start: { backend: null } }, 'Engine');
  assert.deepEqual([value.backend, value.why, value.gpu_available], ['cpu', 'software', true]);
});

scenario('the engine without WebGPU', { gpu: false }, async ({ page }) => {
  await start(page);
  const { value } = await ask(page, { Start: { backend: 'gpu' } }, 'Engine');
  assert.equal(value.backend, 'cpu');
  assert.ok(['no-webgpu', 'no-adapter'].includes(value.why), value.why);
});

scenario('the engine over plain http on a LAN', { lan: true }, async ({ page }) => {
  await start(page);
  const { value } = await ask(page, { Start: { backend: null } }, 'Engine');
  assert.deepEqual([value.backend, value.why], ['cpu', 'insecure']);
});

scenario('files that are not weights, and messages that are none', {}, async ({ page }) => {
  await open(page, 'cpu', 'lenet5');
  const key = await page.evaluate(() => {
    const failed = new Promise((resolve) => { window.engine.hear('Nothing').catch((e) => resolve(e.message)); });
    window.engine.tell({ Open: { generation: 2, variant: 'lenet5', weights: { File: 'x.safetensors' } } }, new TextEncoder().encode('<!DOCTYPE html>').buffer);
    return failed;
  });
  assert.match(key, /^weights-format: This is not a safetensors file/);
  const bad = await page.evaluate(() => {
    const failed = new Promise((resolve) => { window.engine.hear('Nothing').catch((e) => resolve(e.message)); });
    window.engine.worker.postMessage([{ Nonsense: {} }]);
    return failed;
  });
  assert.match(bad, /^bad-command/);
  assert.equal((await ask(page, { Show: { generation: 3, picture: 'Empty' } }, 'Output')).value.output ?? null, null);
});
