// The certificate of the LAN's authority: shown, explained, downloaded, public.
import test, { after, before } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { X509Certificate } from 'node:crypto';
import { close, harness, until } from '../harness/harness.mjs';
import { load } from '../harness/modules.mjs';

const h = await harness();
const file = path.join(h.world.dir, 'ntsd');
const original = fs.readFileSync(file, 'utf8');
const modal = (page) => page.locator('#modal_overlay .modal');

async function configure(text) {
	Object.assign(h, { mode: 'bus', recorded: null, alter: null, enabled: true });
	h.uci.pending.clear();
	await h.world.startDaemon();
	fs.writeFileSync(file, text);
	await h.world.ask('reload');
}

before(() => configure(`${original}\nconfig nts_server\n\toption enabled '1'\n\toption selfsigned '1'\n\toption port '${44600 + process.pid % 1000}'\n`));
after(() => configure(original));

/** What the window's button gives. */
async function download(page) {
	const [given] = await Promise.all([page.waitForEvent('download'), modal(page).getByText('Download CA certificate').click()]);
	return { name: given.suggestedFilename(), text: fs.readFileSync(await given.path(), 'utf8') };
}

test('authority: who only looks may have the certificate, from either page, and nothing else', async () => {
	await until('an authority', () => h.world.ask('ca').catch(() => null));
	await until('cookie keys', async () => (await h.world.ask('ntskeys')).keys.length);
	const ca = await h.world.ask('ca');
	for (const [where, button, look] of [['admin/status/ntsd', 'CA certificate for devices…', { phone: true }], ['admin/services/ntsd', 'Show and download…', { dark: true }]]) {
		const page = await h.open(where, { user: 'reader', ...look });
		await page.getByText(button).click();
		await modal(page).getByText('Download CA certificate').waitFor();
		const { name, text } = await download(page);
		assert.equal(name, 'ntsd-lan-ca.pem');
		assert.equal(text, ca.pem);
		assert.doesNotMatch(text, /PRIVATE/);
		const cert = new X509Certificate(text);
		assert.ok(cert.ca);
		const said = await modal(page).innerText();
		assert.ok(said.replace(/\s/g, '').includes(cert.fingerprint256.replaceAll(':', '')), said);
		for (const want of ['chrony.conf', 'ntstrustedcerts', 'ntp.conf', 'Windows', 'Android', ...ca.names.filter((n) => !/^127|^::1$/.test(n))]) assert.ok(said.includes(want), want);
		await h.shot(page, `authority-${Object.keys(look)[0]}`);
		await close(page);
	}
	assert.ok(!Object.keys(ca).some((k) => /key/.test(k)) && !JSON.stringify(ca).includes('PRIVATE'));
});

test('authority: while there is none, the window says how to get one', async () => {
	await configure(original);
	await until('no authority', () => h.world.ask('ca').then(() => false, () => true)); // the server closes by itself
	const page = await h.open('admin/services/ntsd');
	await page.evaluate(() => window.L.require('ntsd.authority').then((a) => a.show()));
	assert.match(await modal(page).innerText(), /There is none yet/);
	await close(page);
	const status = await h.open('admin/status/ntsd');
	await status.getByText('Latest messages').waitFor();
	assert.equal(await status.getByText('CA certificate for devices…').isVisible(), false);
	await close(status);
});

test('authority: the name that clients are told is one that they can look up', () => {
	const { host } = load('ntsd.authority', { window: { location: { hostname: '192.168.1.1' } }, ui: {}, uci: {}, dom: {}, rpc: { declare: () => () => {} } });
	assert.equal(host(['openwrt', 'openwrt.lan', '192.168.1.1']), 'openwrt.lan');
	assert.equal(host(['openwrt', '192.168.1.1', 'fd00::1']), 'openwrt');
	assert.equal(host(['192.168.1.1', 'fd00::1']), '192.168.1.1');
	assert.equal(host([]), '192.168.1.1');
});
