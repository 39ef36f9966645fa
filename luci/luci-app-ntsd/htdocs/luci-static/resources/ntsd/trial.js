'use strict';
'require baseclass';
'require rpc';
'require ui';
'require uci';
'require dom';
'require ntsd.format as format';
'require ntsd.messages as messages';
'require ntsd.tools as tools';
'require ntsd.validate as validate';

/*
 * The test of a server: one key establishment and one measurement, run by the
 * daemon, which sets no clock by it. A test that takes long is asked for again by
 * its number.
 */

var objects = [ 'ntsd', 'luci.ntsd' ];

var calls = objects.map(function(object) {
	return rpc.declare({ object: object, method: 'test', params: [ 'server', 'id' ], reject: true });
});

/* How often a running test is asked for, in ms, and for how long. */
var pause = 500, patience = 60;

function later(ms) {
	return new Promise(function(done) { window.setTimeout(done, ms); });
}

function call(server, id) {
	return calls[0](server, id).catch(function() { return calls[1](server, id); });
}

/* A section as a directive that says all that the test must know. */
function directive(sid) {
	var host = validate.splitHost(uci.get('ntsd', sid, 'hostname') || '');
	if (!host)
		return null;
	var words = [ 'server', host.host ], nts = validate.bool(uci.get('ntsd', sid, 'nts'));
	var ntsport = uci.get('ntsd', sid, 'ntsport'), port = uci.get('ntsd', sid, 'port'), family = uci.get('ntsd', sid, 'family');
	if (host.port)
		nts ? ntsport = host.port : port = host.port;
	if (nts)
		words.push('nts');
	if (nts && ntsport)
		words.push('ntsport', ntsport);
	if (port)
		words.push('port', port);
	if (family == 'ipv4' || family == 'ipv6')
		words.push(family);
	/* What a directive cannot say is known where it is in force: by its name. */
	return [ 'trustedcerts', 'noval', 'key' ].some(function(o) { return uci.get('ntsd', sid, o) != null; }) ? host.host : words.join(' ');
}

function ahead(seconds) {
	return seconds < 0
		? _('this clock is ahead by %s').format(format.time(-seconds))
		: _('this clock is behind by %s').format(format.time(seconds));
}

/* Rows of a result: a heading and words, where it has them. */
function rows(r) {
	var list = [], ke = r.ke, cert = r.certificate, ntp = r.ntp;
	function add(title, text) {
		if (text != null && text !== '')
			list.push([ title, text ]);
	}
	add(_('Server'), r.address ? '%s (%s)'.format(r.server, r.address) : r.server);
	if (cert) {
		add(_('Certificate'), cert.subject);
		add(_('Issued by'), cert.issuer);
		add(_('Valid'), _('from %s to %s').format(format.date(cert.not_before, tools.zone()), format.date(cert.not_after, tools.zone())));
		add(_('Checked'), cert.verified ? _('yes, for this name') : cert.refused ? messages.say(cert.refused) : _('no'));
	}
	if (ke && ke.tls_version) {
		add(_('Key establishment'), _('%s, port %d, in %s').format(ke.tls_version, ke.port, format.time(ke.duration_s)));
		add(_('Algorithm (AEAD)'), ke.aead);
		add(_('Cookies'), ke.cookies ? _('%d, each of %d bytes').format(ke.cookies, ke.cookie_bytes) : null);
		add(_('Post-quantum'), ke.post_quantum ? _('yes (%s)').format(ke.group) : _('no'));
	}
	if (ntp) {
		add(_('Offset'), ahead(ntp.offset_s));
		add(_('Round trip'), format.time(ntp.delay_s));
		add(_('Error bound'), '± ' + format.time(ntp.error_bound_s));
		add(_('Stratum'), ntp.stratum);
		add(_('Reply'), ntp.authenticated ? _('authenticated') : _('not authenticated: anybody on the way could have sent it'));
	}
	if (r.size_loss && r.size_loss.suspected)
		add(_('Long packets'), messages.say(r.size_loss.verdict));
	return list;
}

function table(r) {
	return E('table', { 'class': 'table ntsd-test' }, rows(r).map(function(row) {
		return E('tr', { 'class': 'tr' }, [
			E('th', { 'class': 'th left', 'scope': 'row' }, [ row[0] ]),
			E('td', { 'class': 'td left' }, [ String(row[1]) ])
		]);
	}));
}

function verdict(r) {
	if (r.running)
		return E('p', { 'class': 'spinning' }, [ r.step ? _('Testing: %s').format(messages.say(r.step)) : _('Testing…') ]);
	if (r.ok)
		return E('div', { 'class': 'alert-message success' }, [ _('This server can be used.') ]);
	return E('div', { 'class': 'alert-message error' }, [ r.error ? messages.say(r.error) : _('No usable answer.') ]);
}

return baseclass.extend({
	directive: directive,
	rows: rows,

	/* Runs a test; tell gets the result as it grows. */
	run: function(target, tell) {
		var end = Date.now() + patience * 1000;
		function next(r) {
			if (r.error && r.running == null && r.server == null)
				throw new Error(r.error);
			tell(r);
			if (!r.running || Date.now() > end)
				return r;
			return later(pause).then(function() { return call('', r.id); }).then(next);
		}
		return call(target, 0).then(function(r) {
			if (!L.isObject(r))
				throw new Error(_('No answer'));
			return next(r);
		});
	},

	/* Tests the server of a section in a window. */
	show: function(sid) {
		var target = directive(sid), box = E('div', { 'aria-live': 'polite' }, [ verdict({ running: true }) ]);
		ui.showModal([ _('Test of %s').format(uci.get('ntsd', sid, 'hostname') || '?') ], [
			box,
			E('div', { 'class': 'right button-row' }, [
				E('button', { 'class': 'btn cbi-button', 'click': ui.hideModal }, [ _('Close') ])
			])
		]);
		if (!target) {
			dom.content(box, [ verdict({ error: _('This server has no valid host name yet.') }) ]);
			return Promise.resolve();
		}
		return this.run(target, function(r) {
			dom.content(box, [ verdict(r), table(r) ]);
		}).catch(function(e) {
			var missing = /Method not found|Resource not found|ubus code (3|4)/.test(e.message);
			dom.content(box, [ verdict({ error: missing
				? _('The test needs the running daemon, in a version that has it.')
				: e.message }) ]);
		});
	}
});
