'use strict';
'require view';
'require dom';
'require poll';
'require rpc';
'require ui';
'require ntsd.authority as authority';
'require ntsd.format as format';
'require ntsd.graph as graph';
'require ntsd.style as style';
'require ntsd.tables as tables';
'require ntsd.tools as tools';
'require ntsd.verdict as verdict';
'require ntsd.words as words';

/* How many clients are listed before somebody asks for all: on a phone each is
 * a card. */
var FEW_CLIENTS = window.matchMedia('(max-width: 600px)').matches ? 5 : 15;

var SPANS = [
	{ id: 'hour', seconds: 3600, text: _('Hour') },
	{ id: 'day', seconds: 86400, text: _('Day') },
	{ id: 'week', seconds: 7 * 86400, text: _('Week') }
];

/* What changes rarely is asked for this often, in milliseconds. */
var SLOWLY = 60000;

/* A graph of a few minutes is stretched to no less. */
var LEAST_SPAN = 120;

var callLeases = rpc.declare({ object: 'luci-rpc', method: 'getDHCPLeases', expect: { '': {} } });

/* What the buttons do: they ask first. */
function actions(report) {
	return [
		{
			text: _('Poll now'), command: 'burst', argument: '4/8',
			ask: _('Ask all servers a few times at once? Their next regular request comes later.'),
			done: _('All servers are being asked.')
		},
		{
			text: _('Renew keys'), command: 'rekey', argument: '',
			ask: _('Get new keys from all NTS servers? The present ones are kept until then. Do not do this often: some servers refuse who asks too much.'),
			done: _('New keys are being fetched.')
		},
		{
			text: _('Step the clock'), command: 'makestep', argument: '',
			ask: _('Set the clock at once by the %s that it is still off, instead of slowly? Programs may see time jump.')
				.format(report ? format.time(report.tracking.correction_s) : '–'),
			done: _('The clock has been stepped.')
		}
	];
}

function tile(label, value, small) {
	return E('div', [ E('dt', [ label ]), E('dd', [ value, small ? E('small', [ small ]) : '' ]) ]);
}

function ahead(seconds) {
	return seconds == 0 ? '' : seconds > 0 ? _('this clock is ahead') : _('this clock is behind');
}

function leap(word) {
	return { normal: _('none announced'), insert: _('one second more'), 'delete': _('one second less') }[word] || _('unknown');
}

/* { address: name } of the DHCP leases. */
function leaseNames(leases) {
	var names = {};
	(leases.dhcp_leases || []).forEach(function(l) {
		if (l.hostname)
			names[l.ipaddr] = l.hostname;
	});
	(leases.dhcp6_leases || []).forEach(function(l) {
		(l.ip6addrs || [ l.ip6addr ]).forEach(function(a) {
			if (l.hostname && a)
				names[a.split('/')[0]] = l.hostname;
		});
	});
	return names;
}

return view.extend({
	span: SPANS[0],

	allClients: false,

	load: function() {
		return Promise.all([
			this.fetch(),
			tools.loadZone()
		]);
	},

	/* All that one round shows; report is null while the daemon does not answer. */
	fetch: function() {
		var self = this, wanted = self.span;
		return tools.ask('status').then(function(report) {
			var historyDue = !self.history || self.history.span != wanted.id || Date.now() - self.historyAt > Math.min(self.history.interval_s, 60) * 1000;
			return Promise.all([
				L.resolveDefault(tools.ask('serverstats'), null),
				L.resolveDefault(tools.ask('clients', 0), null),
				self.fetchSlow(),
				historyDue ? L.resolveDefault(tools.ask('history', wanted.id), null) : null
			]).then(function(got) {
				if (got[3] && wanted === self.span) {
					self.history = got[3];
					self.historyAt = Date.now();
				}
				return { report: report, stats: got[0], clients: (got[1] || {}).clients || [], keys: got[2].keys, names: got[2].names, ca: got[2].ca, at: performance.now() };
			});
		}).catch(function(e) {
			return { report: null, denied: e.denied, why: e.denied || e.code == 'not_running' ? null : e.message };
		});
	},

	/* Cookie keys, the LAN's authority and the names of the DHCP leases. */
	fetchSlow: function() {
		if (!this.slow || Date.now() - this.slowAt > SLOWLY) {
			this.slowAt = Date.now();
			this.slow = Promise.all([ L.resolveDefault(tools.ask('ntskeys'), null), L.resolveDefault(callLeases(), {}) ]).then(function(got) {
				/* Without cookie keys no device takes authenticated time from here. */
				var serves = got[0] && L.toArray(got[0].keys).length;
				return Promise.resolve(serves ? authority.ask() : null).then(function(ca) {
					return { keys: got[0], names: leaseNames(got[1]), ca: ca };
				});
			});
		}
		return this.slow;
	},

	render: function(data) {
		var self = this, writer = L.hasViewPermission() !== false;
		self.zone = tools.zone();
		self.parts = {};
		[ 'verdict', 'ladder', 'clock', 'sources', 'keys', 'served', 'clients', 'daemon' ].forEach(function(name) { self.parts[name] = E('div'); });
		self.news = E('span', { 'class': 'ntsd-heard', 'role': 'status' });
		self.said = E('span', { 'role': 'status' });
		self.buttons = E('div', { 'class': 'ntsd-bar' }, writer ? self.renderActions().concat([ self.said ]) : [
			E('em', [ _('You may look here, but not act.') ])
		]);
		self.graphs = self.makeGraphs();
		self.pictures = E('div', [ self.renderSpans(), self.graphs.offset.node, self.graphs.frequency.node ]);
		self.authority = E('p', [ E('button', { 'class': 'btn cbi-button cbi-button-action', 'click': ui.createHandlerFn(authority, 'show') }, [ _('CA certificate for devices…') ]) ]);
		self.more = E('button', { 'class': 'btn cbi-button cbi-button-neutral', 'click': function() { self.allClients = !self.allClients; self.show(self.last); } }, [ '' ]);
		self.log = E('pre', { 'class': 'ntsd-log' });
		self.way = E('details', [ E('summary', [ _('How the time was found at the start') ]), E('div') ]);
		self.running = E('div', [
			self.buttons,
			self.section(_('First time since the start'), [ self.parts.ladder ], 'ladder'),
			self.section(_('Clock'), [ self.parts.clock, self.pictures ]),
			self.section(_('Sources'), [ self.parts.sources ]),
			self.section(_('Authentication'), [ self.parts.keys ], 'keys'),
			self.section(_('Time for the network'), [ self.parts.served, self.authority, self.parts.clients, self.more ]),
			self.section(_('Daemon', 'time'), [ self.parts.daemon, self.way, E('details', [ E('summary', [ _('Latest messages') ]), self.log ]) ])
		]);
		self.show(data[0]);
		poll.add(function() { return self.fetch().then(function(d) { self.show(d); }); });
		window.addEventListener('resize', function() { self.draw(); });
		window.setInterval(function() { self.tick(); }, 1000);
		/* The graphs need their width: once they are in the page. */
		window.requestAnimationFrame(function() {
			self.align();
			self.draw();
		});
		return E('div', { 'class': 'ntsd' }, [ style.node(), E('h2', [ _('Time') ]), self.news, self.parts.verdict, self.running ]);
	},

	section: function(title, content, hideable) {
		var node = E('div', { 'class': 'cbi-section' }, [ E('h3', [ title ]), E('div', { 'class': 'ntsd-body' }, content) ]);
		if (hideable)
			this.parts[hideable].section = node;
		return node;
	},

	/* Some themes indent the heading of a section and leave its content to itself. */
	align: function() {
		var heading = this.running.querySelector('h3');
		this.running.style.setProperty('--ntsd-pad', window.getComputedStyle(heading).paddingLeft);
	},

	hide: function(name, hidden) {
		this.parts[name].section.classList[hidden ? 'add' : 'remove']('ntsd-hide');
	},

	/* --- the parts ------------------------------------------------------ */

	show: function(data) {
		var self = this, r = data.report;
		self.previous = self.last;
		self.last = data;
		self.showVerdict(r, data);
		self.running.classList[r ? 'remove' : 'add']('ntsd-hide');
		if (!r) {
			self.history = null;
			return;
		}
		self.showLadder(r);
		dom.content(self.parts.clock, self.renderClock(r));
		dom.content(self.parts.sources, tables.sources(r, self.zone));
		var keys = tables.keys(r, self.zone);
		self.hide('keys', !keys);
		dom.content(self.parts.keys, keys);
		dom.content(self.parts.served, self.renderServed(data));
		dom.content(self.parts.clients, self.serving(data) ? self.renderClients(data) : null);
		self.authority.classList[data.ca ? 'remove' : 'add']('ntsd-hide');
		self.more.classList[self.serving(data) && data.clients.length > FEW_CLIENTS ? 'remove' : 'add']('ntsd-hide');
		self.more.textContent = self.allClients ? _('Show fewer') : _('Show all %d').format(data.clients.length);
		dom.content(self.parts.daemon, self.renderDaemon(data));
		self.way.classList[r.bootstrap.phase == 'done' && L.toArray(r.bootstrap.rungs).length ? 'remove' : 'add']('ntsd-hide');
		dom.content(self.way.lastElementChild, self.renderRungs(r.bootstrap));
		self.log.textContent = (r.daemon.log || []).map(function(l) { return format.date(l.time, self.zone) + '  ' + (l.level == 'INFO' ? '' : l.level + ' ') + l.text; }).reverse().join('\n');
		self.draw();
		self.tick();
	},

	/* Rebuilt only when it says something else; read out only when it is of another
	 * kind, not with every figure. */
	showVerdict: function(r, data) {
		var v = verdict.of(r, data.denied, this.zone), why = data.why, self = this, key = JSON.stringify(v);
		if (key == self.verdictKey)
			return;
		self.verdictKey = key;
		if (self.level && self.level != v.level)
			self.news.textContent = v.text;
		self.level = v.level;
		var notes = v.notes.map(function(n) { return E('p', [ n ]); });
		if (!r && why)
			notes.push(E('p', { 'class': 'ntsd-sub' }, [ why ]));
		if (v.action == 'settings')
			notes.push(E('p', [ E('a', { 'class': 'btn cbi-button', 'href': L.url('admin/services/ntsd') }, [ _('Settings') ]) ]));
		if (v.action == 'login')
			notes.push(E('p', [ E('a', { 'class': 'btn cbi-button', 'href': L.url('admin/logout') }, [ _('Log in') ]) ]));
		if (v.action == 'start' && L.hasViewPermission() !== false)
			notes.push(E('p', [ E('button', { 'class': 'btn cbi-button cbi-button-apply', 'click': ui.createHandlerFn(self, 'handleStart') }, [ _('Start it') ]) ]));
		dom.content(self.parts.verdict, E('div', { 'class': 'ntsd-verdict ntsd-' + v.level }, [
			E('span', { 'class': 'ntsd-sign', 'role': 'img', 'aria-label': verdict.word(v.level), 'title': verdict.word(v.level) }, [ verdict.sign(v.level) ]),
			E('div', [ E('p', { 'class': 'ntsd-text' }, [ v.text ]) ].concat(notes))
		]));
	},

	/* What was tried for the first time of day, while it is not certain. */
	showLadder: function(r) {
		var b = r.bootstrap, climbing = b.phase == 'searching' || b.phase == 'confirming';
		this.hide('ladder', !climbing);
		if (!climbing)
			return;
		var agreeing = L.toArray(b.agreeing);
		dom.content(this.parts.ladder, [
			E('dl', { 'class': 'ntsd-tiles' }, [
				tile(_('Operators that agree'), String(agreeing.length), _('%d of %d must agree').format(b.needed, L.toArray(b.operators).length) + (agreeing.length ? ' (' + format.names(agreeing) + ')' : '')),
				tile(_('Confirmed'), String(b.confirmed), _('by certificates checked at the new time')),
				tile(_('Earliest possible time'), format.date(b.floor, this.zone), words.say(b.floor_from))
			]),
			this.renderRungs(b)
		]);
	},

	renderRungs: function(b) {
		var zone = this.zone, colon = _('%s: %s').format('', ''); /* as the language writes it */
		return E('ol', { 'class': 'ntsd-steps' }, L.toArray(b.rungs).map(function(s) {
			return E('li', [
				E('time', [ format.fixed(s.after_s, 2) + '\u00a0s' ]),
				E('span', { 'class': 'ntsd-mark', 'role': 'img', 'aria-label': s.ok ? _('worked') : _('did not work') }, [ s.ok ? '✓' : '✗' ]),
				E('span', [ E('strong', [ words.rung(s.rung) + (s.source ? ' ' + s.source : '') ]), colon, words.say(s.text, zone) ])
			]);
		}));
	},

	renderClock: function(r) {
		var t = r.tracking, sync = t.synchronised, bound = Math.abs(t.correction_s) + t.root_dispersion_s + t.root_delay_s / 2;
		/* What it would be if the reference were believed alone, where nobody else vouches for that. */
		var own = bound - t.root_dispersion_s + t.root_dispersion_of_reference_s;
		this.ticker = E('span');
		return E('dl', { 'class': 'ntsd-tiles' }, [
			tile(_('Time of this router'), this.ticker, [ format.day(r.time, this.zone), this.zone ].filter(Boolean).join(', ')),
			tile(_('Offset'), sync ? format.time(t.last_offset_s) : '–', sync ? ahead(t.last_offset_s) : ''),
			tile(_('Error at most'), sync ? format.time(bound) : _('unknown'), sync && own < bound / 2 ? _('%s alone: %s').format(t.reference_name, format.time(own)) : ''),
			tile(_('Frequency'), format.ppm(t.freq_ppm), t.skew_ppm > 0 ? '± ' + format.number(t.skew_ppm) + '\u00a0ppm' : ''),
			tile(_('Stratum'), sync || t.local ? String(t.stratum) : '–', sync ? _('follows %s').format(t.reference_name) : ''),
			tile(_('Leap second'), leap(t.leap)),
			tile(sync ? _('Synchronised for') : _('Not synchronised for'), format.duration(t.since_ago_s),
				N_(t.steps, '%d step', '%d steps').format(t.steps) + ', ' + N_(t.updates, '%d update', '%d updates').format(t.updates))
		]);
	},

	/* The router's time goes on between two answers. */
	tick: function() {
		if (this.last && this.last.report && this.ticker)
			this.ticker.textContent = format.clock(Date.parse(this.last.report.time) + performance.now() - this.last.at, this.zone, true);
	},

	serving: function(data) { return data.stats != null && L.toArray(data.stats.ports).length > 0; },

	renderServed: function(data) {
		var s = data.stats, before = this.previous;
		if (!this.serving(data))
			return E('p', [ _('This router serves no time: no network is allowed to ask it.'), ' ', E('a', { 'href': L.url('admin/services/ntsd') }, [ _('Settings') ]) ]);
		var rate = before && before.stats && s.received >= before.stats.received && data.at > before.at
			? (s.received - before.stats.received) / (data.at - before.at) * 1000 : s.received / Math.max(1, data.report.daemon.uptime_s);
		var v = s.verdicts, nts = v.answered_nts + v.answered_nts_interleaved, all = nts + v.answered + v.answered_interleaved;
		var failed = s.ke.bad_request + s.ke.no_handshake + s.ke.too_slow + s.ke.displaced + s.ke.refused + s.ke.crowded;
		return E('dl', { 'class': 'ntsd-tiles' }, [
			tile(_('Requests per second'), format.number(rate, 2), _('%s in all').format(format.number(s.received))),
			tile(_('With NTS'), all ? format.percent(nts / all) : '–', _('%s answers').format(format.number(nts))),
			tile(_('Refused'), format.number(s.dropped)),
			tile(_('Clients'), format.number(data.clients.length)),
			tile(_('Key exchanges'), format.number(s.ke.served), failed ? _('%s failed').format(format.number(failed)) : ''),
			data.keys && L.toArray(data.keys.keys).length ? tile(_('Cookie keys'), String(data.keys.keys.length), data.keys.next ? _('next %s').format(format.date(data.keys.next, this.zone)) : '') : '',
			tile(_('UDP port'), L.toArray(s.ports).join(', '))
		]);
	},

	renderClients: function(data) {
		var list = data.clients.slice().sort(function(a, b) { return b.requests - a.requests || (a.address < b.address ? -1 : 1); });
		return tables.clients(list, data.names, this.allClients ? list.length : FEW_CLIENTS);
	},

	renderDaemon: function(data) {
		var d = data.report.daemon, t = data.report.tracking;
		return E('dl', { 'class': 'ntsd-tiles' }, [
			tile(_('Version'), d.version, _('process %d').format(d.pid)),
			tile(_('Running for'), format.duration(d.uptime_s), _('since %s').format(format.date(d.started, this.zone))),
			tile(_('Written to flash'), N_(t.flash_writes_day, '%d file in a day', '%d files in a day').format(t.flash_writes_day), _('%d since the start').format(t.flash_writes))
		]);
	},

	/* --- graphs --------------------------------------------------------- */

	makeGraphs: function() {
		var zone = this.zone;
		return {
			offset: graph.create({
				title: _('Offset of this clock'), zone: zone, least: 2e-7,
				text: function(v) { return format.signed(v); },
				axis: function(v, step) {
					var s = format.scale(step * 2);
					return (v > 0 ? '+' : v < 0 ? '\u2212' : '') + format.number(Math.abs(v) / s[0]) + '\u00a0' + s[1];
				}
			}),
			frequency: graph.create({
				title: _('Frequency error of its oscillator'), zone: zone, least: 0.02,
				text: function(v) { return format.ppm(v); },
				axis: function(v, step) { return format.fixed(v, Math.max(0, Math.ceil(-Math.log(step) / Math.LN10 - 1e-9))); }
			})
		};
	},

	renderSpans: function() {
		var self = this, choices = SPANS.map(function(span) {
			return E('button', {
				'class': 'btn cbi-button cbi-button-neutral', 'type': 'button', 'aria-pressed': String(span === self.span),
				'click': function(ev) {
					self.span = span;
					choices.forEach(function(b) { b.setAttribute('aria-pressed', String(b === ev.currentTarget)); });
					self.fetch().then(function(d) { self.show(d); });
				}
			}, [ span.text ]);
		});
		self.band = E('input', { 'type': 'checkbox', 'id': 'ntsd-band', 'change': function() { self.draw(); } });
		return E('div', { 'class': 'ntsd-bar', 'role': 'group', 'aria-label': _('Graphs') }, choices.concat([
			E('label', { 'for': 'ntsd-band', 'class': 'ntsd-push' }, [ self.band, ' ', _('Show the error bound') ])
		]));
	},

	/* The daemon's history, and the latest answer as its end. */
	draw: function() {
		var h = this.history, r = this.last && this.last.report;
		if (!h || !r || h.span != this.span.id)
			return;
		/* Before the first time there is nothing to draw. */
		this.pictures.classList[L.toArray(h.points).length || r.tracking.synchronised ? 'remove' : 'add']('ntsd-hide');
		var now = Date.parse(r.time) / 1000, t = r.tracking, band = this.band.checked;
		var offsets = L.toArray(h.points).map(function(p) { return { t: p[0], mid: -p[1], lo: -p[3], hi: -p[2], bound: p[4], band: band ? p[4] : null }; });
		var rates = L.toArray(h.points).map(function(p) { return { t: p[0], mid: p[5], lo: p[5], hi: p[5] }; });
		if (t.synchronised) {
			var bound = t.root_dispersion_s + t.root_delay_s / 2, o = t.last_offset_s, last = offsets[offsets.length - 1];
			if (!last || last.t < now) {
				offsets.push({ t: now, mid: o, lo: o, hi: o, bound: bound, band: band ? bound : null });
				rates.push({ t: now, mid: t.freq_ppm, lo: t.freq_ppm, hi: t.freq_ppm });
			}
		}
		var first = offsets.length ? offsets[0].t : now;
		/* Between two polls there is nothing to remember: that is no gap. */
		var poll = L.toArray(r.sources).reduce(function(longest, s) { return Math.max(longest, Math.pow(2, s.poll_log2 || 0)); }, 0);
		var from = now - Math.min(this.span.seconds, Math.max(LEAST_SPAN, now - first)), gap = Math.max(h.interval_s * 3, poll * 1.5, 60);
		this.graphs.offset.update(offsets, from, now, gap);
		this.graphs.frequency.update(rates, from, now, gap);
	},

	/* --- what the buttons do -------------------------------------------- */

	renderActions: function() {
		var self = this;
		return actions(null).map(function(a, i) {
			return E('button', { 'class': 'btn cbi-button cbi-button-action', 'type': 'button', 'click': function() { self.confirm(actions(self.last.report)[i]); } }, [ a.text + '…' ]);
		});
	},

	confirm: function(a) {
		var go = E('button', { 'class': 'btn cbi-button cbi-button-apply important', 'click': ui.createHandlerFn(this, 'handleAction', a) }, [ a.text ]);
		ui.showModal(a.text, [
			E('p', [ a.ask ]),
			E('div', { 'class': 'right' }, [ E('button', { 'class': 'btn cbi-button', 'click': ui.hideModal }, [ _('Cancel') ]), ' ', go ])
		]);
		go.focus();
	},

	handleAction: function(a) {
		var self = this;
		return tools.ask('action', a.command, a.argument).then(function() {
			self.said.textContent = a.done;
			return self.fetch().then(function(d) { self.show(d); });
		}).catch(function(e) {
			ui.addNotification(null, E('p', [ _('%s failed: %s').format(a.text, words.say(e.message)) ]), 'error');
		}).then(ui.hideModal);
	},

	handleStart: function() {
		var self = this;
		return tools.start().then(function() {
			return self.fetch().then(function(d) { self.show(d); });
		}).catch(function(e) {
			ui.addNotification(null, E('p', [ _('The daemon did not start: %s').format(e.message) ]), 'error');
		});
	},

	handleSaveApply: null,
	handleSave: null,
	handleReset: null
});
