// A static web server for dist/ at a sub-path, as any host would serve it. Knows no file by name.
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';

const TYPES = {
  '.css': 'text/css', '.html': 'text/html', '.js': 'text/javascript', '.json': 'application/json', '.mjs': 'text/javascript',
  '.png': 'image/png', '.jpg': 'image/jpeg', '.svg': 'image/svg+xml', '.txt': 'text/plain', '.wasm': 'application/wasm',
  '.webp': 'image/webp', '.gz': 'application/gzip', '.safetensors': 'application/octet-stream',
};

// Starts a server on a free port of the loopback. Returns
//   port, base (the sub-path, with slashes at both ends),
//   requests: [{ path, status }] in the order answered,
//   replace(name, body | null): answers `name` (a path below base) with other bytes: broken files, half files, missing files;
//   down: true makes every connection fail, as a pulled network cable does;
//   close().
export async function serve(root, { base = '/receptive/' } = {}) {
  const replaced = new Map();
  const state = {
    base,
    requests: [],
    down: false,
    replace: (name, body) => replaced.set(name, body),
    close: () => new Promise((done) => { server.close(done); server.closeAllConnections(); }),
  };
  const server = http.createServer((request, response) => {
    if (state.down) return request.socket.destroy();
    const answer = (status, headers = {}, body) => {
      state.requests.push({ path: request.url, status });
      response.writeHead(status, headers);
      response.end(request.method === 'HEAD' ? undefined : body);
    };
    const { pathname } = new URL(request.url, 'http://localhost');
    if (!pathname.startsWith(base)) return answer(404);
    let name = decodeURIComponent(pathname.slice(base.length)) || 'index.html';
    if (name.endsWith('/')) name += 'index.html';
    const file = path.join(root, name);
    if (!file.startsWith(root)) return answer(403);
    const type = { 'content-type': TYPES[path.extname(name)] ?? 'application/octet-stream' };
    if (replaced.has(name)) {
      const body = replaced.get(name);
      return body === null ? answer(404) : answer(200, type, body);
    }
    fs.readFile(file, (error, body) => {
      if (error) return answer(404);
      // As common servers do, so that conditional requests are exercised too.
      const etag = `"${fs.statSync(file).mtimeMs.toString(36)}-${body.length.toString(36)}"`;
      if (request.headers['if-none-match'] === etag) return answer(304, { etag });
      answer(200, { ...type, etag }, body);
    });
  });
  await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
  state.port = server.address().port;
  return state;
}
