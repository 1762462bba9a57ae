// Weights and pictures as they come into the page: file handles, parts of a set, addresses, photographs; and what is not fetched unasked.
import assert from 'node:assert/strict';
import { scenario } from './harness.mjs';
import { engine } from './page.mjs';

const query = '?backend=cpu&lang=en';

// Runs in the page: the first logits for a fixed input.
const logits = (page) => page.evaluate(async () => {
  const x = Float32Array.from({ length: 1024 }, (_, i) => Math.sin(i));
  return [...(await window.receptive.infer(x)).output];
});

// Runs in the page: opens with what `make` gives; the error's sentence, or nothing.
const open = (page, make, variant = 'lenet5-modern') => page.evaluate(async ([make, variant]) => {
  // A safetensors file cut into one per half of its tensors.
  window.parts = (buffer) => {
    const length = Number(new DataView(buffer).getBigUint64(0, true));
    const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length)));
    delete header.__metadata__;
    const names = Object.keys(header);
    return [names.slice(0, 3), names.slice(3)].map((own) => {
      let at = 0;
      const pieces = [];
      const part = Object.fromEntries(own.map((name) => {
        const { dtype, shape, data_offsets: [from, to] } = header[name];
        pieces.push(buffer.slice(8 + length + from, 8 + length + to));
        const entry = { dtype, shape, data_offsets: [at, at + to - from] };
        at += to - from;
        return [name, entry];
      }));
      const text = new TextEncoder().encode(JSON.stringify(part));
      return [own, new Blob([new BigUint64Array([BigInt(text.length)]), text, ...pieces])];
    });
  };
  const file = await (await fetch('weights/lenet5-modern.safetensors')).arrayBuffer();
  const weights = await new Function('file', `return (${make})(file)`)(file);
  return window.receptive.open(variant, weights).then(() => '', (error) => error.message);
}, [make.toString(), variant]);

scenario('weights from handles, parts, an index and addresses are the same', { query, timeout: 60_000 }, async ({ page }) => {
  await engine(page);
  const expected = await logits(page).then(() => open(page, (file) => file)).then(() => logits(page));
  const ways = {
    handle: (file) => new File([file], 'own.safetensors'),
    parts: (file) => window.parts(file).map(([, blob], i) => new File([blob], `m-${i}.safetensors`)),
    index: (file) => {
      const parts = window.parts(file);
      const map = Object.fromEntries(parts.flatMap(([names], i) => names.map((name) => [name, `m-${i}.safetensors`])));
      const index = new File([JSON.stringify({ weight_map: map })], 'model.safetensors.index.json');
      return [...parts.map(([, blob], i) => new File([blob], `m-${i}.safetensors`)), index];
    },
    url: () => ({ url: 'weights/lenet5-modern.safetensors' }),
    blob: (file) => ({ url: URL.createObjectURL(new Blob([file])) }),
  };
  for (const [name, make] of Object.entries(ways)) {
    assert.equal(await open(page, () => ({ seed: 3 })), '');
    assert.notDeepEqual(await logits(page), expected, name);
    assert.equal(await open(page, make), '', name);
    assert.deepEqual(await logits(page), expected, name);
  }
  // What cannot be: a sentence, and the weights stay.
  for (const [make, words] of [
    [(file) => new File([file.slice(0, 5000)], 'short.safetensors'), /cut short: it has 5000 of/],
    [(file) => [new File([window.parts(file)[1][1]], 'm-1.safetensors')], /Missing \(3\): conv1/],
    [() => new File([JSON.stringify({ weight_map: { a: 'm-7.safetensors' } })], 'i.json'), /Choose these together with it: m-7\.safetensors/],
    [() => new File(['PK\x03\x04 archive/data.pkl'], 'model.pth'), /python3 -c "import torch/],
    [() => [1], /open takes weights as/],
  ]) {
    assert.match(await open(page, make), words);
    assert.deepEqual(await logits(page), expected);
  }
});

scenario('photographs and names are fetched when wanted, and prepared', { query, timeout: 60_000 }, async ({ page, server }) => {
  await engine(page);
  const early = server.requests.map((r) => r.path).filter((path) => /images\/|labels\//.test(path));
  assert.deepEqual(early, []);
  const seen = await page.evaluate(async () => {
    const worker = new Worker(document.querySelector('meta[name=engine]').content, { type: 'module' });
    const events = [];
    let wake = () => {};
    worker.onmessage = ({ data }) => { events.push(data); wake(); };
    const until = async (kind, generation) => {
      for (;;) {
        const found = events.find(([event]) => event[kind]?.generation === generation);
        if (found) return found;
        const failed = events.find(([event]) => event.Failed !== undefined);
        if (failed) throw new Error(failed[0].Failed.fault.detail);
        await new Promise((resolve) => { wake = resolve; });
      }
    };
    worker.postMessage([{ Start: { backend: 'cpu' } }]);
    worker.postMessage([{ Open: { generation: 1, variant: 'resnet20-cifar', weights: { Seed: 1 } } }]);
    await until('Opened', 1);
    const bitmap = await createImageBitmap(await (await fetch('images/cat.webp')).blob());
    const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
    canvas.getContext('2d').drawImage(bitmap, 0, 0);
    const { data, width, height } = canvas.getContext('2d').getImageData(0, 0, bitmap.width, bitmap.height);
    worker.postMessage([{ Show: { generation: 2, picture: { Photo: { width, height } } } }, data.buffer], [data.buffer]);
    const [{ Shown }, input] = await until('Shown', 2);
    const [{ Output }] = await until('Output', 2);
    worker.terminate();
    const mean = [0, 1, 2].map((c) => input.slice(c * 1024, (c + 1) * 1024).reduce((sum, v) => sum + v, 0) / 1024);
    const names = (await (await fetch('labels/imagenet.txt')).text()).trim().split('\n');
    return { size: [width, height], shape: Shown.shape, length: input.length, mean, finite: Output.output.every(Number.isFinite), names: names.length };
  });
  assert.deepEqual([seen.size, seen.length, seen.finite, seen.names], [[385, 256], 3072, true, 1000]);
  // A ginger cat: more red than green, more green than blue.
  assert.ok(seen.mean[0] > seen.mean[1] && seen.mean[1] > seen.mean[2] - 0.2, String(seen.mean));
});
