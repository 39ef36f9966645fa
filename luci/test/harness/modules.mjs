// Modules of the package that need no browser, loaded as LuCI would: each file is
// the body of a function that returns a class.
import fs from 'node:fs';
import path from 'node:path';
import { app } from './server.mjs';

const resources = path.join(app, 'htdocs/luci-static/resources');

class Base {
	static extend(properties) {
		const child = class extends this {};
		Object.assign(child.prototype, properties);
		return child;
	}
}

/** What LuCI's globals do without a catalogue. */
function format(text, args) {
	let i = 0;
	return text.replace(/%[sd]/g, () => String(args[i++]));
}
String.prototype.format = function (...args) { return format(String(this), args); };

const globals = {
	_: (s) => s,
	N_: (n, one, many) => (n === 1 ? one : many),
	L: { toArray: (v) => (v == null ? [] : [].concat(v)) },
	document: { documentElement: { lang: 'en' } },
};

/** The singleton that require('ntsd.verdict') gives. */
export function load(name, extra = {}, cache = {}) {
	if (cache[name]) return cache[name];
	const source = fs.readFileSync(path.join(resources, `${name.replace(/\./g, '/')}.js`), 'utf8');
	const scope = { ...globals, ...extra, baseclass: Base };
	for (const [, dep, as] of source.matchAll(/^'require (\S+?)(?: as (\w+))?';$/gm)) {
		if (dep !== 'baseclass' && !(dep in scope)) scope[as ?? dep] = load(dep, extra, cache);
	}
	const Made = new Function(...Object.keys(scope), source)(...Object.values(scope));
	return (cache[name] = new Made());
}
