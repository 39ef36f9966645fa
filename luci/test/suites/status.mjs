// The status page and the widget of LuCI's first page, on a running daemon.
import test, { beforeEach } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { Access } from '../harness/bus.mjs';
import { faint } from '../harness/contrast.mjs';
import { close, harness, luciDir, servedAt, servedPort, until } from '../harness/harness.mjs';

const where = 'admin/status/ntsd';
const read = (name) => JSON.parse(fs.readFileSync(new URL(`../data/${name}.json`, import.meta.url)));

/** A daemon that is synchronised, and no leftovers of the test before. */
async function ready() {
	const h = await harness();
	Object.assign(h, { mode: 'bus', recorded: null, alter: null, enabled: true, leases: { dhcp_leases: [], dhcp6_leases: [] } });
	h.calls.length = 0;
	await h.world.startDaemon();
	await until('synchronisation by all', async () => {
		const r = await h.world.ask('report');
		return r.tracking.synchronised && r.sources.every((s) => '*+-'.includes(s.mark) && s.reach);
	}, 20);
	return h;
}

/** The test's daemon never sets the clock; pages are to look as on a router. */
const asOnARouter = (method, body) => {
	if (method === 'status') body.daemon.dry_run = false;
	return body;
};

const text = (page, selector) => page.locator(selector).innerText();

beforeEach(async () => { await ready(); });

test('status: everything is shown, light, dark and on a phone', async () => {
	const h = await ready();
	h.alter = asOnARouter;
	await h.world.order('ask', 5, `${servedAt}:${servedPort}`);
	for (const look of [{}, { dark: true }, { phone: true }]) {
		const page = await h.open(where, look);
		const all = await text(page, '#view');
		assert.match(all, /Synchronised and authenticated by [123] servers?, within/);
		for (const word of ['Offset', 'Error at most', 'Frequency', 'Stratum', 'Leap second', 'Synchronised for', 'Requests per second', 'With NTS', 'Key exchanges', 'Written to flash', 'UTC']) assert.match(all, new RegExp(word), word);
		assert.equal(await page.locator('.ntsd-table').nth(0).locator('.tr').count(), 4, 'three sources');
		assert.match(all, /AES-128-GCM-SIV/);
		assert.match(all, /\d of 8/);
		assert.match(all, /by ntsd demo CA/);
		assert.match(all, /X25519MLKEM768/);
		assert.match(all, /north\.example/);
		await until('the line of the graph', () => page.evaluate(() => document.querySelector('.ntsd-line').getAttribute('d').startsWith('M')));
		await h.shot(page, `status${Object.keys(look).map((k) => `-${k}`).join('')}`);
		await close(page);
	}
});

test('status: reach has a text, and nothing speaks by colour alone', async () => {
	const h = await ready();
	const page = await h.open(where);
	const dots = page.locator('.ntsd-reach').first();
	assert.match(await dots.getAttribute('aria-label'), /^\d of the last 8 requests were answered$/);
	assert.equal(await dots.locator('i').count(), 8);
	const sign = page.locator('.ntsd-verdict .ntsd-sign');
	assert.equal(await sign.getAttribute('aria-label'), 'Note');
	assert.match(await text(page, '.ntsd-verdict'), /Dry run/);
	const unnamed = await page.evaluate(() => [...document.querySelectorAll('#view button, #view a, #view input')]
		.filter((e) => !(e.innerText || e.labels?.[0]?.innerText || e.getAttribute('aria-label') || '').trim()).map((e) => e.outerHTML));
	assert.deepEqual(unnamed.filter((s) => !s.includes('ntsd-hide')), [], 'without a name');
	await close(page);
});

test('status: all words stand out, light and dark', async () => {
	const h = await ready();
	for (const name of ['report', 'bootstrap']) {
		h.recorded = { status: read(name) };
		for (const dark of [false, true]) {
			const page = await h.open(where, { dark });
			assert.deepEqual(await page.evaluate(faint), [], `${name}, ${dark ? 'dark' : 'light'}`);
			await close(page);
		}
	}
});

test('status: the page follows the daemon by itself', async () => {
	const h = await ready();
	const page = await h.open(where);
	const rate = () => page.locator('dl:has-text("Requests per second") dd').first().innerText();
	const asked = (await h.world.ask('serverstats')).received;
	// Again and again: each answer shows the rate since the one before.
	await until('a rate', async () => {
		await h.world.order('ask', 20, `${servedAt}:${servedPort}`);
		const [now, all] = (await rate()).split('\n').map((s) => +s.replace(/[^\d.]/g, ''));
		return now > 0 && all > asked;
	});
	const before = await page.locator('.ntsd-tiles').first().innerText();
	await until('another answer', async () => (await page.locator('.ntsd-tiles').first().innerText()) !== before);
	await close(page);
});

test('status: graphs by hour, day and week, read by keyboard', async () => {
	const h = await ready();
	const page = await h.open(where);
	for (const span of ['Day', 'Week', 'Hour']) {
		const asked = h.calls.filter((c) => c === 'ntsd.history').length;
		await page.getByRole('button', { name: span, exact: true }).click();
		await until(span, () => h.calls.filter((c) => c === 'ntsd.history').length > asked);
	}
	assert.equal(await page.getByRole('button', { name: 'Hour', exact: true }).getAttribute('aria-pressed'), 'true');
	const graph = page.locator('.ntsd-graph').first();
	await graph.focus();
	const readout = page.locator('.ntsd-readout').first();
	await page.keyboard.press('Home');
	assert.match(await readout.innerText(), /2\d{3}.*: [+−].* ± /, 'a date, a value and its bound');
	await page.getByLabel('Show the error bound').check();
	assert.match(await page.locator('.ntsd-band').first().getAttribute('d'), /^M.*Z$/s);
	await close(page);
});

test('status: a long history is drawn with its gaps', async () => {
	const h = await ready();
	const now = Date.now() / 1000;
	const points = [];
	for (let i = 0; i < 360; i++) {
		if (i > 150 && i < 200) continue; // nothing is known of this time
		const wave = 3e-4 * Math.sin(i / 20) * Math.exp(-i / 200);
		points.push([now - 3600 + i * 10, wave, wave - 5e-5, wave + 6e-5, 4e-4 + 2e-4 * Math.cos(i / 30), 12.3 + 0.2 * Math.sin(i / 60)]);
	}
	h.alter = asOnARouter;
	h.recorded = { history: { span: 'hour', interval_s: 10, points } };
	for (const dark of [false, true]) {
		const page = await h.open(where, { dark });
		await page.getByLabel('Show the error bound').check();
		const line = await page.locator('.ntsd-line').first().getAttribute('d');
		assert.equal(line.match(/M/g).length, 2, 'two pieces');
		await h.shot(page, `graph${dark ? '-dark' : ''}`);
		await close(page);
	}
});

test('status: buttons ask before they act', async () => {
	const h = await ready();
	const page = await h.open(where);
	await page.getByRole('button', { name: 'Poll now' }).click();
	assert.match(await text(page, '.modal'), /Ask all servers/);
	await page.locator('.modal').getByRole('button', { name: 'Cancel' }).click();
	await until('the window to close', async () => !(await page.locator('.modal').isVisible()));
	assert.ok(!h.calls.includes('ntsd.action'), 'nothing happened yet');

	const sent = async () => (await h.world.ask('report')).sources.reduce((n, s) => n + s.counters.tx, 0);
	await page.getByRole('button', { name: 'Poll now' }).click();
	await h.shot(page, 'ask');
	const before = await sent();
	await page.locator('.modal').getByRole('button', { name: 'Poll now' }).click();
	await until('the answer', async () => /being asked/.test(await text(page, '.ntsd-bar [role=status]')));
	await until('a burst', async () => (await sent()) >= before + 6);

	const keys = async () => (await h.world.ask('report')).sources.reduce((n, s) => n + s.auth.key_establishments, 0);
	const had = await keys();
	await page.getByRole('button', { name: 'Renew keys' }).click();
	await page.locator('.modal').getByRole('button', { name: 'Renew keys' }).click();
	await until('new keys', async () => (await keys()) >= had + 3);

	const steps = async () => (await h.world.ask('report')).tracking.steps;
	const stepped = await steps();
	await page.getByRole('button', { name: 'Step the clock' }).click();
	assert.match(await text(page, '.modal'), /by the .* that it is still off/);
	await page.locator('.modal').getByRole('button', { name: 'Step the clock' }).click();
	await until('the answer', async () => /has been stepped/.test(await text(page, '.ntsd-bar [role=status]')));
	assert.ok((await steps()) >= stepped);
	await close(page);
});

test('status: what the daemon refuses is said', async () => {
	const h = await ready();
	const page = await h.open(where);
	h.recorded = { action: { error: 'no source is meant' } };
	await page.getByRole('button', { name: 'Renew keys' }).click();
	await page.locator('.modal').getByRole('button', { name: 'Renew keys' }).click();
	await until('the notice', async () => /Renew keys failed: no source is meant/.test(await text(page, '#maincontent')));
	await close(page);
});

test('status: a reader sees, and cannot act', async () => {
	const h = await ready();
	const page = await h.open(where, { user: 'reader' });
	assert.match(await text(page, '#view'), /Synchronised and authenticated/);
	assert.equal(await page.getByRole('button', { name: /Poll now|Renew keys|Step the clock/ }).count(), 0);
	assert.match(await text(page, '#view'), /You may look here, but not act/);
	const refusals = await page.evaluate(() => Promise.all([['ntsd', 'action'], ['luci.ntsd', 'action'], ['luci.ntsd', 'start'], ['uci', 'set'], ['uci', 'apply']].map(([object, method]) => fetch('/ubus/', {
		method: 'POST', body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'call', params: ['reader', object, method, { command: 'makestep' }] }),
	}).then((r) => r.json()).then((r) => r.error?.code))));
	assert.deepEqual(refusals, [-32002, -32002, -32002, -32002, -32002]);
	await h.shot(page, 'reader');
	await close(page);
});

test('status: the daemon stops and starts under the page', async () => {
	const h = await ready();
	const page = await h.open(where);
	await h.world.stopDaemon();
	await until('the news', async () => /The time daemon is not running/.test(await text(page, '#view')));
	assert.equal(await page.locator('.ntsd-tiles').first().isVisible(), false, 'no old figures');
	assert.match(await page.locator('.ntsd-heard').textContent(), /not running/, 'read out');
	await h.shot(page, 'stopped');
	await page.getByRole('button', { name: 'Start it' }).click();
	await until('the daemon', async () => /Synchronised and authenticated/.test(await text(page, '#view')), 20);
	assert.ok(h.calls.includes('luci.ntsd.start'));
	await close(page);

	await h.world.stopDaemon();
	const reader = await h.open(where, { user: 'reader' });
	assert.match(await text(reader, '#view'), /The time daemon is not running/);
	assert.equal(await reader.getByRole('button', { name: 'Start it' }).count(), 0);
	await close(reader);

	h.enabled = false;
	const off = await h.open(where, { phone: true });
	await off.getByRole('button', { name: 'Start it' }).click();
	await until('the reason', async () => /The daemon did not start: the daemon is switched off/.test(await text(off, '#maincontent')));
	await close(off);
});

test('status: by the plugin, where the daemon has no object on the bus', async () => {
	const h = await ready();
	h.mode = 'plugin';
	await h.world.order('ask', 3, `${servedAt}:${servedPort}`);
	const page = await h.open(where);
	assert.match(await text(page, '#view'), /Synchronised and authenticated/);
	await until('a client', async () => /127\.0\.0\.1/.test(await text(page, '#view')));
	assert.ok(h.calls.includes('luci.ntsd.status'));
	await page.getByRole('button', { name: 'Poll now' }).click();
	await page.locator('.modal').getByRole('button', { name: 'Poll now' }).click();
	await until('the answer', async () => /being asked/.test(await text(page, '.ntsd-bar [role=status]')));
	assert.ok(h.calls.includes('luci.ntsd.action'));
	h.mode = 'bus';
	h.calls.length = 0;
	await h.world.stopDaemon();
	await until('the news', async () => /not running/.test(await text(page, '.ntsd-verdict')));
	await h.world.startDaemon();
	await until('the daemon\'s own object again', () => h.calls.includes('ntsd.serverstats'));
	await close(page);
});

test('status: who may not even look is told so', async () => {
	const h = await ready();
	const granted = h.http.sessions.reader;
	h.http.sessions.reader = new Access([], false);
	try {
		for (const page of [await h.open(where, { user: 'reader' }), await h.open('admin/status/overview', { user: 'reader' })]) {
			assert.match(await text(page, '#view'), /You may not ask the time daemon/);
			await close(page);
		}
	} finally {
		h.http.sessions.reader = granted;
	}
});

test('status: the ladder while the first time is sought', async () => {
	const h = await ready();
	h.recorded = { status: read('bootstrap') };
	for (const look of [{}, { phone: true }]) {
		const page = await h.open(where, look);
		assert.match(await text(page, '.ntsd-verdict'), /Finding the time: 1 of 3 operators agree/);
		assert.equal(await page.locator('.ntsd-steps li:visible').count(), 9);
		assert.match(await text(page, '.ntsd-steps >> nth=0'), /Reply time\.north\.example: says/);
		await h.shot(page, `ladder${look.phone ? '-phone' : ''}`);
		await close(page);
	}
});

test('status: trouble is told', async () => {
	const h = await ready();
	const r = read('report');
	Object.assign(r.sources[2], { mark: 'x', adjusted_offset_s: 0.05, reach: 0o253 });
	Object.assign(r.sources[2].selection, { letter: 'x', state: 'disagrees with most', why: 'its time is 50 ms off' });
	Object.assign(r.sources[1], { mark: '?', reach: 0, last_rx_ago_s: 7200 });
	Object.assign(r.sources[1].selection, { letter: 'S', state: 'does not answer', why: '' });
	Object.assign(r.sources[1].auth, { last_error: 'certificate has expired', naks: 3, next_ke_in_s: 90 });
	r.daemon.config_warnings = ['/etc/config/ntsd:12: option noval: anyone can pretend to be this server'];
	h.recorded = { status: r };
	for (const look of [{}, { phone: true }]) {
		const page = await h.open(where, look);
		const all = await text(page, '#view');
		assert.match(all, /disagrees with the others and is not used/);
		assert.match(all, /No keys from nts\.south\.example: certificate has expired/);
		assert.match(all, /option noval/);
		await h.shot(page, `trouble${look.phone ? '-phone' : ''}`);
		await close(page);
	}
});

test('status: long names, IPv6 and many clients; and none', async () => {
	const h = await ready();
	const long = `${'a-very-long-label-of-a-server-'.repeat(5)}.example.net`;
	const r = read('report');
	Object.assign(r.sources[0], { name: long, address: '2001:db8:1234:5678:9abc:def0:1234:5678', operator: `${'operator'.repeat(12)}.example` });
	r.sources[0].auth.certificate.subject = `CN=${long}`;
	const client = (i) => ({ address: i % 2 ? `2001:db8::${i}:ffff:1234:5678:9abc` : `192.168.1.${i}`, requests: 100000 - i, dropped: i, interval_s: 64.4, answered_interval_s: 64.4, last_s: i, nts: i % 3 === 0, interleaved: i % 5 === 0, ke: 2, ke_dropped: 0, ke_interval_s: 0, ke_last_s: 9 });
	h.leases = {
		dhcp_leases: [{ ipaddr: '192.168.1.2', hostname: `${'kitchen-'.repeat(9)}radio` }],
		dhcp6_leases: [{ ip6addrs: ['2001:db8::3:ffff:1234:5678:9abc/128'], hostname: 'phone' }],
	};
	const stats = await h.world.ask('serverstats');
	Object.assign(stats.verdicts, { answered: 200, answered_interleaved: 100, answered_nts: 60, answered_nts_interleaved: 40 });
	Object.assign(stats, { received: 1234567, dropped: 321, ke: { ...stats.ke, served: 4321, refused: 12 } });
	const key = (id, state) => ({ id, state, made: r.time, age_s: 9 });
	h.recorded = {
		status: r, serverstats: stats, clients: { clients: Array.from({ length: 40 }, (_, i) => client(i + 1)) },
		ntskeys: { keys: [key(3, 'next'), key(2, 'current'), key(1, 'old')], rotate_s: 86400, next: r.time, waiting: false, flash_writes_day: 1, flash_writes: 2 },
	};
	for (const look of [{}, { phone: true }]) {
		const page = await h.open(where, look);
		assert.match(await text(page, '#view'), /kitchen-radio/);
		for (const want of [/phone/, /With NTS\n25%/, /1,234,567 in all/, /Refused\n321/, /Key exchanges\n4,321\n12 failed/, /Cookie keys\n3\nnext/]) assert.match(await text(page, '#view'), want);
		const rows = () => page.locator('.ntsd-table').last().locator('.tr:not(.table-titles)').count();
		assert.equal(await rows(), look.phone ? 5 : 15);
		await page.getByRole('button', { name: 'Show all 40' }).click();
		assert.equal(await rows(), 40);
		await page.getByRole('button', { name: 'Show fewer' }).click();
		await h.shot(page, `long${look.phone ? '-phone' : ''}`);
		await close(page);
	}
	h.recorded = { ...h.recorded, clients: { clients: [] } };
	const page = await h.open(where);
	assert.match(await text(page, '#view'), /Nobody has asked this router for the time yet/);
	await close(page);
});

test('status: among the messages warnings are told apart', async () => {
	const h = await ready();
	const r = read('report');
	r.daemon.log = [{ time: r.time, level: 'INFO', text: 'selected source' }, { time: r.time, level: 'WARN', text: 'clock was stepped' }];
	h.recorded = { status: r };
	const page = await h.open(where);
	await page.getByText('Latest messages').click();
	const lines = (await text(page, '.ntsd-log')).split('\n');
	assert.match(lines[0], /[AP]M {2}WARN clock was stepped$/);
	assert.match(lines[1], /[AP]M {2}selected source$/);
	await close(page);
});

test('status: a reference clock is a source like others', async () => {
	const h = await ready();
	const r = read('report');
	delete r.sources[1].ntpdata;
	r.sources[1] = { ...r.sources[1], kind: 'refclock', name: 'PPS0', address: '', port: 0, operator: undefined, stratum: 0, auth: { mode: 'none', key_bits: 0, cookies: 0, naks: 0 } };
	Object.assign(r.tracking, { authenticated: false, reference_name: 'PPS0', stratum: 1 });
	h.recorded = { status: r };
	const page = await h.open(where);
	assert.match(await text(page, '.ntsd-verdict'), /Synchronised to the reference clock PPS0/);
	assert.match(await text(page, '.ntsd-table >> nth=0'), /PPS0[\s\S]*a device of this router/);
	await close(page);
});

test('status: a router that serves nobody says so', async () => {
	const h = await ready();
	const stats = await h.world.ask('serverstats');
	h.recorded = { serverstats: { ...stats, ports: [] } };
	const page = await h.open(where);
	assert.match(await text(page, '#view'), /This router serves no time/);
	await close(page);
});

test('status: in every language, with its numbers and dates', async () => {
	const h = await ready();
	h.recorded = { status: read('report') };
	const english = new Set();
	for (const [lang, number] of [['en', /\+0\.108\sppm/], ['de', /\+0,108\sppm/], ['fr', /\+0,108\sppm/], ['es', /\+0,108\sppm/], ['ja', /2026\/1\d|2026年/], ['zh-cn', /2026年/]]) {
		const page = await h.open(where, { lang });
		assert.match(await text(page, '#view'), number, lang);
		// Words of the page that are neither names nor figures.
		const words = await page.evaluate(() => [...document.querySelectorAll('#view h2, #view h3, #view dt, #view th, #view .btn, #view summary, #view .ntsd-text')]
			.filter((e) => e.offsetParent).map((e) => e.innerText.trim()).filter(Boolean));
		const same = words.filter((w) => english.has(w));
		if (lang === 'en') words.forEach((w) => english.add(w));
		// Some are the same in both: server, stratum, version.
		assert.ok(words.length > 30 && same.length < words.length / 4, `${lang}: ${same.length} of ${words.length} as in English: ${same}`);
		if (lang === 'ja') await h.shot(page, 'status-ja');
		await close(page);
	}
});

test('status: what the daemon says of the first time is in the language, too', async () => {
	const h = await ready();
	h.recorded = { status: read('bootstrap') };
	// Names and abbreviations apart, no Latin words side by side.
	for (const [lang, rung] of [['ja', '鍵を取得'], ['zh-cn', '已获得密钥']]) {
		const page = await h.open(where, { lang });
		const steps = page.locator('.ntsd-steps').first();
		const said = await steps.innerText();
		assert.ok(said.includes(rung), said);
		assert.doesNotMatch(said, /[a-z]{2,} [a-z]{2,}/, said);
		assert.doesNotMatch(await text(page, '.ntsd-verdict'), /[a-z]{2,} [a-z]{2,}/);
		await h.shot(page, `bootstrap-${lang}`);
		await close(page);
	}
	// And in the router's time.
	const page = await h.open(where);
	assert.match(await page.locator('.ntsd-steps').first().innerText(), /no time before .*2026.* counts \(the build\)/);
	await close(page);
});

test('overview: verdict, offset, servers, clients', async () => {
	const h = await ready();
	h.alter = asOnARouter;
	for (const look of [{}, { dark: true }, { phone: true }]) {
		const page = await h.open('admin/status/overview', look);
		const all = await text(page, '#view');
		for (const want of [/Synchronised and authenticated by \d/, /Offset/, /of 3 in use/, /Clients/]) assert.match(all, want);
		assert.match(await page.getByRole('link', { name: 'Details' }).getAttribute('href'), /admin\/status\/ntsd$/);
		await h.shot(page, `overview${Object.keys(look).map((k) => `-${k}`).join('')}`);
		await close(page);
	}
	await h.world.stopDaemon();
	const page = await h.open('admin/status/overview');
	assert.match(await text(page, '#view'), /The time daemon is not running/);
	await close(page);
});

test('status: in LuCI\'s other themes', { skip: luciDir ? false : 'LUCI_DIR does not name LuCI\'s sources' }, async () => {
	const h = await ready();
	h.recorded = { status: read('report') };
	try {
		for (const theme of ['material', 'openwrt2020'].filter((t) => h.http.hasTheme(t))) {
			h.http.theme = theme;
			for (const look of [{}, { phone: true }]) {
				const page = await h.open(where, look);
				assert.match(await text(page, '#view'), /Synchronised and authenticated by 3 servers/);
				await h.shot(page, `theme-${theme}${look.phone ? '-phone' : ''}`);
				await close(page);
			}
		}
	} finally {
		h.http.theme = 'bootstrap';
	}
});
