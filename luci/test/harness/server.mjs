// LuCI's web server for the tests: pages from menu.d, scripts from the package's
// own htdocs and from the stand-in (or from LuCI's own, see LUCI_DIR), and /ubus.
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { Access, Bus } from './bus.mjs';
import { catalogue } from './catalogue.mjs';
import { root } from './world.mjs';

export const app = path.join(root, 'luci', 'luci-app-ntsd');
const standin = path.join(root, 'luci', 'test', 'standin');

const types = { '.js': 'application/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.json': 'application/json', '.png': 'image/png', '.woff': 'font/woff', '.woff2': 'font/woff2' };

const readJSON = (dir) => (fs.existsSync(dir) ? fs.readdirSync(dir).filter((f) => f.endsWith('.json')).map((f) => JSON.parse(fs.readFileSync(path.join(dir, f), 'utf8'))) : []);

/** Of each of LuCI's themes: its folder, its media folder, and what stands round the view. */
const themes = {
	bootstrap: ['luci-theme-bootstrap', 'bootstrap', `<header>
<a class="brand" href="/">OpenWrt</a>
<ul class="nav" id="topmenu" style="display:none"></ul>
<div id="indicators" class="pull-right"></div>
</header>
<div id="maincontent" class="container">
<div id="tabmenu" style="display:none"></div>`, `</div>
<footer><span>Powered by LuCI</span><ul class="breadcrumb pull-right" id="modemenu" style="display:none"></ul></footer>`],
	material: ['luci-theme-material', 'material', `<header><div class="fill"><div class="container"><span class="showSide"></span><a class="brand" href="#">OpenWrt</a><span class="status" id="indicators"></span></div></div></header>
<div class="main"><div style="" class="loading"></div><div class="main-left" id="mainmenu" style="display:none"></div><div class="main-right"><div class="modemenu-buttons" style="display:none"><ul id="modemenu"></ul></div><div class="darkMask"></div>
<div id="maincontent"><div class="container"><div id="tabmenu" style="display:none"></div>`, '</div></div></div></div>'],
	openwrt2020: ['luci-theme-openwrt-2020', 'openwrt2020', `<div id="menubar"><h2 class="navigation"><a id="navigation" name="navigation">Navigation</a></h2><span class="hostname"><a href="/">OpenWrt</a></span><span id="indicators"></span></div>
<div id="modemenu" style="display:none"></div>
<div id="maincontainer"><div id="mainmenu"></div><div id="maincontent"><div id="tabmenu" style="display:none"></div>`, '</div></div>'],
};

/** Where LuCI's modules and themes lie, when the tests are to run on LuCI's own. */
export const luciDir = process.env.LUCI_DIR || null;

export class Server {
	/** theme and lang are those of the next page. */
	constructor(router) {
		this.router = router;
		this.bus = new Bus(router);
		this.real = luciDir;
		this.theme = 'bootstrap';
		this.lang = 'en';
		const lists = readJSON(path.join(app, 'root/usr/share/rpcd/acl.d'));
		this.sessions = { admin: new Access(lists, true), reader: new Access(lists, false) };
		this.menu = Object.assign({}, ...readJSON(path.join(app, 'root/usr/share/luci/menu.d')));
	}

	async listen() {
		this.http = http.createServer((req, res) => {
			this.answer(req, res).catch((e) => {
				res.writeHead(500);
				res.end(String(e.stack));
			});
		});
		await new Promise((r) => { this.http.listen(0, '127.0.0.1', r); });
		this.url = `http://127.0.0.1:${this.http.address().port}`;
	}

	async close() {
		this.http.closeAllConnections?.();
		await new Promise((r) => { this.http.close(r); });
	}

	async answer(req, res) {
		const url = new URL(req.url, 'http://x');
		const user = /sysauth=(\w+)/.exec(req.headers.cookie ?? '')?.[1] ?? 'admin';
		if (url.pathname.startsWith('/ubus')) return this.ubus(req, res);
		if (url.pathname.startsWith('/luci-static/')) return this.file(url.pathname, res);
		if (url.pathname.startsWith('/cgi-bin/luci/admin/translations/')) return this.send(res, types['.js'], catalogue(app, url.pathname.split('/').at(-1), this.real));
		if (url.pathname.startsWith('/cgi-bin/luci/admin/uci/')) return this.change(url.pathname.split('/').at(-1), res);
		if (url.pathname === '/cgi-bin/luci/admin/menu') return this.send(res, types['.json'], JSON.stringify(this.menuTree()));
		if (url.pathname.startsWith('/cgi-bin/luci/')) return this.page(url.pathname.slice('/cgi-bin/luci/'.length), user, res);
		res.writeHead(url.pathname === '/favicon.ico' ? 204 : 404);
		return res.end();
	}

	send(res, type, body, headers = {}) {
		res.writeHead(200, { 'Content-Type': `${type}; charset=utf-8`, 'Cache-Control': 'no-cache', ...headers });
		res.end(body);
	}

	async ubus(req, res) {
		let text = '';
		for await (const chunk of req) text += chunk;
		const msg = JSON.parse(text);
		const accessOf = (sid) => this.sessions[sid];
		const one = (m) => this.bus.message(m, accessOf);
		const out = Array.isArray(msg) ? await Promise.all(msg.map(one)) : await one(msg);
		this.send(res, types['.json'], JSON.stringify(out));
	}

	/** The folders that make up /www, ours first. */
	roots() {
		const own = path.join(app, 'htdocs/luci-static');
		if (!this.real) return [[own, false], [path.join(root, 'luci/test/standin'), true]];
		const at = (p) => path.join(this.real, p, 'htdocs/luci-static');
		return [[own, false], [at('modules/luci-base'), false], [at('modules/luci-mod-status'), false], [at(`themes/${themes[this.theme][0]}`), false]];
	}

	/** Whether this LuCI has the theme, with its menu made in the browser. */
	hasTheme(theme) {
		return fs.existsSync(path.join(this.real, 'themes', themes[theme][0], `htdocs/luci-static/resources/menu-${theme}.js`));
	}

	file(name, res) {
		const rest = path.normalize(name.slice('/luci-static/'.length));
		for (const [dir, ours] of this.roots()) {
			const inside = ours ? rest.replace(/^(resources|bootstrap|material|openwrt-2020)\//, '') : rest;
			const file = path.join(dir, inside);
			if (file.startsWith(dir) && fs.existsSync(file) && fs.statSync(file).isFile()) {
				this.router.bytes?.set(name, fs.statSync(file).size);
				return this.send(res, types[path.extname(file)] ?? 'application/octet-stream', fs.readFileSync(file), ours ? { 'X-Standin': '1' } : {});
			}
		}
		// LuCI 21.02's style sheets name pictures that it does not have.
		res.writeHead(this.real && /\.(gif|png|svg)$/.test(rest) ? 204 : 404);
		return res.end();
	}

	/** LuCI's own way to apply what waits in the session. */
	async change(what, res) {
		if (what.startsWith('apply')) await this.router.uci.apply();
		if (what === 'revert') this.router.uci.pending.clear();
		this.send(res, types['.json'], what === 'apply_rollback' ? '{"token":"token"}' : '');
	}

	menuTree() {
		const children = {};
		for (const [name, node] of Object.entries(this.menu)) {
			const [, group, leaf] = name.split('/');
			children[group] ??= { title: group, satisfied: true, order: 10, action: { type: 'firstchild' }, children: {} };
			if (leaf) children[group].children[leaf] = { ...node, satisfied: true };
		}
		return { satisfied: true, children: { admin: { satisfied: true, title: 'Administration', action: { type: 'firstchild' }, children } } };
	}

	page(requested, user, res) {
		const node = this.menu[requested] ?? (requested === 'admin/status/overview' ? { title: 'Overview', action: { path: 'status/index' } } : null);
		if (!node) {
			res.writeHead(404);
			return res.end(`no menu entry ${requested}`);
		}
		const env = {
			media: `/luci-static/${themes[this.theme][1]}`, resource: '/luci-static/resources', scriptname: '/cgi-bin/luci', pathinfo: `/${requested}`,
			documentroot: '/www', requestpath: requested.split('/'), dispatchpath: requested.split('/'), pollinterval: 1, ubuspath: '/ubus/',
			sessionid: user, token: 'token', nodespec: { ...node, satisfied: true, readonly: user === 'reader' },
			apply_rollback: 90, apply_holdoff: 1, apply_timeout: 5, apply_display: 0.5, rollback_token: null,
		};
		const resource = '/luci-static/resources';
		const [, , before, after] = themes[this.theme];
		this.send(res, 'text/html', `<!DOCTYPE html>
<html lang="${this.lang}">
<head>
<meta charset="utf-8">
<title>Test | ${node.title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<script>
var dark = window.matchMedia('(prefers-color-scheme: dark)');
document.documentElement.setAttribute('data-darkmode', dark.matches);
</script>
<link rel="stylesheet" href="${env.media}/cascade.css">
${this.theme === 'bootstrap' ? `<link rel="stylesheet" media="only screen and (max-device-width: 854px)" href="${env.media}/mobile.css">` : ''}
<link rel="icon" href="data:,">
<script src="/cgi-bin/luci/admin/translations/${this.lang}"></script>
${this.real ? `<script src="${resource}/cbi.js"></script>` : ''}
</head>
<body class="lang_${this.lang} ${node.title}" data-page="${requested.replace(/\//g, '-')}">
${before}
<script src="${resource}/luci.js"></script>
<script>L = new LuCI(${JSON.stringify(env).replace(/\//g, '\\/')});</script>
<div id="view">
<div class="spinning">Loading view…</div>
<script>L.require('ui').then(function(ui) { ui.instantiateView('${node.action.path}'); });</script>
</div>
${after}
${this.real ? `<script>L.require('menu-${this.theme}')</script>` : ''}
</body>
</html>`);
	}
}

export { standin };
