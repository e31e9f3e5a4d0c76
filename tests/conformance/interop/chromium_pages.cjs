#!/usr/bin/env node
'use strict';
const USAGE = `The pages that the examples bring, in Chromium: typed into as a person would.

chromium_pages URL --page chat|echo [--chromium PATH]
URL of the server (ws://127.0.0.1:PORT or http://...; wss or https with any certificate).

chat  adapter-tokio/examples/axum_chat: several people, one of whom leaves.
echo  adapter-tokio/examples/hyper_upgrade: what is typed comes back.`;
const fs = require('fs');
const os = require('os');
const path = require('path');
const { chromium } = require('playwright-core');
const { Checks, expect, options } = require('./common.cjs');
const [positional, o] = options(process.argv.slice(2), USAGE, { page: '', only: '', chromium: '/usr/bin/chromium' });
if (positional.length !== 1 || !['chat', 'echo'].includes(o.page)) { console.error(USAGE); process.exit(2); }
const url = positional[0].replace(/^ws/, 'http');
const secure = url.startsWith('https');
if (!fs.existsSync(o.chromium)) { console.error(`no ${o.chromium}: setup.sh DIR system`); process.exit(2); }

const LINE = 'Gr\u00fc\u00dfe \u4e16\u754c \u{1F30D}';
// Waits until the page shows a text.
const shows = (page, text) => page.waitForFunction((t) => document.body.innerText.includes(t), text, { timeout: 10000 });
const say = async (page, text) => { await page.fill('#i', text); await page.press('#i', 'Enter'); };

async function chat(c, open) {
  const alice = await open(), bob = await open();
  await c.run('everyone-comes', async () => { await shows(alice, '1 comes'); await shows(alice, '2 comes'); await shows(bob, '2 comes'); });
  await c.run('everyone-hears', async () => {
    await say(alice, LINE);
    await shows(alice, `1: ${LINE}`);
    await shows(bob, `1: ${LINE}`);
    await say(bob, 'and back');
    await shows(alice, '2: and back');
  });
  await c.run('many-lines', async () => {
    await alice.evaluate(() => { for (let n = 0; n < 50; n++) socket.send(`line ${n}`); });
    await shows(bob, '1: line 49');
    const lines = (await bob.innerText('#o')).split('\n').filter((l) => l.startsWith('1: line ')).reverse();
    expect(lines.join() === [...Array(50).keys()].map((n) => `1: line ${n}`).join(), `${lines.length} lines, or in another order`);
  });
  await c.run('one-leaves', async () => {
    await bob.close();
    await shows(alice, '2 goes');
  });
  await c.run('too-long-a-line', async () => {
    // Four kilobytes are a line; more is answered with 1009, and the others stay.
    const third = await open();
    await shows(third, ' comes');
    await third.evaluate(() => socket.send('x'.repeat(5000)));
    await shows(third, 'closed: 1009');
    await say(alice, 'still here');
    await shows(alice, '1: still here');
  });
}

async function echo(c, open) {
  const page = await open();
  await c.run('typed', async () => { await say(page, LINE); await shows(page, LINE); });
  await c.run('many', async () => {
    await page.evaluate(() => { for (let n = 0; n < 500; n++) socket.send(`line ${n}`); });
    await shows(page, 'line 499');
    const lines = (await page.innerText('#o')).split('\n').filter((l) => l.startsWith('line '));
    expect(lines.join() === [...Array(500).keys()].map((n) => `line ${n}`).join(), `${lines.length} lines, or in another order`);
  });
  await c.run('close', async () => {
    await page.evaluate(() => socket.close(4000, 'done'));
    await shows(page, 'closed: 4000');
  });
}

(async () => {
  const profile = fs.mkdtempSync(path.join(os.tmpdir(), 'chromium-pages-'));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: o.chromium, headless: true,
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
      '--disable-background-networking', '--disable-component-update', '--disable-sync',
      ...(secure ? ['--ignore-certificate-errors'] : [])],
    ignoreHTTPSErrors: secure,
  });
  const c = new Checks(`Chromium, page of the ${o.page}`, o.only);
  const open = async () => {
    const page = await context.newPage();
    await page.goto(url);
    console.log('page over ' + await page.evaluate(() => performance.getEntriesByType('navigation')[0].nextHopProtocol));
    return page;
  };
  await (o.page === 'chat' ? chat : echo)(c, open);
  await context.close();
  fs.rmSync(profile, { recursive: true, force: true });
  process.exit(c.end());
})().catch((error) => { console.error(error.message); process.exit(1); });
