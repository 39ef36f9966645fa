// Modules of the package without a browser: those that need only the language.
import fs from 'node:fs';
import path from 'node:path';
import { app } from './server.mjs';

String.prototype.format ??= function format(...args) {
	return this.replace(/%[sd]/g, () => String(args.shift()));
};

const loaded = new Map();

/** The module as LuCI would give it: an instance, with what it requires. */
export function load(name) {
	if (!loaded.has(name)) {
		const file = path.join(app, 'htdocs/luci-static/resources', `${name.replace(/\./g, '/')}.js`);
		const source = fs.readFileSync(file, 'utf8');
		const required = [...source.matchAll(/^'require (\S+?)(?: as (\w+))?';$/gm)].map(([, n, as]) => [as ?? n, n]);
		const values = required.map(([, n]) => (n === 'baseclass' ? { extend: (o) => o } : load(n)));
		loaded.set(name, new Function('_', 'L', ...required.map(([as]) => as), source)((s) => s, {}, ...values));
	}
	return loaded.get(name);
}
