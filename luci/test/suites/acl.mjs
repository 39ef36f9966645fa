// The access lists, against what the views declare and what there is to call: no
// right is missing, none is too many, and who only looks can change nothing.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { app } from '../harness/server.mjs';
import { root } from '../harness/world.mjs';

const resources = path.join(app, 'htdocs/luci-static/resources');
const list = JSON.parse(fs.readFileSync(path.join(app, 'root/usr/share/rpcd/acl.d/luci-app-ntsd.json'), 'utf8'))['luci-app-ntsd'];

/** What changes nothing, and what LuCI's own lists grant to everybody. */
const looks = ['status', 'history', 'serverstats', 'clients', 'ntskeys', 'ca', 'check', 'getDHCPLeases', 'getHostHints', 'dump'];
const everybody = ['uci.get', 'uci.changes', 'session.access', 'luci.getFeatures'];

/** Stands for whatever a view uses while it is being defined. */
const anything = () => new Proxy(function() {}, {
	get: (t, name) => (name === Symbol.toPrimitive ? () => '' : anything()),
	apply: () => anything(),
	construct: () => anything(),
});

/** The calls that the scripts under dir declare, as "object.method". */
function declared() {
	const calls = new Set();
	const extend = { extend: (o) => o, prototype: {} };
	const own = {
		baseclass: extend, view: extend,
		rpc: { declare: (d) => { calls.add(`${d.object}.${d.method}`); return anything(); } },
		L: { bind: (f) => f, toArray: (x) => [].concat(x), isObject: (x) => x !== null && typeof x === 'object' },
	};
	const loaded = new Map();
	const load = (name) => {
		const file = path.join(resources, `${name.replaceAll('.', '/')}.js`);
		if (!fs.existsSync(file)) return own[name] ?? anything();
		if (!loaded.has(name)) {
			const text = fs.readFileSync(file, 'utf8');
			const wanted = [...text.matchAll(/^'require ([\w.-]+)(?: as (\w+))?';$/gm)];
			const names = wanted.map((m) => m[2] ?? m[1].replace(/\W/g, '_'));
			loaded.set(name, new Function('L', '_', 'N_', 'E', 'window', 'document', ...names, text)(
				own.L, anything, anything, anything(), anything(), anything(), ...wanted.map((m) => load(m[1]))));
		}
		return loaded.get(name);
	};
	const walk = (dir) => fs.readdirSync(dir, { withFileTypes: true }).forEach((e) => (e.isDirectory() ? walk(path.join(dir, e.name))
		: load(path.relative(resources, path.join(dir, e.name)).replace(/\.js$/, '').replaceAll(path.sep, '.'))));
	walk(resources);
	return calls;
}

const granted = (part) => Object.entries(part.ubus ?? {}).flatMap(([object, methods]) => methods.map((m) => `${object}.${m}`));

test('acl: what the views call is granted, and nothing else', () => {
	const calls = [...declared()].filter((c) => !everybody.includes(c)).sort();
	assert.ok(calls.length > 5, `only ${calls} found`);
	const rights = [...granted(list.read), ...granted(list.write)];
	assert.deepEqual([...new Set(rights)].sort(), calls);
});

test('acl: who only looks can change nothing, and sees no file', () => {
	for (const call of granted(list.read)) assert.ok(looks.includes(call.split('.').at(-1)), `${call} may be called by who only looks`);
	for (const call of granted(list.write)) assert.ok(!looks.includes(call.split('.').at(-1)), `${call} needs no right to write`);
	for (const part of [list.read, list.write]) {
		assert.deepEqual(Object.keys(part).sort(), ['ubus', 'uci']);
		for (const name of [...granted(part), ...part.uci]) assert.doesNotMatch(name, /\*/);
	}
	assert.deepEqual(list.write.uci, ['ntsd']);
});

test('acl: every method of the plugin is there, and granted to somebody', () => {
	const r = spawnSync(path.join(root, 'build', 'ntsctl'), ['rpcd', 'list'], { encoding: 'utf8' });
	const methods = Object.keys(JSON.parse(r.stdout));
	const ours = [...granted(list.read), ...granted(list.write)].filter((c) => c.startsWith('luci.ntsd.')).map((c) => c.slice('luci.ntsd.'.length));
	assert.deepEqual(ours.sort(), methods.sort());
});
