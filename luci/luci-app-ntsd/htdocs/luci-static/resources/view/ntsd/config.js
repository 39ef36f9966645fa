'use strict';
'require view';
'require form';
'require rpc';
'require uci';
'require ui';
'require dom';
'require ntsd.options as options';
'require ntsd.fields as fields';
'require ntsd.messages as messages';
'require ntsd.review as review';
'require ntsd.notes as notes';
'require ntsd.trial as trial';
'require ntsd.adding as adding';
'require ntsd.authority as authority';
'require ntsd.tools as tools';
'require ntsd.validate as validate';

/*
 * Services > Time: the common settings first, in plain words, the rest behind the
 * other tabs. What may be written and what it means is the daemon's: see
 * ntsd.options, and ntsd.review, which asks it before anything is saved.
 */

var callDump = rpc.declare({ object: 'network.interface', method: 'dump', expect: { 'interface': [] } });

var sourceTabs = [
	[ 'general', _('General') ],
	[ 'auth', _('Authentication') ],
	[ 'poll', _('Asking') ],
	[ 'sample', _('Measuring') ],
	[ 'select', _('Choosing') ]
];

/* The names of the logical networks, without the loopback interface. */
function networkNames(dump) {
	return L.toArray(dump).map(function(i) { return i['interface']; }).filter(function(n) { return n && n != 'loopback'; });
}

/* The section that the form hangs on: there may be none yet, or without a name. */
function mainSection() {
	var first = uci.sections('ntsd', 'ntsd')[0];
	return first ? first['.name'] : uci.add('ntsd', 'ntsd', 'main');
}

/* LuCI's switches have an empty label: screen readers would say "checkbox". The
 * name is that of the field, in a row with the row's. */
function nameSwitches() {
	document.querySelectorAll('.cbi-value input[type=checkbox]:not([aria-label])').forEach(function(box) {
		if (box.closest('label, .cbi-dropdown'))
			return;
		var cell = box.closest('.td'), row = cell && cell.closest('.tr'), field = box.closest('.cbi-value');
		var title = cell ? cell.getAttribute('data-title') : field && field.querySelector('.cbi-value-title');
		if (cell && title)
			box.setAttribute('aria-label', [ title, row && row.firstElementChild != cell ? row.firstElementChild.innerText.trim() : '' ].join(' ').trim());
		else if (title && title.innerText)
			box.setAttribute('aria-label', title.innerText.trim());
	});
}

function truth(sid, name, standard) {
	var value = uci.get('ntsd', sid, name), b = value == null ? null : validate.bool(value);
	return b == null ? standard : b;
}

/* A part of a tab with a heading of its own. */
function part(s, tab, sid, title, descr) {
	var o = s.taboption(tab, form.SectionValue, '_' + tab + s.children.length, form.NamedSection, sid, 'ntsd', title, descr);
	return o.subsection;
}

function singles(section, type, names) {
	return names.map(function(name) { return fields.single(section, null, type, name); });
}

/* All options of a type but those named. */
function others(type, but) {
	return options.of(type).map(function(o) { return o.name; }).filter(function(n) { return but.indexOf(n) < 0; });
}

return view.extend({
	load: function() {
		return Promise.all([ L.resolveDefault(callDump(), []), uci.load('ntsd'), tools.loadZone() ]);
	},

	render: function(data) {
		fields.setNetworks(networkNames(data[0]));
		var self = this, sid = mainSection(), m, s;
		self.notes = notes;
		self.map = m = new form.Map('ntsd');
		s = m.section(form.NamedSection, sid, 'ntsd');
		s.addremove = false;
		s.tab('time', _('Time'));
		s.tab('sources', _('More sources'));
		s.tab('trust', _('Trust'));
		s.tab('clock', _('Clock'));
		s.tab('serving', _('Serving'));
		s.tab('service', _('Log and files'));
		self.addTime(s, sid);
		self.addSources(s, sid);
		self.addTrust(s, sid);
		self.addClock(s, sid);
		self.addServing(s, sid);
		self.addService(s, sid);

		/* Windows for servers save by themselves: look again whenever there is new data. */
		m.load = function() {
			return form.Map.prototype.load.call(this).then(function() { self.reviewSoon(); });
		};
		return m.render().then(function(node) {
			/* Only now it is known whether the user may write. */
			return self.notes.watch(!m.readonly).then(function() { return node; });
		}).then(function(node) {
			/* Windows and what is drawn again after saving, too. */
			new MutationObserver(nameSwitches).observe(document.body, { childList: true, subtree: true });
			return E([], [
				E('style', [ self.css ]),
				E('h2', { 'name': 'content' }, [ _('Time') ]),
				E('div', { 'class': 'cbi-map-descr' }, [ _('ntsd keeps the clock of this router right, asks time servers that prove who they are, and serves time to your network.') ])
			].concat(self.notes.nodes(), [ node ]));
		});
	},

	css: '.ntsd-hosts{display:flex;flex-wrap:wrap;gap:.3em 1.2em;margin:.4em 0}.ntsd-host{white-space:nowrap}label.ntsd-host input{top:0;vertical-align:middle}' +
		'.ntsd-operator{border:0;border-top:1px solid rgba(128,128,128,.4);margin:0;padding:.6em 0}.ntsd-operator legend{width:auto;border:0;margin:0;padding:0 .5em 0 0;font-size:1em}' +
		'.ntsd-presets{max-height:55vh;overflow:auto}.ntsd-state{margin:.5em 0}.ntsd-advice ul,.ntsd-state ul{margin:.3em 0 0 1.2em}' +
		'.ntsd-fault{margin:.3em 0 0}.ntsd-advice a{color:inherit;text-decoration:underline}.modal .alert-message ul{margin-left:1.2em}.ntsd-test th{width:11em}.ntsd-create{display:inline-block;margin:.3em .5em .3em 0}',

	/* --- tabs ------------------------------------------------------------ */

	addTime: function(s, sid) {
		var o;
		fields.single(s, 'time', 'ntsd', 'enabled');
		this.addSourceGrid(s, 'time', 'server', _('Time servers'), _('At least three of different operators, best with authentication (NTS).'));
		this.addDHCPFlag(s, 'time');
		fields.single(s, 'time', 'serve', 'enabled');
		this.addWhoMayAsk(s, 'time');
		fields.single(s, 'time', 'serve', 'advertise');
		fields.single(s, 'time', 'serve', 'intercept');
		o = fields.single(s, 'time', 'nts_server', 'enabled');
		o.onchange = L.bind(this.handleServeNTS, this, s);
		fields.single(s, 'time', 'nts_server', 'selfsigned').depends(fields.singleName('nts_server', 'enabled'), '1');
		o = s.taboption('time', form.Button, '_authority', _('CA certificate'), _('Devices need it to take authenticated time from this router. It is public: who only looks may have it, too.'));
		o.inputtitle = _('Show and download…');
		o.inputstyle = 'action';
		o.readonly = false;
		o.onclick = function() { return authority.show(); };
		o.parse = function() { return Promise.resolve(); };
		o.depends(fields.singleName('nts_server', 'selfsigned'), '1');
	},

	addSources: function(s, sid) {
		var p, self = this;
		fields.single(s, 'sources', 'ntsd', 'use_system_servers');
		self.addSourceGrid(s, 'sources', 'pool', _('Pools'), _('Names that stand for many servers: several addresses are used at once.'));
		self.addSourceGrid(s, 'sources', 'peer', _('Peers', 'time'), _('Hosts that may also take our time.'));
		self.addGrid(s, 'sources', 'refclock', _('Reference clocks'), _('Receivers and clocks at this router.'), [ 'driver', 'parameter' ]);
		self.addGrid(s, 'sources', 'key', _('Symmetric keys'), _('For servers that authenticate with a key instead of NTS.'), [ 'id', 'type' ]);
		self.addGrid(s, 'sources', 'keyfile', _('Files of symmetric keys'), _('As chrony and ntpsec have them.'), [ 'file', 'format' ]);
		/* Long, and last: hardly anybody needs it. */
		p = part(s, 'sources', sid, _('Servers from DHCP'), _('How the servers are asked that DHCP names. The tab Time has the switch.'));
		singles(p, 'dhcp_ntp_server', others('dhcp_ntp_server', [ 'disabled' ])).forEach(function(o) {
			o.depends('dhcp_use', '1');
		});
	},

	addTrust: function(s, sid) {
		singles(part(s, 'trust', sid, _('Certificates'), _('What all servers with NTS share.')), 'nts', others('nts', []));
		singles(part(s, 'trust', sid, _('The first time'), _('How it is found after a start.')), 'bootstrap', others('bootstrap', []));
		singles(part(s, 'trust', sid, _('Choosing between servers'), _('How they are weighed against each other.')), 'selection', others('selection', []));
	},

	addClock: function(s, sid) {
		var p = part(s, 'clock', sid, _('Setting the clock'), _('When it jumps; otherwise it is brought to the right time slowly.'));
		singles(p, 'makestep', others('makestep', []));
		singles(p, 'ntsd', [ 'clock', 'rtcsync' ]);
		singles(part(s, 'clock', sid, _('The clock itself'), null), 'systemclock', others('systemclock', []));
		singles(part(s, 'clock', sid, _('Hardware timestamps'), null), 'hwtimestamp', others('hwtimestamp', []));
	},

	addServing: function(s, sid) {
		singles(part(s, 'serving', sid, _('NTP server'), null), 'serve', others('serve', [ 'enabled', 'advertise', 'intercept' ]));
		this.addGrid(s, 'serving', 'allow', _('Who may ask'), _('The narrowest prefix decides. Without any, nobody is answered.'), [ 'interface', 'subnet' ]);
		this.addGrid(s, 'serving', 'deny', _('Who may not ask'), _('Although the list above covers them.'), [ 'interface', 'subnet' ]);
		singles(part(s, 'serving', sid, _('NTS server'), null), 'nts_server', others('nts_server', [ 'enabled', 'selfsigned' ]));
		singles(part(s, 'serving', sid, _('When the servers are gone'), null), 'local', others('local', []));
		singles(part(s, 'serving', sid, _('Smooth time'), _('Clients see corrections as a slow drift. They should have no other servers then.')), 'smoothtime', others('smoothtime', []));
	},

	addService: function(s, sid) {
		var p = part(s, 'service', sid, _('Log'), null);
		singles(p, 'ntsd', [ 'log_level' ]);
		singles(p, 'logging', others('logging', []));
		singles(part(s, 'service', sid, _('Files of measurements'), null), 'statistics', others('statistics', []));
		singles(part(s, 'service', sid, _('Other programs'), _('What may ask the daemon; this page needs none of it.')), 'monitor', others('monitor', []));
		singles(part(s, 'service', sid, _('Folders and user'), null), 'ntsd', [ 'state_dir', 'run_dir', 'user' ]);
	},

	/* --- single fields --------------------------------------------------- */

	/* One switch for a section that counts by being there. */
	addDHCPFlag: function(s, tab) {
		var o = s.taboption(tab, form.Flag, 'dhcp_use', _('Servers from DHCP'), _('Also ask the time servers that your provider names. They are not authenticated, so they cannot outvote those that are.'));
		o.load = function() {
			var on = uci.sections('ntsd', 'dhcp_ntp_server').some(function(d) { return !truth(d['.name'], 'disabled', false); });
			return on ? '1' : '0';
		};
		o.write = function() {
			if (!uci.sections('ntsd', 'dhcp_ntp_server').length)
				fields.write('dhcp_ntp_server', 'iburst', '1');
			fields.remove('dhcp_ntp_server', 'disabled');
		};
		o.remove = function() {
			uci.sections('ntsd', 'dhcp_ntp_server').forEach(function(d) {
				if (!truth(d['.name'], 'disabled', false))
					uci.set('ntsd', d['.name'], 'disabled', '1');
			});
		};
	},

	/* The networks of all sections allow together. */
	addWhoMayAsk: function(s, tab) {
		function sections() {
			return uci.sections('ntsd', 'allow').map(function(a) { return a['.name']; });
		}
		function interfaces(sid) {
			return L.toArray(uci.get('ntsd', sid, 'interface'));
		}
		/* Drops sections that name nobody any more. */
		function tidy(sids) {
			sids.forEach(function(sid) {
				if (!interfaces(sid).length && uci.get('ntsd', sid, 'subnet') == null)
					uci.remove('ntsd', sid);
			});
		}
		function union() {
			return sections().reduce(function(all, sid) {
				return all.concat(interfaces(sid).filter(function(n) { return all.indexOf(n) < 0; }));
			}, []);
		}
		var o = s.taboption(tab, form.MultiValue, 'allow_interface', _('Who may ask'), _('Networks whose devices are answered. Addresses can be named on the tab Serving.'));
		fields.networks().concat(union().filter(function(n) { return fields.networks().indexOf(n) < 0; })).forEach(function(n) {
			o.value(n, n == 'wan' || n == 'wan6' ? _('%s (everyone in the Internet)').format(n) : '%h'.format(n));
		});
		o.load = union;
		o.write = function(section_id, value) {
			var all = sections(), first = all.filter(function(sid) { return interfaces(sid).length; })[0] || uci.add('ntsd', 'allow');
			all.forEach(function(sid) {
				if (sid != first && interfaces(sid).length)
					uci.unset('ntsd', sid, 'interface');
			});
			uci.set('ntsd', first, 'interface', L.toArray(value));
			tidy(all.filter(function(sid) { return sid != first; }));
		};
		o.remove = function() {
			sections().forEach(function(sid) {
				if (interfaces(sid).length)
					uci.unset('ntsd', sid, 'interface');
			});
			tidy(sections());
		};
	},

	/* Who switches NTS on without a certificate wants the router to make one. */
	handleServeNTS: function(s, ev, section_id, value) {
		var own = s.getUIElement ? s.getUIElement(section_id, 'nts_server_selfsigned') : null;
		if (own && value == '1' && fields.read('nts_server', 'cert') == null) {
			own.setValue('1');
			this.map.checkDepends();
		}
	},

	/* --- grids ----------------------------------------------------------- */

	/* A grid of sections of a type; columns are shown, all options are in its window. */
	addGrid: function(s, tab, type, title, descr, columns) {
		var self = this, g = s.taboption(tab, form.SectionValue, '_grid_' + type, form.GridSection, type, title, descr).subsection;
		g.anonymous = true;
		g.addremove = true;
		g.nodescriptions = true;
		g.modaltitle = title;
		options.of(type).forEach(function(o) {
			var f = fields.many(g, null, type, o.name);
			f.modalonly = columns.indexOf(o.name) < 0 ? true : null;
			/* What is not set is not "none". */
			if (o.standard && f.modalonly == null)
				f.textvalue = function(section_id) { return '%h'.format(uci.get('ntsd', section_id, o.name) || _('default (%s)').format(o.standard)); };
			if ([ 'key.id', 'keyfile.file', 'refclock.driver', 'refclock.parameter' ].indexOf(type + '.' + o.name) >= 0)
				f.rmempty = f.optional = false;
		});
		g.addModalOptions = function(modal) { self.judgeWindow(modal); };
		return g;
	},

	addSourceGrid: function(s, tab, type, title, descr) {
		var self = this, g = s.taboption(tab, form.SectionValue, '_grid_' + type, form.GridSection, type, title, descr).subsection, o;
		g.anonymous = true;
		g.addremove = true;
		g.sortable = true;
		g.nodescriptions = true;
		g.addbtntitle = { server: _('Add server…'), pool: _('Add pool…'), peer: _('Add peer…') }[type];
		/* A title is taken for HTML: only what can be a host. */
		g.modaltitle = function(section_id) {
			var host = uci.get('ntsd', section_id, 'hostname');
			return host && validate.splitHost(host) ? host : title;
		};
		sourceTabs.forEach(function(t) { g.tab(t[0], t[1]); });
		options.of(type).forEach(function(d) {
			var f = fields.many(g, d.tab, type, d.name);
			/* null: in both; false would keep it out of the window. */
			f.modalonly = [ 'hostname', type == 'peer' ? 'key' : 'nts', 'disabled' ].indexOf(d.name) < 0 ? true : null;
			if (d.name == 'hostname')
				f.rmempty = false;
			if (d.name == 'disabled')
				f.editable = true;
			if (type == 'server' && (d.name == 'nts' || d.name == 'iburst'))
				adding.recommend(f);
			if (d.name == 'nts')
				f.textvalue = function(section_id) { return self.authText(section_id); };
		});
		if (type != 'peer') {
			o = g.option(form.Button, '_test', ' ');
			o.editable = true;
			o.modalonly = false;
			o.inputtitle = _('Test');
			o.inputstyle = 'action';
			o.onclick = function(ev, section_id) { return trial.show(section_id); };
			o.parse = function() { return Promise.resolve(); };
		}
		g.addModalOptions = function(modal) { self.judgeWindow(modal); };
		if (type == 'server')
			g.renderSectionAdd = function(extra) { return self.renderAdd(this, extra); };
		return g;
	},

	/* How a row says whether the source proves who it is. */
	authText: function(section_id) {
		if (!truth(section_id, 'nts', false))
			return uci.get('ntsd', section_id, 'key') ? _('key') : _('none', 'authentication');
		return truth(section_id, 'noval', false) ? _('NTS, name not checked') : _('NTS');
	},

	renderAdd: function(grid, extra) {
		var self = this, el = form.GridSection.prototype.renderSectionAdd.call(grid, extra);
		/* First what stands in the form, then what is added: the form knows nothing of it. */
		function done(add) { return self.map.save(add, true); }
		function button(cls, title, fn) {
			return E('button', { 'class': 'cbi-button cbi-button-neutral ' + cls, 'disabled': self.map.readonly || null, 'click': ui.createHandlerFn(self, fn) }, [ title ]);
		}
		/* Three buttons are wider than a phone in some languages. */
		el.style.flexWrap = 'wrap';
		el.style.gap = '.4em';
		dom.append(el, [
			' ', button('ntsd-presets-open', _('Choose from a list…'), function() { return adding.presets(done); }),
			' ', button('ntsd-import-open', _('Import…'), function() { return adding.importing(done); })
		]);
		return el;
	},

	/* --- what the daemon says -------------------------------------------- */

	reviewSoon: function() {
		var self = this;
		self.notes.session();
		window.setTimeout(function() {
			review.check(review.text()).then(function(verdict) {
				self.notes.show(verdict, L.bind(self.goTo, self));
				self.mark(verdict);
			});
		}, 0);
	},

	/* Refuses what the daemon would refuse; concerns tells which errors count. */
	judge: function(concerns) {
		var self = this;
		return review.check(review.text()).then(function(verdict) {
			if (!verdict)
				return;
			self.notes.show(verdict, L.bind(self.goTo, self));
			var errors = verdict.messages.filter(function(m) { return m.severity == 'error' && concerns(m); });
			if (!errors.length)
				return;
			self.mark(verdict);
			throw new Error(errors.map(function(m) { return review.words(m); }).join('\n'));
		});
	},

	/* A window of a grid saves by itself: it asks before, and says why not. */
	judgeWindow: function(modal) {
		var self = this, map = modal.map, sid = modal.section;
		map.save = function(cb, silent) {
			var root = this.root;
			return form.Map.prototype.save.call(this, function() {
				return self.judge(function(m) { return m.sid == sid; }).catch(function(e) {
					var old = root.querySelector('.ntsd-refused');
					if (old)
						old.remove();
					root.insertBefore(E('div', { 'class': 'alert-message error ntsd-refused', 'role': 'alert' }, [ e.message ]), root.firstChild);
					throw e;
				});
			}, silent);
		};
	},

	/* The field of a message, if the page has one. */
	field: function(message) {
		var root = this.map.root, main = uci.sections('ntsd', 'ntsd')[0];
		if (!message.type || !main)
			return null;
		if (message.type == 'allow' && !message.sid)
			return root.querySelector('[data-name="allow_interface"]');
		var single = 'cbid.ntsd.%s.%s'.format(main['.name'], fields.singleName(message.type, message.option || ''));
		return root.querySelector('[data-field="%s"]'.format(single)) ||
			root.querySelector('tr[data-sid="%s"], tr[data-section-id="%s"]'.format(message.sid, message.sid));
	},

	/* Puts the daemon's words below the fields that they are about. */
	mark: function(verdict) {
		var self = this, root = self.map.root;
		if (!root)
			return;
		root.querySelectorAll('.ntsd-fault').forEach(function(n) { n.remove(); });
		(verdict ? verdict.messages : []).forEach(function(m) {
			var at = self.field(m), cell = at && (at.matches('tr') ? at.firstElementChild : at.querySelector('.cbi-value-field') || at);
			if (cell)
				cell.appendChild(E('div', { 'class': 'ntsd-fault' }, [ E('strong', [ m.severity == 'error' ? '✗ ' : '⚠ ' ]), m.option && at.matches('tr') ? m.option + ': ' : '', messages.say(m.message) ]));
		});
	},

	/* Opens the tab of a message's field and puts the keyboard there. */
	goTo: function(message) {
		var at = this.field(message);
		if (!at)
			return;
		var pane = at.closest('[data-tab]:not(li)');
		if (pane) {
			var tab = pane.parentNode.previousElementSibling && pane.parentNode.previousElementSibling.querySelector('[data-tab="%s"] > a'.format(pane.getAttribute('data-tab')));
			if (tab)
				tab.click();
		}
		at.scrollIntoView({ block: 'center' });
		var input = at.querySelector('input:not([type=hidden]), select, button');
		if (input)
			input.focus();
	},

	handleSave: function() {
		var self = this;
		return self.map.save(function() {
			return self.judge(function() { return true; }).catch(function(e) {
				/* What was parsed must not be saved by somebody else later. */
				uci.unload('ntsd');
				return uci.load('ntsd').then(function() {
					mainSection();
					throw e;
				});
			});
		});
	}
});
