// One router, one web server and one browser for the whole run.
import fs from 'node:fs';
import path from 'node:path';
import { spawnSync } from 'node:child_process';
import { chromium } from 'playwright-core';
import { Server, app, luciDir } from './server.mjs';
import { UCI, format } from './uci.mjs';
import { World, root, until } from './world.mjs';

export { until, luciDir, app, root };
export { servedAt, servedPort, addresses } from './world.mjs';

/** Screenshots go here; CI keeps the folder. */
export const shots = process.env.NTSD_LUCI_SHOTS || path.join(root, 'build', 'luci');

const browsers = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

let started = null;

/** The harness, started by whoever asks first. */
export function harness() {
	started ??= Harness.start();
	return started;
}

export async function stopHarness() {
	if (started) await (await started.catch(() => null))?.stop();
	started = null;
}

class Harness {
	static async start() {
		const h = new Harness();
		h.calls = [];       // of the bus: "object.method"
		h.mode = 'bus';     // 'plugin': only rpcd's plugin answers; 'none': nobody
		h.recorded = null;  // answers of the object "ntsd" by method, instead of the daemon's
		h.alter = null;     // changes an answer of the daemon: (method, answer) => answer
		h.enabled = true;
		h.leases = { dhcp_leases: [], dhcp6_leases: [] };
		h.hints = {};
		h.networks = ['lan', 'guest', 'wan', 'wan6', 'loopback'];
		h.ntsctl = path.join(root, 'build', 'ntsctl');
		fs.mkdirSync(shots, { recursive: true });
		h.world = await World.start();
		h.files = path.join(h.world.dir, 'rootfs');
		fs.mkdirSync(h.files, { recursive: true });
		for (const c of ['system', 'luci']) fs.writeFileSync(path.join(h.world.dir, c), `config ${c} 'main'\n`);
		h.uci = new UCI(h.world.dir, () => h.world.ask('reload').catch(() => null));
		h.http = new Server(h);
		await h.http.listen();
		const executablePath = process.env.CHROMIUM || browsers.find((b) => fs.existsSync(b));
		if (!executablePath) throw new Error('no chromium here; install it, or name one in CHROMIUM');
		h.browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--force-color-profile=srgb'] });
		return h;
	}

	/** Keys into files, as the plugin's script does; internal/router tests that. */
	hide() {
		const sections = this.uci.sections('ntsd');
		let moved = 0;
		for (const s of sections.filter((e) => e.type === 'key' && e.options.secret)) {
			const name = path.join(this.world.dir, `key-${s.options.id}`);
			fs.writeFileSync(name, `${s.options.secret}\n`, { mode: 0o600 });
			s.options.secret_file = name;
			delete s.options.secret;
			moved++;
		}
		fs.writeFileSync(this.uci.file('ntsd'), format(sections));
		return { moved, left: 0 };
	}

	/** A program of the router that a page may start; "file exec". */
	exec(command, params) {
		const name = path.basename(command);
		const program = ['ntsd', 'ntsctl'].includes(name) ? path.join(root, 'build', name) : command;
		const r = spawnSync(program, params, { cwd: this.world.dir, encoding: 'utf8' });
		return [0, { code: r.status ?? 127, stdout: r.stdout ?? '', stderr: r.stderr ?? String(r.error ?? '') }];
	}

	/**
	 * Opens a page as user (admin, reader), dark or phone-sized. The page's
	 * problems are what the console and the network complained of; expect() takes
	 * those away that a test provoked.
	 */
	async open(where, { user = 'admin', dark = false, phone = false, lang = 'en', width, timezone = 'Europe/Berlin' } = {}) {
		this.http.lang = lang;
		const context = await this.browser.newContext({
			viewport: phone ? { width: 390, height: 844 } : { width: width ?? 1100, height: 900 },
			isMobile: phone, hasTouch: phone,
			colorScheme: dark ? 'dark' : 'light', locale: lang, timezoneId: timezone,
		});
		await context.addCookies([{ name: 'sysauth', value: user, url: this.http.url }]);
		const page = await context.newPage();
		page.setDefaultTimeout(30000);
		page.problems = [];
		page.on('console', (m) => { if (m.type() === 'error' || m.type() === 'warning') page.problems.push(m.text()); });
		page.on('pageerror', (e) => page.problems.push(String(e.stack)));
		page.on('response', (r) => { if (r.status() >= 400) page.problems.push(`${r.status()} ${r.url()}`); });
		await page.goto(`${this.http.url}/cgi-bin/luci/${where}`);
		await page.waitForFunction(() => document.querySelector('#view') && !document.querySelector('#view > .spinning')).catch(async (e) => {
			const text = await page.textContent('body').catch(() => '');
			throw new Error(`${where} shows no view: ${e.message}\n${page.problems.join('\n')}\n${text.slice(0, 500)}`);
		});
		return page;
	}

	async shot(page, name) {
		await page.screenshot({ path: path.join(shots, `${luciDir ? 'luci-' : ''}${name}.png`), fullPage: true });
	}

	async stop() {
		await this.browser?.close();
		await this.http?.close();
		await this.world?.stop();
	}
}

/** Closes the page and fails if anything was wrong with it. */
export async function close(page) {
	const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
	await page.context().close();
	if (wide > 0) throw new Error(`the page is ${wide} px wider than its window`);
	if (page.problems.length) throw new Error(`the page complained:\n${page.problems.join('\n')}`);
}
