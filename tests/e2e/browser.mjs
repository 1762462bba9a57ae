// Chromium under Xvfb, with or without WebGPU. Knows nothing of the page.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { chromium } from 'playwright-core';

// A name that is not localhost: such a page is no secure context and has no navigator.gpu, like one served on a class's LAN.
export const LAN = 'receptive.lan';

const FLAGS = [
  '--no-sandbox', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync',
  // Every other name does not resolve: a request that left the page's origin would fail and be seen.
  `--host-resolver-rules=MAP ${LAN} 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1`,
  // A camera that shows a moving pattern; whether a page may use it is still asked.
  '--use-fake-device-for-media-stream',
  '--use-angle=gl', '--ignore-gpu-blocklist', '--disable-gpu-sandbox',
];
// SwiftShader computes WebGPU on the CPU. Its canvases can be presented only in a window, hence Xvfb and no headless mode.
const WEBGPU = ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'];

// $CHROMIUM, or the first browser of that family on the PATH.
function executable() {
  const names = [process.env.CHROMIUM, 'chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'].filter(Boolean);
  for (const name of names) {
    for (const folder of name.includes('/') ? [''] : process.env.PATH.split(path.delimiter)) {
      const file = path.join(folder, name);
      if (fs.existsSync(file)) return file;
    }
  }
  throw new Error('No Chromium found: install it, or name one with CHROMIUM=/path/to/chromium');
}

// A display of our own. Xvfb picks a free number and writes it to file descriptor 3.
async function display() {
  const xvfb = spawn('Xvfb', ['-displayfd', '3', '-screen', '0', '1920x1200x24', '-nolisten', 'tcp', '-noreset'], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
  });
  process.on('exit', () => xvfb.kill()); // also after an uncaught error
  const name = await new Promise((ready, failed) => {
    xvfb.on('error', () => failed(new Error('Xvfb could not be started: install the package xvfb')));
    xvfb.on('exit', (code) => failed(new Error(`Xvfb ended at once (${code})`)));
    xvfb.stdio[3].once('data', (bytes) => ready(`:${String(bytes).trim()}`));
  });
  return { name, close: () => xvfb.kill() };
}

// Returns { browser, close() }.
export async function launch({ gpu = true } = {}) {
  const screen = await display();
  try {
    const browser = await chromium.launch({
      executablePath: executable(),
      headless: false,
      args: [...FLAGS, ...(gpu ? WEBGPU : [])],
      env: { ...process.env, DISPLAY: screen.name },
    });
    return { browser, close: async () => { await browser.close(); screen.close(); } };
  } catch (error) {
    screen.close();
    throw error;
  }
}
