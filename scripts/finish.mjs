// Trunk's post-build hook: what Trunk leaves undone. Works on the staging folder, before Trunk moves it to dist/.
//  1. The folders of www/ (weights, data, images …) are copied as they are. Single files there are named by index.html.
//  2. The worker's three files get a hash in their names, as the page's have: a page never meets another build's engine.
//  3. The service worker gets the list of files.
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';

const source = process.env.TRUNK_SOURCE_DIR;
const staging = process.env.TRUNK_STAGING_DIR;
const at = (name) => path.join(staging, name);
const read = (name) => fs.readFileSync(at(name), 'utf8');
const digest = (...parts) => {
  const hash = crypto.createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest('hex').slice(0, 16);
};
// Replaces a text that must be there: a silent miss would ship a page without its engine.
const replace = (name, from, to) => {
  const text = read(name);
  if (!text.includes(from)) throw new Error(`${name}: does not contain ${from}`);
  fs.writeFileSync(at(name), text.replaceAll(from, to));
};

for (const entry of fs.readdirSync(path.join(source, 'www'), { withFileTypes: true })) {
  if (entry.isDirectory()) fs.cpSync(path.join(source, 'www', entry.name), at(entry.name), { recursive: true });
}

const hash = digest(read('engine.js'), fs.readFileSync(at('engine_bg.wasm')));
replace('engine.js', 'engine_bg.wasm', `engine-${hash}_bg.wasm`);
replace('engine_loader.js', './engine.js', `./engine-${hash}.js`);
// Messages that come while the worker's program is still loading are kept for it (src/engine/worker.rs).
fs.writeFileSync(at('engine_loader.js'), `self.early = []; self.onmessage = (event) => self.early.push(event);\n${read('engine_loader.js')}`);
replace('index.html', './engine_loader.js', `./engine-${hash}_loader.js`);
for (const tail of ['.js', '_bg.wasm', '_loader.js']) fs.renameSync(at(`engine${tail}`), at(`engine-${hash}${tail}`));

// Kept for offline use only once somebody has used it: MNIST (11 MB), photographs, names of classes.
const onUse = [];
const files = [];
for (const entry of fs.readdirSync(staging, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile()) continue;
  const name = path.relative(staging, path.join(entry.parentPath ?? entry.path, entry.name)).split(path.sep).join('/');
  if (/^(data|images|labels)\//.test(name)) onUse.push(name);
  else files.push(name);
}
files.sort();
const version = digest(...files.map((name) => `${name} ${digest(fs.readFileSync(at(name)))}\n`));
fs.copyFileSync(path.join(source, 'www', 'sw.js'), at('sw.js'));
replace('sw.js', "{ version: '', files: [], onUse: [] }", JSON.stringify({ version, files, onUse }));
