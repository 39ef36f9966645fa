// A folder of UCI files as rpcd's object "uci" serves it: what is set waits in
// the session until it is applied, then it is written and who listens is told.
import fs from 'node:fs';
import path from 'node:path';

const quote = (s) => `'${String(s).replace(/'/g, `'\\''`)}'`;

/** Words of one line: bare, 'quoted', "quoted", and pieces of these side by side. */
function words(line) {
	const out = [];
	const re = /\s*((?:'[^']*'|"(?:\\.|[^"\\])*"|\\.|[^\s'"#])+|#.*)/gy;
	for (let m; (m = re.exec(line)) !== null;) {
		if (m[1].startsWith('#')) break;
		out.push(m[1].replace(/'([^']*)'|"((?:\\.|[^"\\])*)"|\\(.)/g, (all, a, b, c) => a ?? b?.replace(/\\(.)/g, '$1') ?? c));
	}
	return out;
}

/** Sections in their order: {name, anonymous, type, options: {name: string | [string]}}. */
export function parse(text) {
	const sections = [];
	for (const line of text.split('\n')) {
		const [what, name, value] = words(line);
		const last = sections.at(-1);
		if (what === 'config') {
			const anonymous = value === undefined;
			sections.push({ type: name, anonymous, name: anonymous ? `cfg${sections.length.toString(16).padStart(2, '0')}0000` : value, options: {} });
		} else if (what === 'option') {
			last.options[name] = value;
		} else if (what === 'list') {
			last.options[name] = [].concat(last.options[name] ?? [], value);
		}
	}
	return sections;
}

export function format(sections) {
	return sections.map((s) => `\nconfig ${s.type}${s.anonymous ? '' : ` ${quote(s.name)}`}\n` +
		Object.entries(s.options).map(([k, v]) => (Array.isArray(v)
			? v.map((e) => `\tlist ${k} ${quote(e)}\n`).join('')
			: `\toption ${k} ${quote(v)}\n`)).join('')).join('');
}

export class UCI {
	/** dir holds the files; applied is called with the names of what changed. */
	constructor(dir, applied) {
		this.dir = dir;
		this.applied = applied;
		this.pending = new Map(); // config -> {sections, log}
		this.made = 0;
	}

	file(config) {
		if (!/^[\w.-]+$/.test(config)) throw new Error(`config ${config}`);
		return path.join(this.dir, config);
	}

	has(config) { return fs.existsSync(this.file(config)); }

	sections(config) {
		return this.pending.get(config)?.sections ?? parse(fs.readFileSync(this.file(config), 'utf8'));
	}

	edit(config) {
		if (!this.pending.has(config)) this.pending.set(config, { sections: this.sections(config), log: [] });
		return this.pending.get(config);
	}

	values(config) {
		const out = {};
		this.sections(config).forEach((s, i) => {
			out[s.name] = { '.anonymous': s.anonymous, '.type': s.type, '.name': s.name, '.index': i, ...s.options };
		});
		return out;
	}

	changes() {
		return Object.fromEntries([...this.pending].filter(([, p]) => p.log.length).map(([c, p]) => [c, p.log]));
	}

	static strings(values) {
		return Object.fromEntries(Object.entries(values ?? {}).map(([k, v]) => [k, Array.isArray(v) ? v.map(String) : String(v)]));
	}

	add({ config, type, name, values }) {
		const p = this.edit(config);
		const s = { type, anonymous: !name, name: name ?? `cfg${(0xf00000 + this.made++).toString(16)}`, options: UCI.strings(values) };
		p.sections.push(s);
		p.log.push(['add', s.name, type]);
		return { section: s.name };
	}

	set({ config, section, values }) {
		const p = this.edit(config);
		const s = p.sections.find((e) => e.name === section);
		if (!s) return null;
		Object.assign(s.options, UCI.strings(values));
		p.log.push(...Object.entries(values).map(([k, v]) => ['set', section, k, String(v)]));
		return {};
	}

	delete({ config, section, option, options }) {
		const p = this.edit(config);
		const at = p.sections.findIndex((e) => e.name === section);
		if (at < 0) return null;
		const names = options ?? (option ? [option] : null);
		if (names === null) p.sections.splice(at, 1);
		else names.forEach((k) => delete p.sections[at].options[k]);
		p.log.push(...(names ?? [null]).map((k) => (k ? ['remove', section, k] : ['remove', section])));
		return {};
	}

	order({ config, sections }) {
		const p = this.edit(config);
		const rank = new Map(sections.map((n, i) => [n, i]));
		p.sections.sort((a, b) => (rank.get(a.name) ?? 1e6) - (rank.get(b.name) ?? 1e6));
		p.log.push(['order', ...sections]);
		return {};
	}

	revert({ config }) {
		this.pending.delete(config);
		return {};
	}

	async apply() {
		const changed = [...this.pending.keys()];
		for (const [config, p] of this.pending) {
			const tmp = this.file(`.${config}.new`);
			fs.writeFileSync(tmp, format(p.sections));
			fs.renameSync(tmp, this.file(config));
		}
		this.pending.clear();
		await this.applied?.(changed);
		return {};
	}
}
