// A router of the test's own: a folder with its configuration, NTS servers on
// loopback, and the real daemon, which measures them and sets no clock.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import readline from 'node:readline';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../../..', import.meta.url));
const build = path.join(root, 'build');

/** Ports and addresses nobody else's run uses. */
const net2 = `127.${20 + (process.pid >> 8) % 200}.${process.pid & 255}`;
export const addresses = [`${net2}.11`, `${net2}.12`, `${net2}.13`];
export const servedAt = `${net2}.1`;
export const servedPort = 20000 + process.pid % 20000;

/** The servers that every run begins with. */
function configuration() {
	const server = (a, operator) => `
config server
	option hostname '${a}'
	option ntsport '14460'
	option nts 'yes'
	option operator '${operator}'
	option iburst 'yes'
	option minpoll '0'
	option maxpoll '2'
`;
	return `config ntsd 'main'
	option enabled '1'
	option clock 'none'
	option run_dir 'run'
	option state_dir 'state'

config nts
	option rtccheck 'no'
	option systemcerts 'no'
	option trustedcerts 'ca.pem'
${server(addresses[0], 'north.example')}${server(addresses[1], 'south.example')}${server(addresses[2], 'east.example')}
config allow
	option subnet '127.0.0.0/8'

config serve
	option port '${servedPort}'
`;
}

export async function until(what, ask, seconds = 30) {
	const end = Date.now() + seconds * 1000;
	for (let last;;) {
		try {
			last = await ask();
			if (last) return last;
		} catch (e) {
			last = e;
		}
		if (Date.now() > end) throw new Error(`waited ${seconds} s for ${what}; last: ${last?.stack ?? JSON.stringify(last)}`);
		await new Promise((r) => { setTimeout(r, 50); });
	}
}

export class World {
	static async start() {
		const w = new World();
		w.dir = fs.mkdtempSync(path.join(os.tmpdir(), 'ntsd-luci-'));
		fs.writeFileSync(path.join(w.dir, 'ntsd'), configuration());
		await w.startServers();
		await w.startDaemon();
		return w;
	}

	get socket() { return path.join(this.dir, 'run', 'ntsd.sock'); }

	async startServers() {
		this.servers = spawn(path.join(build, 'luci-world'), ['-dir', this.dir], { stdio: ['pipe', 'pipe', 'inherit'] });
		this.servers.stdin.on('error', () => {}); // its exit tells
		this.said = readline.createInterface({ input: this.servers.stdout })[Symbol.asyncIterator]();
		const first = await this.said.next();
		if (first.value !== 'ready') throw new Error('the servers did not start; make test-luci builds them');
	}

	/** One order to the servers; see luci/test/world. */
	async order(...line) {
		this.servers.stdin.write(`${line.join(' ')}\n`);
		const { value } = await this.said.next();
		if (value !== 'done') throw new Error(`${line.join(' ')}: ${value}`);
	}

	async startDaemon() {
		if (this.daemon) return;
		const log = fs.openSync(path.join(this.dir, 'log'), 'a');
		this.daemon = spawn(path.join(build, 'ntsd'), ['-x', '-c', this.dir], { cwd: this.dir, stdio: ['ignore', log, log] });
		fs.closeSync(log);
		const mine = this.daemon;
		mine.once('exit', () => { if (this.daemon === mine) this.daemon = null; });
		await until('the daemon to answer', () => this.daemon === null
			? Promise.reject(new Error(this.log())) : this.ask('report'));
	}

	async stopDaemon() {
		if (!this.daemon) return;
		const mine = this.daemon;
		this.daemon = null;
		mine.kill('SIGTERM');
		await once(mine, 'exit');
	}

	log() { return fs.readFileSync(path.join(this.dir, 'log'), 'utf8').slice(-2000); }

	/** A command of the control socket: the answer's body, or an error. */
	ask(cmd, ...args) {
		return new Promise((resolve, reject) => {
			const s = net.connect(this.socket);
			let text = '';
			s.on('connect', () => s.write(`${JSON.stringify({ cmd, args })}\n`));
			s.on('data', (d) => {
				text += d;
				if (text.endsWith('\n')) s.end(); // one answer is one line; the daemon would wait for more requests
			});
			s.on('error', reject);
			s.on('close', () => {
				try {
					const r = JSON.parse(text);
					if (r.ok) resolve(r.body ?? { ok: true });
					else reject(Object.assign(new Error(r.message), { refused: true }));
				} catch (e) {
					reject(e);
				}
			});
		});
	}

	async stop() {
		await this.stopDaemon();
		if (this.servers) {
			this.servers.stdin.end();
			await once(this.servers, 'exit');
		}
		fs.rmSync(this.dir, { recursive: true, force: true });
	}
}
