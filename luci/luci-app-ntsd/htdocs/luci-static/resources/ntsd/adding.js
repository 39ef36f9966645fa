'use strict';
'require baseclass';
'require rpc';
'require ui';
'require uci';
'require ntsd.options as options';
'require ntsd.fields as fields';
'require ntsd.messages as messages';
'require ntsd.servers as servers';
'require ntsd.validate as validate';

/*
 * Windows that add to the configuration: public servers from the list, and what
 * another time daemon was set up with. Both change what the page edits; nothing is
 * in force before it is applied.
 */

var callImport = rpc.declare({ object: 'luci.ntsd', method: 'import', params: [ 'from', 'text' ], reject: true });

function buttons(title, act) {
	return E('div', { 'class': 'right button-row' }, [
		E('button', { 'class': 'btn cbi-button', 'click': ui.hideModal }, [ _('Cancel') ]), ' ',
		E('button', { 'class': 'btn cbi-button cbi-button-positive important ntsd-add', 'click': act }, [ title ])
	]);
}

/* The names that are asked already, in lower case. */
function known() {
	var names = {};
	[ 'server', 'pool', 'peer' ].forEach(function(type) {
		uci.sections('ntsd', type, function(s, sid) {
			names[String(uci.get('ntsd', sid, 'hostname') || '').toLowerCase()] = true;
		});
	});
	return names;
}

function regionName(region) {
	return servers.regions().filter(function(r) { return r[0] == region; })[0][1];
}

/* One operator: who, where, from which page, and a box for each host. */
function operatorNode(op, names, count) {
	return E('fieldset', { 'class': 'ntsd-operator', 'data-region': op.region }, [
		E('legend', {}, [ E('strong', [ op.name ]), ', ', op.country ]),
		E('div', { 'class': 'cbi-value-description' }, [
			_('Read on %s:').format(op.date), ' ',
			E('a', { 'href': op.source, 'target': '_blank', 'rel': 'noreferrer' }, [ op.source.replace(/^https:\/\/(www\.)?|\/$/g, '') ])
		]),
		E('div', { 'class': 'ntsd-hosts' }, op.hosts.map(function(host) {
			var there = names[host] || false;
			return E('label', { 'class': 'ntsd-host' }, [
				E('input', { 'type': 'checkbox', 'value': host, 'disabled': there || null, 'change': count }), ' ',
				host, there ? ' ' + _('(already used)') : ''
			]);
		}))
	]);
}

/* What an imported section would set, one line per option. */
function sectionLines(s) {
	return Object.keys(s.options).map(function(name) {
		var known = options.of(s.type) && options.find(s.type, name), value = L.toArray(s.options[name]).join(', ');
		var on = known && known.kind.flag ? validate.bool(value) : null;
		if (on != null)
			value = on != !!known.inverted ? _('yes') : _('no');
		return _('%s: %s').format(known ? known.title : name, value);
	});
}

/* What the types are called on this page. */
function typeTitle(type) {
	return { server: _('Server'), pool: _('Pool'), peer: _('Peer', 'time'), dhcp_ntp_server: _('Servers from DHCP'), allow: _('Who may ask'), deny: _('Who may not ask'),
		makestep: _('Stepping'), nts: _('Certificates'), serve: _('Serving'), local: _('Without the Internet'), key: _('Key'), keyfile: _('File of keys'), refclock: _('Reference clock') }[type] || type;
}

var many = [ 'server', 'pool', 'peer', 'allow', 'deny', 'key', 'keyfile', 'refclock' ];

/* Puts an imported section into what the page edits. */
function take(s) {
	if (many.indexOf(s.type) < 0) {
		Object.keys(s.options).forEach(function(name) { fields.write(s.type, name, s.options[name]); });
		if (s.type == 'dhcp_ntp_server')
			fields.remove(s.type, 'disabled');
		return;
	}
	var sid = uci.add('ntsd', s.type);
	Object.keys(s.options).forEach(function(name) { uci.set('ntsd', sid, name, s.options[name]); });
}

/* An imported section as a row that can be left out. */
function sectionRow(s, i, names) {
	var host = String(s.options.hostname || ''), there = names[host.toLowerCase()];
	return E('tr', { 'class': 'tr' }, [
		E('td', { 'class': 'td left' }, [
			E('label', {}, [ E('input', { 'type': 'checkbox', 'value': i, 'checked': there ? null : '', 'disabled': there ? '' : null }), ' ', E('strong', [ typeTitle(s.type) ]), there ? ' ' + _('(already used)') : '' ])
		]),
		E('td', { 'class': 'td left' }, sectionLines(s).map(function(l) { return E('div', [ l ]); }))
	]);
}

return baseclass.extend({
	/* A server that is being added begins with this switch on: without a name yet,
	 * it is nobody's choice that it is off. */
	recommend: function(f) {
		var load = f.load, name = f.option;
		f.load = function(sid) {
			if (/^new/.test(sid) && uci.get('ntsd', sid, 'hostname') == null && uci.get('ntsd', sid, name) == null)
				uci.set('ntsd', sid, name, '1');
			return load.call(this, sid);
		};
	},

	/* The list of public servers; done is called with what adds those chosen. */
	presets: function(done) {
		var names = known(), add, list;
		function chosen() {
			return Array.prototype.map.call(list.querySelectorAll('input:checked'), function(e) { return e.value; });
		}
		function count() {
			add.disabled = chosen().length == 0;
			add.firstChild.data = chosen().length ? _('Add %d').format(chosen().length) : _('Add');
		}
		list = E('div', { 'class': 'ntsd-presets' }, servers.operators().map(function(op) { return operatorNode(op, names, count); }));
		var region = E('select', { 'id': 'ntsd-region', 'class': 'cbi-input-select', 'change': function(ev) {
			list.querySelectorAll('fieldset').forEach(function(f) {
				f.hidden = ev.target.value != '' && f.getAttribute('data-region') != ev.target.value;
			});
		} }, [ E('option', { 'value': '' }, [ _('everywhere') ]) ].concat(servers.regions().map(function(r) {
			return E('option', { 'value': r[0] }, [ regionName(r[0]) ]);
		})));
		var row = buttons(_('Add'), ui.createHandlerFn(this, function() {
			var hosts = chosen();
			ui.hideModal();
			return done(function() {
				hosts.forEach(function(host) {
					take({ type: 'server', options: { hostname: host, nts: '1', iburst: '1' } });
				});
			});
		}));
		add = row.querySelector('.ntsd-add');
		add.disabled = true;
		ui.showModal(_('Public servers with NTS'), [
			E('p', {}, [ _('Choose from three operators or more: then one that is wrong is outvoted. Near servers are more accurate. Test each after adding it, nobody promises that they stay.') ]),
			E('p', {}, [ E('label', { 'for': 'ntsd-region' }, [ _('Near:') ]), ' ', region ]),
			list, row
		], 'cbi-modal');
	},

	/* Asks what to import, shows what it would set and sets what is wanted. */
	importing: function(done) {
		var self = this;
		function choice(from, title, descr) {
			return E('p', {}, [
				E('button', { 'class': 'btn cbi-button cbi-button-action', 'data-from': from, 'click': ui.createHandlerFn(self, 'preview', from, title, done) }, [ title ]), ' ', descr
			]);
		}
		ui.showModal(_('Import'), [
			E('p', {}, [ _('Take over what another time daemon was set up with. You see what would be set before anything is.') ]),
			choice('system', _('System time settings'), _('Servers of the page System > System.')),
			choice('chrony', _('chrony'), _('The file /etc/config/chrony.')),
			E('div', { 'class': 'right button-row' }, [ E('button', { 'class': 'btn cbi-button', 'click': ui.hideModal }, [ _('Cancel') ]) ])
		]);
	},

	preview: function(from, title, done) {
		return callImport(from, '').then(function(answer) {
			if (!L.isObject(answer) || answer.error)
				throw new Error(answer && answer.error || _('No answer'));
			var sections = L.toArray(answer.sections), remarks = L.toArray(answer.messages), names = known();
			var body = E('table', { 'class': 'table' }, sections.map(function(s, i) { return sectionRow(s, i, names); }));
			ui.showModal(_('Import: %s').format(title), [
				sections.length ? E('p', {}, [ _('This would be added:') ]) : E('p', {}, [ _('There is nothing to take over.') ]),
				body,
				remarks.length ? E('div', { 'class': 'alert-message warning' }, [
					E('strong', [ _('Without an equivalent, or to look at:') ]),
					E('ul', remarks.map(function(m) { return E('li', [ messages.say(m.text) ]); }))
				]) : '',
				buttons(_('Add to the configuration'), ui.createHandlerFn(this, function() {
					var wanted = Array.prototype.map.call(body.querySelectorAll('input:checked'), function(e) { return sections[+e.value]; });
					ui.hideModal();
					return done(function() { wanted.forEach(take); });
				}))
			], 'cbi-modal');
		}).catch(function(e) {
			ui.showModal(_('Import: %s').format(title), [
				E('div', { 'class': 'alert-message error' }, [ messages.say(e.message) ]),
				E('div', { 'class': 'right button-row' }, [ E('button', { 'class': 'btn cbi-button', 'click': ui.hideModal }, [ _('Close') ]) ])
			]);
		});
	}
});
