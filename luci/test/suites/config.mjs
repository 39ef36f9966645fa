// Services > Time: what it shows, what it saves, what it refuses.
import test, { after, beforeEach } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { spawnSync } from 'node:child_process';
import { close, harness, root, until } from '../harness/harness.mjs';
import { addresses } from '../harness/world.mjs';
import { parse } from '../harness/uci.mjs';
import { load } from '../harness/modules.mjs';

const options = load('ntsd.options');
const validate = load('ntsd.validate');
const h = await harness();
const file = path.join(h.world.dir, 'ntsd');
const original = fs.readFileSync(file, 'utf8');

/** Puts a configuration on the router and in force. */
async function configure(text) {
	h.uci.pending.clear();
	fs.writeFileSync(file, text);
	return h.world.ask('reload').catch((e) => e);
}

beforeEach(() => configure(original));
after(async () => {
	await h.world.startDaemon();
	await configure(original);
});

const saved = () => parse(fs.readFileSync(file, 'utf8'));

/** All values of an option in the file, of all sections of the type. */
const values = (type, name) => saved().filter((s) => s.type === type && s.options[name] !== undefined).map((s) => s.options[name]);

const open = (how) => h.open('admin/services/ntsd', how);

/** The id of a field of a section that stands once. */
const single = (type, name) => `cbid.ntsd.main.${type}_${name}`;

/** Sets a field, or many by their ids, as a click or a key would leave them. */
async function set(page, id, value) {
	await page.evaluate((all) => all.forEach(([i, v]) => {
		const node = document.getElementById(i);
		if (!node) throw new Error(`no field ${i}`);
		window.L.dom.callClassMethod(node, 'setValue', v);
		window.L.dom.findClassInstance(node).triggerValidation();
		node.dispatchEvent(new CustomEvent('widget-change', { bubbles: true }));
	}), typeof id === 'string' ? [[id, value]] : id);
}

const get = (page, id) => page.evaluate((i) => window.L.dom.callClassMethod(document.getElementById(i), 'getValue'), id);

const tabs = (page) => page.locator('.cbi-map > .cbi-section > .cbi-tabmenu > li');

const row = (page, host) => page.locator('#cbi-ntsd-server tr[data-sid]', { hasText: host });

const modal = (page) => page.locator('#modal_overlay .modal');

async function save(page) {
	const button = page.locator('.cbi-page-actions .cbi-button-save');
	await button.click();
	await button.and(page.locator(':not(.spinning)')).waitFor();
}

async function apply(page) {
	let done = false;
	const before = h.uci.applied;
	h.uci.applied = async (changed) => {
		await before(changed);
		done = true;
	};
	await page.locator('.cbi-page-actions .cbi-button-apply').first().click();
	await until('the changes to be applied', () => done);
	h.uci.applied = before;
}

const inForce = (page) => page.waitForSelector('.ntsd-inforce');

/** What ntsd itself says of the file: standard error, which is empty where all is well. */
function complaints() {
	const r = spawnSync(path.join(root, 'build', 'ntsd'), ['-p', '-c', h.world.dir], { encoding: 'utf8', cwd: h.world.dir });
	return r.stderr;
}

test('every tab opens, light, dark and on a phone', async () => {
	for (const how of [{}, { dark: true }, { phone: true }]) {
		const page = await open(how);
		await inForce(page);
		const n = await tabs(page).count();
		assert.equal(n, 6);
		for (let i = 0; i < n; i++) {
			await tabs(page).nth(i).locator('a').click();
			await page.locator('[data-tab-active="true"] .cbi-value:visible').first().waitFor();
			const name = await tabs(page).nth(i).getAttribute('data-tab');
			if (!how.dark && !how.phone || ['time', 'serving'].includes(name)) await h.shot(page, `config-${name}${how.dark ? '-dark' : how.phone ? '-phone' : ''}`);
		}
		await close(page);
	}
});

test('every field has a label, and every switch is reached by the keyboard', async () => {
	const page = await open();
	const without = await page.evaluate(() => [...document.querySelectorAll('.cbi-value[data-field]')]
		.filter((f) => !f.querySelector('.cbi-section')).filter((f) => !f.querySelector('label.cbi-value-title')?.textContent.trim()).map((f) => f.dataset.field));
	assert.deepEqual(without, []);
	const box = page.locator(`[id="${single('serve', 'advertise')}"] input[type=checkbox]`);
	await box.focus();
	await page.keyboard.press('Space');
	assert.equal(await box.isChecked(), true);
	await close(page);
});

test('the common settings are saved, applied and taken up', async () => {
	const page = await open();
	await inForce(page);
	await set(page, 'cbid.ntsd.main.allow_interface', ['lan', 'guest']);
	await page.locator(`[id="${single('serve', 'advertise')}"] input[type=checkbox]`).check();
	await page.locator('[id="cbid.ntsd.main.dhcp_use"] input[type=checkbox]').check();
	await page.locator(`[id="${single('nts_server', 'enabled')}"] input[type=checkbox]`).check();
	assert.equal(await page.locator(`[id="${single('nts_server', 'selfsigned')}"] input[type=checkbox]`).isChecked(), true, 'a certificate is offered');
	await page.locator(`[id="${single('nts_server', 'selfsigned')}"] input[type=checkbox]`).uncheck();
	await page.locator(`[id="${single('nts_server', 'enabled')}"] input[type=checkbox]`).uncheck();
	assert.equal(await page.locator(`[id="${single('nts_server', 'selfsigned')}"] input[type=checkbox]`).isVisible(), false);
	await tabs(page).nth(3).locator('a').click();
	await page.locator(`[id="widget.${single('makestep', 'threshold')}"]`).fill('250ms');
	const before = (await h.world.ask('report')).daemon.config;
	await apply(page);
	await until('the daemon to take it up', async () => (await h.world.ask('report')).daemon.config.digest !== before.digest);
	assert.deepEqual(values('makestep', 'threshold'), ['250ms']);
	assert.deepEqual(values('serve', 'advertise'), ['1']);
	assert.deepEqual(values('allow', 'interface'), [['lan', 'guest']]);
	assert.equal(saved().filter((s) => s.type === 'dhcp_ntp_server').length, 1);
	assert.deepEqual(values('nts_server', 'enabled'), []);
	assert.equal(values('server', 'hostname').length, 3, 'the servers are as they were');
	assert.equal(complaints(), '');
	await page.close();

	const again = await open();
	await inForce(again);
	assert.deepEqual(await get(again, 'cbid.ntsd.main.allow_interface'), ['lan', 'guest']);
	assert.equal(await get(again, single('makestep', 'threshold')), '250ms');
	await again.locator('[id="cbid.ntsd.main.dhcp_use"] input[type=checkbox]').uncheck();
	await set(again, 'cbid.ntsd.main.allow_interface', []);
	await apply(again);
	assert.deepEqual(values('dhcp_ntp_server', 'disabled'), ['1']);
	assert.deepEqual(values('allow', 'interface'), []);
	assert.deepEqual(values('allow', 'subnet'), ['127.0.0.0/8'], 'subnets stay');
	await again.close();
});

/** What is in force by a file, as ntsd prints it. */
const meaning = () => spawnSync(path.join(root, 'build', 'ntsd'), ['-p', '-c', h.world.dir], { encoding: 'utf8', cwd: h.world.dir }).stdout;

test('a form that nobody touched changes nothing, whatever the file says and how', async () => {
	const all = path.join(root, 'internal/config/testdata/config');
	const tell = h.uci.applied;
	h.uci.applied = async () => {}; // the daemon need not follow these
	try {
		for (const name of ['guide', 'everything']) {
			fs.copyFileSync(path.join(all, name, 'ntsd'), file);
			h.uci.pending.clear();
			const before = meaning();
			assert.ok(before.length > 100, name);
			const page = await open();
			await apply(page);
			assert.equal(meaning(), before, name);
			await page.close();
		}
	} finally {
		h.uci.applied = tell;
	}
});

test('where only rpcd\'s plugin answers, the page is the same', async () => {
	h.mode = 'plugin';
	try {
		const page = await open();
		await inForce(page);
		await row(page, addresses[0]).getByText('Test').click();
		await modal(page).locator('.alert-message.success').waitFor({ timeout: 20000 });
		await close(page);
		h.mode = 'none';
		const alone = await open();
		await alone.locator('.ntsd-state').getByText('does not answer').waitFor();
		await set(alone, single('makestep', 'threshold'), '3');
		await save(alone);
		await alone.locator('.ntsd-unapplied').getByText('not applied yet').waitFor();
		await alone.close();
	} finally {
		h.mode = 'bus';
	}
});

/** A value that the kind takes and that is not the default. */
function example(o) {
	const all = ['1', '2', '0', '20', '90', '/tmp/x', 'example', 'lan', 'GPS', 'time.example', '192.0.2.0/24', '15', '3', '2M', '50ms'];
	const good = (o.kind.words ?? all).filter((v) => validate.check(o.kind, v) === true && v !== o.standard && v !== '');
	if (o.kind.flag) return o.standard === '1' ? '0' : '1';
	return o.list ? good.slice(0, 1) : good[0];
}

const once = options.types().filter((t) => !['server', 'pool', 'peer', 'allow', 'deny', 'key', 'keyfile', 'refclock'].includes(t));

test('every option that stands once is written where it belongs, and read again', async () => {
	const page = await open();
	await page.locator('[id="cbid.ntsd.main.dhcp_use"] input[type=checkbox]').check();
	const want = once.flatMap((t) => options.of(t).map((o) => ({ t, o, v: example(o) })))
		.filter(({ t, o }) => !(t === 'dhcp_ntp_server' && o.name === 'disabled') && !['main.enabled', 'ntsd.enabled', 'ntsd.user', 'dhcp_ntp_server.minsamples'].includes(`${t}.${o.name}`));
	for (const { t, o, v } of want) assert.ok(v !== undefined, `an example for ${t}.${o.name}`);
	await set(page, want.map(({ t, o, v }) => [single(t, o.name), v]));
	await save(page);
	await until('the session to have it', () => h.uci.changes().ntsd).catch(async () => assert.fail(await page.locator('.ntsd-advice').innerText()));
	const state = Object.values(h.uci.values('ntsd'));
	for (const { t, o, v } of want) {
		const got = state.filter((s) => s['.type'] === t && s[o.name] !== undefined).map((s) => s[o.name]);
		assert.deepEqual(got, [v], `${t}.${o.name}`);
	}
	await page.reload();
	await page.waitForSelector('.cbi-tabmenu');
	for (const { t, o, v } of want) assert.deepEqual(await get(page, single(t, o.name)), v, `${t}.${o.name} read again`);
	// And back: what is the default again leaves the file. What is hidden meanwhile stays.
	want.splice(want.findIndex(({ t, o }) => t === 'nts_server' && o.name === 'selfsigned'), 1);
	await set(page, want.map(({ t, o }) => [single(t, o.name), o.kind.flag ? o.standard : o.list ? [] : '']));
	await save(page);
	await until('the session to be without it', () => !Object.values(h.uci.values('ntsd')).some((s) => s['.type'] === 'refclock' || s.logchange !== undefined || s.maxppm !== undefined));
	for (const { t, o } of want) assert.ok(!Object.values(h.uci.values('ntsd')).some((s) => s['.type'] === t && s[o.name] !== undefined), `${t}.${o.name} is gone`);
	await page.close();
});

/** Opens the window of a grid's new or first section, and fills all its options. */
async function fillWindow(page, type, only) {
	const sid = /^cbid\.ntsd\.([^.]+)\./.exec(await modal(page).locator('[data-field]').first().getAttribute('data-field'))[1];
	for (const o of options.of(type).filter((e) => !only || only[e.name] !== undefined)) {
		await set(page, `cbid.ntsd.${sid}.${o.name}`, only ? only[o.name] : example(o));
	}
	return sid;
}

test('sections that may occur many times are added, with every option, edited and deleted', async () => {
	const extra = {
		server: { hostname: 'time.example', disabled: '0', minsamples: '2', maxsamples: '20', nts: '1', ntsport: '14460', noval: '1', minpoll: '2', maxpoll: '3' },
		peer: { hostname: 'peer.example', minpoll: '2', nts: '0' },
		key: { id: '7', type: 'SHA256', secret_file: '/etc/ntsd/key' },
		keyfile: { file: '/etc/ntsd/keys', format: 'ntp', trusted: ['7', '8'] },
		refclock: { driver: 'PPS', parameter: '/dev/pps0' },
		pool: { hostname: 'pool.example', maxsources: '2' },
		allow: { interface: ['guest'], subnet: ['192.0.2.0/24', '2001:db8::/32'] },
		deny: { subnet: ['192.0.2.7'] },
	};
	const page = await open();
	for (const [type, some] of Object.entries(extra)) {
		const grid = page.locator(`#cbi-ntsd-${type}`);
		await page.evaluate((t) => { document.querySelector(`#cbi-ntsd-${t} .cbi-button-add`).click(); }, type);
		await modal(page).locator('.cbi-map').waitFor();
		// Everything is there, the window's tabs included.
		const there = await modal(page).locator('[data-field]').evaluateAll((all) => all.map((f) => f.dataset.field.split('.').at(-1)));
		assert.equal([...there].sort().join(' '), options.of(type).map((o) => o.name).sort().join(' '), type);
		await fillWindow(page, type, some);
		await modal(page).locator('.cbi-button-positive').click();
		await until(`the new ${type}`, () => Object.values(h.uci.values('ntsd')).some((s) => s['.type'] === type && Object.entries(some).every(([k, v]) => s[k] === undefined
			? options.find(type, k).standard === v : JSON.stringify(s[k]) === JSON.stringify(v))));
		await page.waitForFunction(() => !document.body.classList.contains('modal-overlay-active'));
		const rows = await grid.locator('tr[data-sid]').count();
		await page.evaluate((t) => { [...document.querySelectorAll(`#cbi-ntsd-${t} tr[data-sid]`)].at(-1).querySelector('.cbi-button-remove').click(); }, type);
		await until(`the ${type} to be gone`, async () => await grid.locator('tr[data-sid]').count() === rows - 1);
	}
	await page.close();
});

test('a server that is added proves who it is, unless somebody switches that off', async () => {
	const page = await open();
	const add = () => page.evaluate(() => document.querySelector('#cbi-ntsd-server .cbi-button-add').click());
	await add();
	await modal(page).locator('.cbi-map').waitFor();
	const box = (name) => modal(page).locator(`[data-field$=".${name}"] input[type=checkbox]`);
	assert.deepEqual([await box('nts').isChecked(), await box('iburst').isChecked()], [true, true]);
	await modal(page).locator('[data-field$=".hostname"] input').fill('time.example');
	await box('iburst').uncheck();
	await modal(page).locator('.cbi-button-positive').click();
	await until('the server', () => Object.values(h.uci.values('ntsd')).some((s) => s.hostname === 'time.example'));
	const added = Object.values(h.uci.values('ntsd')).find((s) => s.hostname === 'time.example');
	assert.deepEqual([added.nts, added.iburst], ['1', undefined]);
	await page.close();
});

test('a key in the configuration is never shown, can be replaced, and goes into a file by one button', async () => {
	const secret = 'HEX:00112233445566778899aabbccddeeff', other = 'HEX:ffeeddccbbaa99887766554433221100';
	await configure(`${original}\nconfig key 'k'\n\toption id '7'\n\toption secret '${secret}'\n`);
	const key = () => Object.values(h.uci.values('ntsd')).find((s) => s['.type'] === 'key');
	const edit = async (page) => {
		await page.evaluate(() => document.querySelector('#cbi-ntsd-key tr[data-sid] .cbi-button-edit').click());
		await modal(page).locator('.cbi-map').waitFor();
	};
	const done = async (page) => {
		await modal(page).locator('.cbi-button-positive').click();
		await page.waitForFunction(() => !document.body.classList.contains('modal-overlay-active'));
	};
	const page = await open();
	await inForce(page);
	await edit(page);
	const input = modal(page).locator('[data-field="cbid.ntsd.k.secret"] input[type=password]');
	assert.equal(await input.inputValue(), '');
	assert.equal(await input.getAttribute('placeholder'), 'set, not shown');
	const shown = () => page.evaluate((s) => document.documentElement.outerHTML.includes(s) || [...document.querySelectorAll('input')].some((i) => i.value === s), secret);
	assert.equal(await shown(), false);
	await set(page, 'cbid.ntsd.k.type', 'SHA256');
	await done(page);
	await until('the type', () => key().type === 'SHA256');
	assert.equal(key().secret, secret, 'what nobody typed stays');
	await edit(page);
	await set(page, 'cbid.ntsd.k.secret', other);
	await done(page);
	await until('the new key', () => key().secret === other);
	// A file that takes its place takes it out.
	await edit(page);
	await set(page, 'cbid.ntsd.k.secret_file', '/etc/ntsd/keys/7');
	await done(page);
	await until('the file', () => key().secret_file && key().secret === undefined);
	await edit(page);
	await set(page, [['cbid.ntsd.k.secret_file', ''], ['cbid.ntsd.k.secret', other]]);
	await done(page);
	await until('the key again', () => key().secret === other && key().secret_file === undefined);
	const mover = page.locator('.ntsd-advice').getByText('Move it to a file…');
	await mover.click();
	await modal(page).getByText('Move', { exact: true }).click();
	await page.getByText('Save and apply your changes first.').waitFor();
	assert.equal(parse(fs.readFileSync(file, 'utf8')).find((s) => s.type === 'key').options.secret, secret, 'nothing was moved');
	await apply(page);
	await page.close();
	// Who only looks cannot.
	const reader = await open({ user: 'reader' });
	await reader.locator('.ntsd-advice').getByText('Move it to a file…').waitFor();
	assert.equal(await reader.locator('.ntsd-advice').getByText('Move it to a file…').isDisabled(), true);
	await reader.close();
	const again = await open();
	await again.locator('.ntsd-advice').getByText('Move it to a file…').click();
	await h.shot(again, 'config-move-keys');
	await Promise.all([again.waitForNavigation(), modal(again).getByText('Move', { exact: true }).click()]);
	await inForce(again);
	const options = parse(fs.readFileSync(file, 'utf8')).find((s) => s.type === 'key').options;
	assert.equal(options.secret, undefined);
	assert.equal(fs.readFileSync(options.secret_file, 'utf8').trim(), other);
	await again.close();
});

test('bad values are refused while they are typed, in the daemon\'s words', async () => {
	const page = await open();
	await tabs(page).nth(3).locator('a').click();
	const input = page.locator(`[id="widget.${single('makestep', 'threshold')}"]`);
	await input.fill('soon');
	await input.blur();
	assert.match(await input.getAttribute('class'), /cbi-input-invalid/);
	assert.match(await input.getAttribute('data-tooltip') ?? '', /must be a time from 0 to 31622400 in seconds, or with a unit/);
	await save(page);
	await modal(page).getByText(/Step above/).waitFor();
	assert.deepEqual(h.uci.changes(), {});
	await h.shot(page, 'config-refused');
	await page.close();
});

test('what only the daemon can see is refused with its words, at the field', async () => {
	const page = await open();
	await set(page, single('nts_server', 'enabled'), '1');
	await set(page, single('nts_server', 'selfsigned'), '0');
	await save(page);
	await modal(page).getByText(/Certificates \(cert\): is missing; so is selfsigned/).waitFor();
	assert.deepEqual(h.uci.changes(), {}, 'nothing is saved');
	await modal(page).locator('.cbi-button, .btn').first().click();
	await page.locator('.ntsd-error').getByText('is missing; so is selfsigned').waitFor();
	await page.locator('.ntsd-error a').click();
	assert.equal(await page.locator('.cbi-map > .cbi-section > .cbi-tabmenu > li.cbi-tab').getAttribute('data-tab'), 'serving');
	await page.locator(`[data-field="${single('nts_server', 'cert')}"] .ntsd-fault`).waitFor();
	await h.shot(page, 'config-refused-daemon');
	// Put right, it goes; the refused values are not saved by anybody else.
	await set(page, single('nts_server', 'enabled'), '0');
	await set(page, single('makestep', 'threshold'), '2');
	await save(page);
	await until('the session to have it', () => h.uci.changes().ntsd);
	assert.ok(!Object.values(h.uci.values('ntsd')).some((s) => s['.type'] === 'nts_server' && s.enabled === '1'));
	await page.close();
});

test('a window of a server is refused with the daemon\'s words, too', async () => {
	const page = await open();
	await row(page, addresses[0]).locator('.cbi-button-edit').click();
	await modal(page).locator('.cbi-map').waitFor();
	await fillWindow(page, 'server', { minpoll: '9', maxpoll: '5' });
	await modal(page).locator('.cbi-button-positive').click();
	await modal(page).locator('.ntsd-refused').getByText('must not be above maxpoll 5').waitFor();
	assert.deepEqual(h.uci.changes(), {});
	await h.shot(page, 'config-window-refused');
	await page.close();
});

test('public servers are added from the list', async () => {
	const page = await open();
	await page.locator('.ntsd-presets-open').click();
	await modal(page).locator('fieldset').first().waitFor();
	await h.shot(page, 'config-presets');
	await modal(page).locator('select').selectOption('europe');
	assert.equal(await modal(page).locator('fieldset[data-region="america"]:visible').count(), 0);
	await modal(page).getByLabel('nts.netnod.se', { exact: true }).check();
	await modal(page).getByLabel('ptbtime1.ptb.de').check();
	await modal(page).locator('.ntsd-add').click();
	await row(page, 'ptbtime1.ptb.de').waitFor();
	const added = Object.values(h.uci.values('ntsd')).filter((s) => ['nts.netnod.se', 'ptbtime1.ptb.de'].includes(s.hostname));
	assert.deepEqual(added.map((s) => [s['.type'], s.nts, s.iburst]), [['server', '1', '1'], ['server', '1', '1']]);
	await page.locator('.ntsd-presets-open').click();
	assert.equal(await modal(page).getByLabel('ptbtime1.ptb.de').isDisabled(), true, 'it is there already');
	await page.close();
});

test('a server is tested: certificate, algorithm, cookies, offset, delay', async () => {
	const page = await open();
	await row(page, addresses[1]).getByText('Test').click();
	await modal(page).locator('.alert-message.success').waitFor({ timeout: 20000 });
	const text = await modal(page).innerText();
	for (const want of [/Certificate/, /AEAD/, /Cookies\s+\d+, each of \d+ bytes/, /Offset\s+this clock is/, /Round trip\s+[\d.]+\s[µm]s/, /authenticated/]) assert.match(text, want);
	await h.shot(page, 'config-test');
	await close(page);
});

test('a server that does not answer says so', async () => {
	await h.world.order('pause', 2);
	const page = await open({ phone: true });
	try {
		await row(page, addresses[2]).getByText('Test').click();
		await modal(page).locator('.alert-message.error').waitFor({ timeout: 30000 });
		await h.shot(page, 'config-test-failed-phone');
	} finally {
		await h.world.order('resume', 2);
	}
	await close(page);
});

test('without the daemon the page says so, still edits, and the test says why not', async () => {
	await h.world.stopDaemon();
	try {
		const page = await open();
		await page.locator('.ntsd-state').getByText('does not answer').waitFor();
		await row(page, addresses[0]).getByText('Test').click();
		await modal(page).locator('.alert-message.error').waitFor();
		await h.shot(page, 'config-stopped');
		await modal(page).getByText('Close').click();
		await set(page, single('makestep', 'threshold'), '3');
		await apply(page);
		assert.deepEqual(values('makestep', 'threshold'), ['3']);
		await page.reload();
		await page.locator('.ntsd-state').getByText('Start it').click();
		await inForce(page);
		await page.close();
	} finally {
		await h.world.startDaemon();
	}
});

test('settings of other daemons are shown, then taken over', async () => {
	fs.writeFileSync(path.join(h.world.dir, 'system'), `config timeserver 'ntp'\n\toption enable_server '1'\n\toption interface 'lan'\n\tlist server '0.openwrt.pool.ntp.org'\n\tlist server '${addresses[0]}'\n`);
	fs.writeFileSync(path.join(h.world.dir, 'chrony'), `config server\n\toption hostname 'chrony.example'\n\toption nts 'yes'\n\toption maxpoll '12'\n\nconfig makestep\n\toption threshold '0.7'\n\toption limit '5'\n\nconfig nonsense\n\toption a 'b'\n`);
	const page = await open();
	for (const from of ['system', 'chrony']) {
		await page.locator('.ntsd-import-open').click();
		await modal(page).locator(`[data-from="${from}"]`).click();
		await modal(page).locator('.ntsd-add').waitFor();
		const text = await modal(page).innerText();
		assert.match(text, from === 'system' ? /0\.openwrt\.pool\.ntp\.org/ : /chrony\.example/);
		if (from === 'chrony') assert.match(text, /nonsense.*has no equivalent/);
		else assert.match(text, /already used/);
		await h.shot(page, `config-import-${from}`);
		await modal(page).locator('.ntsd-add').click();
		await row(page, from === 'system' ? '0.openwrt' : 'chrony.example').waitFor();
	}
	const state = Object.values(h.uci.values('ntsd'));
	assert.deepEqual(state.filter((s) => s['.type'] === 'makestep').map((s) => [s.threshold, s.limit]), [['0.7', '5']]);
	assert.ok(state.some((s) => s['.type'] === 'allow' && [].concat(s.interface ?? []).includes('lan')));
	assert.equal(state.filter((s) => s.hostname === addresses[0]).length, 1, 'what is there is not added again');
	await apply(page);
	await page.close();
	const again = await open();
	await inForce(again);
	assert.equal(await get(again, single('makestep', 'threshold')), '0.7');
	await again.close();
});

const ladder = original.replace('rtccheck \'no\'', 'rtccheck \'yes\'');

/** What is advised (hints) or said (warning) of configurations with several risks each. */
const worries = [
	[ladder.replace(/operator '(south|east)/g, 'operator \'north').replace('127.0.0.0/8', '0.0.0.0/0') +
		`\nconfig server\n\toption hostname '127.0.0.9'\n\nconfig server\n\toption hostname 'trusted.example'\n\toption trust '1'\n` +
		`\nconfig selection\n\toption authselectmode 'ignore'\n\nconfig bootstrap\n\toption mode 'nocerttimecheck'\n\nconfig allow\n\tlist interface 'wan'\n`, [
		['hints', 'Only north.example has a say'],
		['hints', 'can outvote those with NTS'],
		['hints', 'trusted.example is not authenticated, but option trust'],
		['hints', 'where the firewall lets them: 0.0.0.0/0 may'],
		['hints', 'where the firewall lets them: wan may'],
		['warning', 'whatever their dates'],
	]],
	[original.replace('nts \'yes\'', 'nts \'yes\'\n\toption noval \'1\'').replace('option trustedcerts \'ca.pem\'', ''), [
		['warning', 'never counts as authenticated'],
		['hints', 'Only south.example and east.example have a say'],
		['hints', 'Switch “Start without a trusted clock” on'],
		['hints', 'No certificate authority is trusted'],
	]],
	[ladder.replace(/nts 'yes'/g, 'nts \'no\'').replace(/\toption ntsport.*\n/g, ''), [['hints', 'No server is authenticated']]],
];

test('each risk is named on the page', async () => {
	for (const [text, wanted] of worries) {
		await configure(text);
		const page = await open();
		for (const [where, want] of wanted) {
			await page.locator(`.ntsd-${where}`).getByText(want).first().waitFor().catch(async () => assert.fail(`${want}: ${await page.locator('.ntsd-advice').innerText()}`));
		}
		await h.shot(page, `config-warnings-${worries.findIndex(([t]) => t === text)}`);
		await close(page);
	}
	await configure(ladder);
	const page = await open();
	await inForce(page);
	assert.equal(await page.locator('.ntsd-advice .alert-message').count(), 0, 'nothing to say of a good one');
	await close(page);
});

test('what the daemon refuses, and what is not in force yet, is said', async () => {
	const page = await open();
	await inForce(page);
	await configure(original.replace('minpoll \'0\'', 'minpoll \'99\''));
	await page.locator('.ntsd-state').getByText('has refused').waitFor();
	await page.locator('.ntsd-state').getByText('must be a whole number from -7 to 24').waitFor();
	await h.shot(page, 'config-not-in-force');
	await configure(original);
	await inForce(page);
	// Saved, and nobody has told the daemon.
	fs.writeFileSync(file, `${original}\nconfig logging\n\toption logchange '0.25'\n`);
	await page.reload();
	await page.locator('.ntsd-state').getByText('Waiting for the daemon').waitFor();
	await page.locator('.ntsd-state button').click({ timeout: 20000 });
	await inForce(page);
	await close(page);
});

test('times above the form are those of the router, not of the browser', async () => {
	const system = path.join(h.world.dir, 'system'), before = fs.readFileSync(system, 'utf8');
	fs.writeFileSync(system, "config system\n\toption zonename 'Asia/Kathmandu'\n");
	const page = await open({ timezone: 'Europe/Berlin' });
	await inForce(page);
	const { since } = (await h.world.ask('report')).daemon.config;
	const minute = new Intl.DateTimeFormat('en', { minute: '2-digit', second: '2-digit', timeZone: 'Asia/Kathmandu' }).format(new Date(since));
	assert.match(await page.locator('.ntsd-inforce').innerText(), new RegExp(minute), 'Kathmandu is a quarter of an hour off everybody else');
	fs.writeFileSync(system, before);
	await close(page);
});

test('a page at rest costs the router one question now and then', async () => {
	const page = await open();
	await inForce(page);
	await until('the page to settle', async () => {
		const before = h.calls.length;
		await new Promise((r) => { setTimeout(r, 1500); });
		return h.calls.slice(before).every((c) => c === 'ntsd.status');
	});
	await close(page);
});

test('warnings of the daemon are shown', async () => {
	await configure(`${original}\nconfig makestep\n\toption treshold '1'\n`);
	const page = await open();
	await page.locator('.ntsd-warning').getByText('did you mean \'threshold\'?').waitFor();
	await page.waitForFunction(() => !/did you mean/.test(document.querySelector('.ntsd-state').textContent), null, { message: 'said once' });
	await close(page);
});

test('what stands in a file is never taken for markup', async () => {
	await configure(original.replace(addresses[0], 'x<img src=y onerror=alert(1)>').replace('north.example', '<b>north</b>').replace('config allow', 'config allow\n\tlist interface \'<img>\'\n\nconfig allow'));
	const page = await open();
	await page.locator('.ntsd-error').getByText('<img src=y').first().waitFor();
	await page.locator('#cbi-ntsd-server .cbi-button-edit').first().click();
	await modal(page).locator('.cbi-map').waitFor();
	assert.deepEqual(await page.locator('#view img, .modal img, #view b, .modal b').evaluateAll((all) => all.map((e) => e.parentNode.outerHTML)), []);
	await modal(page).locator('> div:last-child button').first().click();
	await page.locator('#cbi-ntsd-server').getByText('Test').first().click();
	await modal(page).locator('.alert-message.error').waitFor();
	assert.equal(await page.locator('.modal img').count(), 0);
	await close(page);
});

test('who may only read sees everything and changes nothing', async () => {
	const page = await open({ user: 'reader' });
	await page.locator('.ntsd-inforce').waitFor();
	const able = await page.evaluate(() => [...document.querySelectorAll('.cbi-map input:not([type=hidden]), .cbi-map select, .cbi-map button')]
		.filter((e) => !e.disabled && !e.matches('.cbi-button-edit, .drag-handle, .cbi-dropdown[disabled] *')).map((e) => e.innerText || e.outerHTML.slice(0, 120)));
	assert.deepEqual(able, ['Show and download…'], 'only what is public may be taken');
	assert.equal(await page.locator('.cbi-page-actions .cbi-button-save:enabled').count(), 0);
	await close(page);
});

test('a file without any section can be edited', async () => {
	await configure(`config nts\n\toption systemcerts 'no'\n\toption trustedcerts 'ca.pem'\n\toption rtccheck 'yes'\n`);
	const page = await open();
	await page.locator('[id="cbid.ntsd.main.dhcp_use"] input[type=checkbox]').check();
	await save(page);
	await until('the session to have it', () => h.uci.changes().ntsd);
	assert.ok(Object.values(h.uci.values('ntsd')).some((s) => s['.type'] === 'dhcp_ntp_server'));
	await page.close();
});
