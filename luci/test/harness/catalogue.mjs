// Translations as LuCI sends them to a page: from the package's po files, for the
// stand-in by text, for LuCI's own runtime by LuCI's hash of the text.
import fs from 'node:fs';
import path from 'node:path';

const unquote = (s) => [...s.matchAll(/"((?:\\.|[^"\\])*)"/g)].map(([, t]) => JSON.parse(`"${t}"`)).join('');

/** Entries of a po file: {id, plural, context, texts}; the header has an empty id. */
export function parse(text) {
	return text.split(/\n\s*\n/).map((block) => {
		const part = (name) => {
			const m = new RegExp(`^${name}((?:\\s+"(?:\\\\.|[^"\\\\])*")+)`, 'm').exec(block);
			return m ? unquote(m[1]) : null;
		};
		const forms = [...block.matchAll(/^msgstr(?:\[\d\])?((?:\s+"(?:\\.|[^"\\])*")+)/gm)].map((m) => unquote(m[1]));
		return { id: part('msgid'), plural: part('msgid_plural'), context: part('msgctxt'), texts: forms };
	}).filter((e) => e.id !== null);
}

/** LuCI's folder for a page's language: zh-cn is zh_Hans there. */
const folder = (lang) => ({ 'zh-cn': 'zh_Hans', 'zh-Hans': 'zh_Hans' }[lang] ?? lang);

/** The script that a page of this language loads first; empty without a po file. */
export function catalogue(app, lang, real) {
	const file = path.join(app, 'po', folder(lang), 'ntsd.po');
	if (!fs.existsSync(file)) return '';
	const entries = parse(fs.readFileSync(file, 'utf8'));
	const rule = /plural=([^;\n]+)/.exec(entries.find((e) => e.id === '')?.texts[0] ?? '')?.[1] ?? 'n != 1';
	const table = {};
	const hash = real ? hasher(real) : null;
	for (const { id, plural, context, texts } of entries) {
		if (id === '' || texts.some((t) => t === '')) continue;
		const key = (context ? `${context}\u0001` : '') + id;
		if (plural === null) table[hash ? hash(key) : key] = texts[0];
		else if (hash) texts.forEach((t, i) => { table[hash(`${key}\u0002${i}`)] = t; });
		else table[`${key}\u0000${plural}`] = texts;
	}
	if (hash) table['00000000'] = `plural=(${rule});`;
	return `window.TR = ${JSON.stringify(table)};\nwindow.TR_plural = function(n) { return +(${rule}); };\n`;
}

/** LuCI's own function, from its sources. */
function hasher(real) {
	const source = fs.readFileSync(path.join(real, 'modules/luci-base/htdocs/luci-static/resources/cbi.js'), 'utf8');
	const cut = (name) => source.slice(source.indexOf(`function ${name}(`), source.indexOf('\n}', source.indexOf(`function ${name}(`)) + 2);
	return new Function(`${cut('s8')}\n${cut('u16')}\n${cut('sfh')}\nreturn sfh;`)();
}
