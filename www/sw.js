// Makes the page work offline after the first visit. Knows the build's file list (scripts/finish.mjs fills it in), nothing of networks.
//
// One cache per build, filled whole or not at all, so an offline page never mixes two builds. Names that carry a hash never change
// and are answered from the cache; all others are asked of the server first, so a new build shows at the next load, while
// developing too. Large data (`onUse`) is kept only once it has been used.
const build = { version: '', files: [], onUse: [] };

const CACHE = `receptive-${build.version}`;
const DATA = 'receptive-data';
const HASHED = /-[0-9a-f]{8,}(_bg|_loader)?\.(js|wasm|css|svg)$/;
// A server that does not answer within this time is treated as absent.
const PATIENCE_MS = 4000;

const scope = self.registration.scope;
const relative = (url) => (url.startsWith(scope) ? url.slice(scope.length).replace(/[?#].*$/, '') : null);

self.addEventListener('install', (event) => {
  event.waitUntil((async () => {
    const cache = await caches.open(CACHE);
    await Promise.all(build.files.map(async (name) => {
      const url = new URL(name, scope).href;
      // A hashed file may come from the browser's own cache; for the rest the server is asked whether it changed.
      const response = await fetch(url, { cache: HASHED.test(name) ? 'default' : 'no-cache' });
      if (!response.ok) throw new Error(`${name}: ${response.status}`);
      await cache.put(url, response);
    }));
    await self.skipWaiting();
  })());
});

self.addEventListener('activate', (event) => {
  event.waitUntil((async () => {
    for (const key of await caches.keys()) {
      if (key.startsWith('receptive-') && key !== CACHE && key !== DATA) await caches.delete(key);
    }
    const data = await caches.open(DATA);
    for (const request of await data.keys()) {
      if (!build.onUse.includes(relative(request.url))) await data.delete(request);
    }
    await self.clients.claim();
  })());
});

self.addEventListener('fetch', (event) => {
  const { request } = event;
  const name = relative(request.url);
  if (request.method !== 'GET' || name === null || request.headers.has('range')) return;
  event.respondWith(HASHED.test(name) ? unchanging(request) : current(event, name));
});

// From the cache; from the server if another build wants it.
async function unchanging(request) {
  return (await caches.match(request.url)) ?? fetch(request);
}

// From the server; from the cache when there is no server.
async function current(event, name) {
  const onUse = build.onUse.includes(name);
  const cache = await caches.open(onUse ? DATA : CACHE);
  const key = new URL(name || 'index.html', scope).href;
  const cached = await cache.match(key);
  if (!cached && !onUse) return fetch(event.request);
  const hurry = new AbortController();
  // The first answer must come soon, the rest of a large file may take its time.
  const timer = cached && setTimeout(() => hurry.abort(), PATIENCE_MS);
  try {
    // By address: a navigation's request cannot be given other options. 'no-cache' asks whether the file has changed.
    const response = await fetch(event.request.url, { cache: 'no-cache', signal: hurry.signal });
    if (onUse && response.ok) event.waitUntil(cache.put(key, response.clone()));
    return response;
  } catch (error) {
    if (cached) return cached;
    throw error;
  } finally {
    clearTimeout(timer);
  }
}
