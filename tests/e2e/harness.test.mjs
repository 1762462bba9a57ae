// The harness notices what it promises to notice: each fault is made on purpose, on the page and in a worker.
import assert from 'node:assert/strict';
import { pixel, scenario } from './harness.mjs';

// A scenario on an empty page instead of Receptive.
const onBlankPage = (name, options, body) => scenario(name, { ...options, open: false }, async (tools) => {
  tools.server.replace('index.html', '<!DOCTYPE html><html lang="en"><link rel="icon" href="data:,"><title>blank</title><main><h1>blank</h1></main>');
  await tools.go();
  await body(tools);
});

const FAULTS = {
  'console error': [`console.error('deliberate')`, /^console error: deliberate/],
  'console warning': [`console.warn('deliberate')`, /^console warning: deliberate/],
  'uncaught error': [`setTimeout(() => { throw new Error('deliberate'); })`, /^(uncaught|console error): .*deliberate/],
  'rejected promise': [`Promise.reject(new Error('deliberate'))`, /^(uncaught|console error): .*deliberate/],
  'missing file': [`fetch(self.base + 'no-such-file')`, /^status 404: .*no-such-file/],
  'other origin': [`fetch('http://elsewhere.example/x').catch(() => {})`, /^request to another origin: http:\/\/elsewhere\.example\/x/],
};

for (const [name, [code, expected]] of Object.entries(FAULTS)) {
  for (const where of ['page', 'worker']) {
    onBlankPage(`${name}, in the ${where}, is noticed`, { allow: [/./] }, async ({ page, complaints }) => {
      assert.deepEqual(complaints, [], 'the page itself is silent');
      await page.evaluate(([code, where]) => {
        const source = `self.base = ${JSON.stringify(document.baseURI)}; ${code};`;
        const script = document.createElement('script');
        script.textContent = source;
        if (where === 'page') document.head.append(script);
        else window.faulty = new Worker(URL.createObjectURL(new Blob([source], { type: 'text/javascript' })));
      }, [code, where]);
      for (let tries = 0; tries < 40 && !complaints.some((text) => expected.test(text)); tries += 1) await page.waitForTimeout(50);
      assert.ok(complaints.some((text) => expected.test(text)), `noticed only: ${complaints.join('; ')}`);
    });
  }
}

onBlankPage('a long task is measured by what it takes of the processor', {}, async ({ page, calm }) => {
  const work = (rounds) => page.evaluate((rounds) => new Promise((done) => setTimeout(() => {
    let x = 0;
    for (let i = 0; i < rounds; i++) x += Math.sqrt(i ^ x);
    setTimeout(done, 50, x);
  })), rounds);
  await calm('working a little', () => work(1e5));
  await assert.rejects(() => calm('working long', () => work(3e8)), /tasks over 50 ms while working long/);
});

for (const input of ['mouse', 'pen', 'touch']) {
  onBlankPage(`strokes arrive where they were aimed, ${input}`, { touch: input === 'touch' }, async ({ page, draw }) => {
    await page.evaluate(() => {
      document.body.innerHTML = '<div id="pad" style="position:absolute;left:40px;top:30px;width:140px;height:140px;touch-action:none"></div>';
      window.seen = [];
      for (const type of ['pointerdown', 'pointermove', 'pointerup']) {
        document.getElementById('pad').addEventListener(type, (e) => {
          if (type !== 'pointermove' || e.buttons) window.seen.push([type, e.pointerType, Math.round(e.offsetX), Math.round(e.offsetY)]);
        });
      }
    });
    await draw('#pad', [[[0, 0], [140, 280]]], { input, place: { x: 140, y: 0, size: 140 } });
    const seen = await page.evaluate(() => window.seen);
    assert.deepEqual(seen.filter(([type]) => type !== 'pointerup'), [['pointerdown', input, 70, 0], ['pointermove', input, 105, 70]]);
    assert.equal(seen.at(-1)[0], 'pointerup');
  });
}

onBlankPage('an unnamed button is found by axe', {}, async ({ page, axe }) => {
  await page.evaluate(() => { document.body.innerHTML = '<main><h1>x</h1><button></button></main>'; });
  await assert.rejects(axe(), /button-name/);
});

// Presenting is what fails in headless browsers: the pictures of the tests would be empty and nobody would know.
onBlankPage('a WebGPU canvas painted by a worker is in the screenshot', {}, async ({ page }) => {
  await page.evaluate(() => {
    const paint = async ({ data: canvas }) => {
      const adapter = await navigator.gpu.requestAdapter();
      const device = await adapter.requestDevice();
      const context = canvas.getContext('webgpu');
      context.configure({ device, format: navigator.gpu.getPreferredCanvasFormat() });
      const encoder = device.createCommandEncoder();
      const view = context.getCurrentTexture().createView();
      encoder.beginRenderPass({ colorAttachments: [{ view, clearValue: [1, 0.5, 0, 1], loadOp: 'clear', storeOp: 'store' }] }).end();
      device.queue.submit([encoder.finish()]);
      await device.queue.onSubmittedWorkDone();
      postMessage('painted');
    };
    document.body.innerHTML = '<canvas width="64" height="64" style="position:absolute;left:0;top:0"></canvas>';
    const canvas = document.querySelector('canvas').transferControlToOffscreen();
    const worker = new Worker(URL.createObjectURL(new Blob([`onmessage = ${paint}`], { type: 'text/javascript' })));
    worker.postMessage(canvas, [canvas]);
    return new Promise((done) => { worker.onmessage = done; });
  });
  await page.waitForTimeout(200);
  assert.deepEqual(await pixel(page, 32, 32), [255, 128, 0]);
});
