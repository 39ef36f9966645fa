// What a page costs: bytes that it loads of ours, and for people to read, how
// soon it shows something on a CPU that is four times slower.
import test from 'node:test';
import assert from 'node:assert/strict';
import { gzipSync } from 'node:zlib';
import fs from 'node:fs';
import path from 'node:path';
import { app, harness, until } from '../harness/harness.mjs';

// Bytes of our own scripts per page, as they lie in the repository; LuCI's build
// strips comments and blanks.
const limits = { 'admin/status/ntsd': 72 << 10, 'admin/status/overview': 40 << 10, 'admin/services/ntsd': 200 << 10 };

for (const [where, limit] of Object.entries(limits)) {
	test(`weight: ${where}`, async (t) => {
		const h = await harness();
		Object.assign(h, { mode: 'bus', recorded: null, alter: null });
		await h.world.startDaemon();
		await until('an answer', () => h.world.ask('report'));
		h.bytes = new Map();
		const page = await h.open('admin/status/ntsd'); // warms the browser
		h.bytes.clear();
		const cdp = await page.context().newCDPSession(page);
		await cdp.send('Network.setCacheDisabled', { cacheDisabled: true });
		await cdp.send('Emulation.setCPUThrottlingRate', { rate: 4 });
		await page.goto(`${h.http.url}/cgi-bin/luci/${where}`);
		await page.waitForSelector('#view h2, #view h3');
		const shown = await page.evaluate(() => performance.now());
		const paint = await page.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? NaN);
		const ours = [...h.bytes.keys()].filter((name) => fs.existsSync(path.join(app, 'htdocs', name)));
		const sum = (f) => ours.reduce((n, name) => n + f(fs.readFileSync(path.join(app, 'htdocs', name))), 0);
		const bytes = sum((b) => b.length);
		t.diagnostic(`${where}: ${ours.length} scripts, ${bytes} bytes, ${sum((b) => gzipSync(b).length)} compressed; ` +
			`first paint ${paint.toFixed(0)} ms, content ${shown.toFixed(0)} ms at a quarter of the CPU`);
		await page.context().close();
		h.bytes = null;
		assert.ok(ours.length > 0 && bytes <= limit, `${bytes} bytes of ${ours}, want at most ${limit}`);
	});
}
