// The stand-in has no function that LuCI lacks. Needs LUCI_DIR, LuCI's sources.
import test from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { harness, luciDir } from '../harness/harness.mjs';
import { standin } from '../harness/server.mjs';

const modules = fs.readdirSync(standin).filter((f) => f.endsWith('.js') && f !== 'luci.js').map((f) => f.replace('.js', ''));

/** Loads all modules in a page and returns what f says there. */
async function inPage(h, f, argument) {
	const page = await h.open('admin/status/ntsd');
	try {
		return await page.evaluate(async ([names, text, arg]) => {
			await Promise.all(names.map((n) => L.require(n))); // eslint-disable-line no-undef
			return new Function('arg', `return (${text})(arg)`)(arg);
		}, [modules, String(f), argument]);
	} finally {
		await page.context().close();
	}
}

test('parity: the stand-in has only functions of LuCI', { skip: luciDir ? false : 'LUCI_DIR does not name LuCI\'s sources' }, async () => {
	const h = await harness();
	h.http.real = null;
	let ours;
	try {
		ours = await inPage(h, () => window.standinFunctions());
	} finally {
		h.http.real = luciDir;
	}
	assert.ok(ours.L.includes('resolveDefault') && ours.ui.includes('showModal') && ours.rpc.includes('declare'), JSON.stringify(ours));
	const missing = await inPage(h, (all) => Promise.all(Object.keys(all).map((name) => (name === 'L' ? Promise.resolve(L) : L.require(name)).then((m) => // eslint-disable-line no-undef
		all[name].filter((f) => typeof m[f] !== 'function').map((f) => `${name}.${f}`)))).then((lists) => lists.flat()), ours);
	assert.deepEqual(missing, []);
});
