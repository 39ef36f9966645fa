'use strict';
'require baseclass';
'require ui';
'require ntsd.tools as tools';

/*
 * The certificate authority that the router made for its network: its certificate,
 * which is public, to be taken to the devices that want authenticated time.
 */

/* What the file is called, here and in what is explained. */
var FILE = 'ntsd-lan-ca.pem';

/* The name that clients should use: one of the certificate's with a dot in it. */
function host(names) {
	var list = L.toArray(names), named = list.filter(function(n) { return /[a-z]/i.test(n) && n.indexOf(':') < 0; });
	return named.filter(function(n) { return n.indexOf('.') > 0; })[0] || named[0] || list[0] || window.location.hostname;
}

/* Pairs of bytes, so that people can compare it. */
function spaced(fingerprint) {
	return String(fingerprint || '').replace(/[^0-9a-f]/gi, '').toUpperCase().replace(/(.{4})(?=.)/g, '$1 ');
}

function device(title, text, lines) {
	return [ E('dt', [ title ]), E('dd', [ text, lines ? E('pre', { 'tabindex': 0 }, [ lines.join('\n') ]) : '' ]) ];
}

function instructions(name) {
	var copy = _('Copy the file there as %s, add this to %s, and restart %s.');
	return E('dl', { 'class': 'ntsd-devices' }, [].concat(
		device(_('Linux with chrony'), copy.format('/etc/chrony/' + FILE, 'chrony.conf', 'chronyd'),
			[ 'server ' + name + ' iburst nts', 'ntstrustedcerts /etc/chrony/' + FILE ]),
		device(_('Linux with NTPsec'), copy.format('/etc/ntpsec/' + FILE, 'ntp.conf', 'ntpd'),
			[ 'server ' + name + ' nts ca /etc/ntpsec/' + FILE ]),
		device(_('Another router with ntsd'), _('Copy the file there as %s. On its page Services > Time add the server %s, switch on “Authenticate (NTS)”, and name the file under “Trusted certificates”.').format('/etc/ntsd/' + FILE, name)),
		device(_('Windows, Android, macOS, iOS'), _('Their own clocks do not know NTS: they take plain time from this router and need no certificate, so do not install this one there. A program that knows NTS has a setting of its own for it.'))
	));
}

function content(ca) {
	/* Nobody else reaches it by its loopback addresses. */
	var names = L.toArray(ca.names).filter(function(n) { return n != '::1' && n.indexOf('127.') != 0; });
	return [
		E('p', [ _('Devices that take authenticated time (NTS) from this router must have its certificate, once. It is no secret.') ]),
		E('p', [ E('a', {
			'class': 'btn cbi-button cbi-button-action important', 'download': FILE,
			'href': URL.createObjectURL(new Blob([ ca.pem ], { type: 'application/x-pem-file' }))
		}, [ _('Download CA certificate') ]) ]),
		E('p', [ _('Its fingerprint (SHA-256), to compare on the device:'), E('br'), E('code', { 'class': 'ntsd-print' }, [ spaced(ca.sha256) ]) ]),
		names.length ? E('p', [ _('Clients may call this router:'), ' ', names.join(', ') ])
			: E('p', [ _('This router has no certificate under it yet: that is made once its own clock is right.') ]),
		E('h5', [ _('What to do with it') ]),
		instructions(host(names))
	];
}

function none(e) {
	return E('div', { 'class': 'alert-message warning' }, [ e.refused && e.code != 'not_running'
		? _('There is none yet. Switch on “Serve authenticated time (NTS)” and “With a certificate of its own” on the page Services > Time, save and apply.')
		: e.denied ? _('You may not ask the time daemon.') : _('The time daemon is not running.') ]);
}

var css = '.ntsd-authority pre{margin:.3em 0;padding:.5em .7em;overflow-x:auto;white-space:pre}.ntsd-authority code.ntsd-print{overflow-wrap:anywhere;white-space:normal}' +
	'.ntsd-devices{margin:0}.ntsd-devices dt{font-weight:bold;margin:.7em 0 0}.ntsd-devices dd{margin:.2em 0 0}';

return baseclass.extend({
	host: host,

	/* The authority, null while there is none or nobody to ask. */
	ask: function() { return L.resolveDefault(tools.ask('ca'), null); },

	/* Shows it in a window. */
	show: function() {
		return tools.ask('ca').then(content, none).then(function(nodes) {
			ui.showModal(_('Certificate authority of this network'), [ E('style', [ css ]), E('div', { 'class': 'ntsd-authority' }, nodes),
				E('div', { 'class': 'right button-row' }, [
					E('button', { 'class': 'btn cbi-button', 'click': function() {
						var link = document.querySelector('.ntsd-authority a[download]');
						if (link)
							URL.revokeObjectURL(link.href);
						ui.hideModal();
					} }, [ _('Close') ])
				]) ], 'cbi-modal');
		});
	}
});
