// The router's bus as uhttpd shows it to the browser: JSON-RPC at /ubus, with
// the access lists that rpcd would read.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { once } from 'node:events';
import { root } from './world.mjs';

const app = path.join(root, 'luci', 'luci-app-ntsd');

// Codes of ubus.
const OK = 0, INVALID_COMMAND = 1, INVALID_ARGUMENT = 2, NOT_FOUND = 4, DENIED = 6;

/** What LuCI's own packages grant to everybody who is logged in. */
const base = {
	read: {
		file: { '/': ['list'], '/*': ['list'] },
		ubus: { luci: ['getFeatures'], file: ['list'], uci: ['changes', 'get'], session: ['access'], 'network.interface': ['dump'] },
		uci: ['system', 'luci'],
	},
	write: {
		ubus: { uci: ['add', 'apply', 'confirm', 'delete', 'order', 'rename', 'set', 'revert'] },
	},
};

const glob = (pattern, s) => new RegExp(`^${pattern.replace(/[.+^${}()|[\]\\]/g, '\\$&').replace(/\*/g, '.*').replace(/\?/g, '.')}$`).test(s);

/** Who may do what: all of the lists' groups for reading, for writing if writer. */
export class Access {
	constructor(lists, writer) {
		const parts = [base, ...lists.flatMap((l) => Object.values(l))];
		this.parts = parts.flatMap((p) => (writer ? [p.read, p.write] : [p.read])).filter(Boolean);
		this.writes = parts.map((p) => p.write).filter(Boolean);
		this.writer = writer;
	}

	ubus(object, method) {
		return this.parts.some((p) => Object.entries(p.ubus ?? {}).some(([o, methods]) => glob(o, object) && methods.some((m) => glob(m, method))));
	}

	uci(config, write) {
		const parts = write ? (this.writer ? this.writes : []) : this.parts;
		return parts.some((p) => (p.uci ?? []).some((c) => glob(c, config)));
	}

	file(name, what) {
		return this.parts.some((p) => Object.entries(p.file ?? {}).some(([f, rights]) => glob(f, name) && rights.includes(what)));
	}
}

/** The objects; router is the harness: world, uci, leases, init, mode. */
export class Bus {
	constructor(router) { this.router = router; }

	/** One message of JSON-RPC; access is that of the session, or null. */
	async message(msg, accessOf) {
		const reply = (rest) => ({ jsonrpc: '2.0', id: msg.id ?? null, ...rest });
		const error = (code, message) => reply({ error: { code, message } });
		if (msg.method === 'list') return reply({ result: {} });
		if (msg.method !== 'call' || !Array.isArray(msg.params)) return error(-32600, 'Invalid request');
		const [sid, object, method, args] = msg.params;
		const access = accessOf(sid);
		if (!access || !access.ubus(object, method)) return error(-32002, 'Access denied');
		this.router.calls.push(`${object}.${method}`);
		const [code, data] = await this.call(object, method, args ?? {}, access);
		return reply({ result: data === undefined ? [code] : [code, data] });
	}

	async call(object, method, args, access) {
		const serve = this[`object_${object.replace(/\W/g, '_')}`];
		if (!serve) return [NOT_FOUND];
		return serve.call(this, method, args, access);
	}

	object_session(method, args, access) {
		if (method !== 'access') return [INVALID_COMMAND];
		const allowed = args.scope === 'uci' ? access.uci(args.object, args.function === 'write')
			: args.scope === 'ubus' ? access.ubus(args.object, args.function) : true;
		return [OK, { access: allowed }];
	}

	object_network_interface(method) {
		return method === 'dump' ? [OK, { interface: this.router.networks.map((name) => ({ interface: name, up: true })) }] : [INVALID_COMMAND];
	}

	object_luci(method) {
		if (method === 'getFeatures') return [OK, { dnsmasq: true, odhcpd: true, firewall: true, firewall4: true }];
		return [INVALID_COMMAND];
	}

	object_luci_rpc(method) {
		if (method === 'getDHCPLeases') return [OK, this.router.leases];
		if (method === 'getHostHints') return [OK, this.router.hints];
		return [INVALID_COMMAND];
	}

	object_uci(method, args, access) {
		const { uci } = this.router;
		if (method === 'changes') return [OK, { changes: uci.changes() }];
		if (method === 'apply') return uci.apply().then(() => [OK]);
		if (method === 'confirm' || method === 'rollback') return [OK];
		const write = method !== 'get';
		if (!access.uci(args.config, write)) return [DENIED];
		if (method === 'get') {
			if (!uci.has(args.config)) return [NOT_FOUND];
			const values = uci.values(args.config);
			return args.section ? [OK, { values: values[args.section] }] : [OK, { values }];
		}
		if (!['add', 'set', 'delete', 'order', 'revert'].includes(method)) return [INVALID_COMMAND];
		const data = uci[method](args);
		return data === null ? [NOT_FOUND] : [OK, data];
	}

	/** Files of the router lie under the harness's own root. */
	async object_file(method, args, access) {
		const { router } = this;
		if (method === 'exec') {
			const line = [args.command, ...(args.params ?? [])].join(' ');
			if (!access.file(line, 'exec') && !access.file(args.command, 'exec')) return [DENIED];
			return router.exec(args.command, args.params ?? []);
		}
		const right = { read: 'read', stat: 'list', list: 'list', write: 'write' }[method];
		if (!right) return [INVALID_COMMAND];
		if (!access.file(args.path, right)) return [DENIED];
		// Of /www only our own files are listed: LuCI's includes are not under test.
		const file = args.path.startsWith('/www/') ? path.join(app, 'htdocs', args.path.slice(4)) : path.join(router.files, args.path);
		if (method === 'write') {
			fs.mkdirSync(path.dirname(file), { recursive: true });
			fs.writeFileSync(file, args.data);
			return [OK];
		}
		if (!fs.existsSync(file)) return [NOT_FOUND];
		if (method === 'read') return [OK, { data: fs.readFileSync(file, 'utf8') }];
		if (method === 'list') return [OK, { entries: fs.readdirSync(file).map((name) => ({ name, type: 'file' })) }];
		return [OK, { path: args.path, type: 'file', size: fs.statSync(file).size }];
	}

	/** The object that the daemon publishes: commands of its control socket. */
	async object_ntsd(method, args) {
		const { router } = this;
		if (router.mode !== 'bus' && !router.recorded) return [NOT_FOUND];
		if (router.recorded?.[method]) return [OK, router.recorded[method]];
		const request = this.daemonRequest(method, args);
		if (!request) return [INVALID_ARGUMENT];
		try {
			let body = await router.world.ask(...request);
			if (Array.isArray(body)) body = { [method]: body };
			body = withoutNull(body);
			return [OK, router.alter ? router.alter(method, body) : body];
		} catch (e) {
			return e.refused ? [OK, { error: e.message }] : [NOT_FOUND];
		}
	}

	daemonRequest(method, args) {
		switch (method) {
		case 'status': return ['report'];
		case 'history': return ['history', ...(args.span ? [args.span] : [])];
		case 'serverstats': case 'ntskeys': case 'ca': return [method];
		case 'clients': return ['clients', String(args.least ?? 0)];
		case 'test': return args.id ? ['test', 'id', String(args.id)] : ['test', args.server ?? ''];
		case 'action':
			if (!['burst', 'rekey', 'makestep', 'refresh', 'reload', 'online', 'offline', 'onoffline', 'dump'].includes(args.command)) return null;
			return [args.command, ...(args.argument ? [args.argument] : [])];
		}
		return null;
	}

	/**
	 * The same from rpcd's plugin, whose work is ntsctl's but for "start", which
	 * is the init script's.
	 */
	async object_luci_ntsd(method, args) {
		const { router } = this;
		if (router.mode === 'none') return [NOT_FOUND];
		if (method === 'start') {
			if (!router.enabled) return [OK, { error: 'the daemon is switched off in its settings', code: 'disabled' }];
			await router.world.startDaemon();
			return [OK, { ok: true }];
		}
		if (method === 'hide') {
			const answer = router.hide();
			await router.world.ask('reload');
			return [OK, answer];
		}
		// What reads /etc/config must read the world's: the same code, other files.
		const [program, ...line] = ['check', 'import'].includes(method)
			? [path.join(root, 'build', 'luci-world'), '-dir', router.world.dir, '-call', method]
			: [router.ntsctl, '-h', router.world.socket, 'rpcd', 'call', method];
		const p = spawn(program, line, { cwd: router.world.dir, stdio: ['pipe', 'pipe', 'inherit'] });
		p.stdin.on('error', () => {});
		p.stdin.end(JSON.stringify(args));
		let out = '';
		p.stdout.on('data', (d) => { out += d; });
		await once(p, 'close');
		try {
			return [OK, JSON.parse(out)];
		} catch {
			return [INVALID_COMMAND];
		}
	}
}

/** The bus has no null: what is not known is left out. */
function withoutNull(v) {
	if (Array.isArray(v)) return v.filter((e) => e !== null).map(withoutNull);
	if (v && typeof v === 'object') return Object.fromEntries(Object.entries(v).filter(([, e]) => e !== null).map(([k, e]) => [k, withoutNull(e)]));
	return v;
}
