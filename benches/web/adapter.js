// Our engine in the peers' harness; the contract is in the head of its page/harness.js.
import start, { Net, Trainer } from './receptive_bench_web.js';
let backend;
export async function init(name) {
  await start();
  backend = name;
  return { version: '0.1.0' };
}
export async function load(model, urls) {
  const [graph, bin] = await Promise.all([fetch(urls.json).then((r) => r.text()), fetch(urls.bin).then((r) => r.arrayBuffer())]);
  return { graph, weights: new Float32Array(bin) };
}
export async function prepare(handle, x, shape) {
  handle.net = await Net.create(backend, handle.graph, handle.weights, new Uint32Array(shape));
  return x;
}
export const run = ({ net }, x) => net.run(x);
export async function trainer(kind, spec) {
  if (kind !== 'lenet5' && kind !== 'lenet5-modern') throw new Error(`no training of ${kind}`);
  const parts = Object.values(spec.weights).map((w) => w.data);
  const weights = new Float32Array(parts.reduce((n, p) => n + p.length, 0));
  parts.reduce((at, p) => (weights.set(p, at), at + p.length), 0);
  // OURS_VARIANT in the page's address trains that variant instead of the harness' own network.
  const variant = new URLSearchParams(location.search).get('variant') ?? undefined;
  const net = await Trainer.create(backend, variant, spec.batch, spec.lr, spec.momentum, weights);
  return { step: ({ x, y }, want) => net.step(x, Float32Array.from(y), want) };
}
