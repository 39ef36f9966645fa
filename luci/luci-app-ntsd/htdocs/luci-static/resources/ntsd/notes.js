'use strict';
'require baseclass';
'require dom';
'require poll';
'require rpc';
'require uci';
'require ui';
'require ntsd.fields as fields';
'require ntsd.format as format';
'require ntsd.messages as messages';
'require ntsd.review as review';
'require ntsd.tools as tools';
'require ntsd.validate as validate';

/*
 * What stands above the form: whether the saved configuration is in force, what
 * the daemon says of it, and advice.
 */

/* A time of the daemon in the router's zone, without its date where that is today. */
function clock(text) {
	var zone = tools.zone(), today = format.day(text, zone) == format.day(Date.now(), zone);
	return today ? format.clock(text, zone, true) : format.date(text, zone);
}

var callHide = rpc.declare({ object: 'luci.ntsd', method: 'hide', reject: true });

/* How long a configuration may take to come into force, in ms, before a button is offered. */
var patience = 6000;

function box(style, children) {
	return E('div', { 'class': 'alert-message ' + style }, children);
}

function items(lines) {
	return E('ul', lines.map(function(l) { return E('li', [ l ]); }));
}

/* What opens the field of a message. */
function link(message, go) {
	return E('a', { 'href': '#', 'click': function(ev) {
		ev.preventDefault();
		go(message);
	} }, [ _('Show') ]);
}

/* Takes the keys out of the configuration, which everybody reads who may look at
 * this page. */
function move() {
	return uci.changes().then(function(changes) {
		if (L.toArray((changes || {}).ntsd).length)
			throw new Error(_('Save and apply your changes first.'));
		return callHide();
	}).then(function(answer) {
		if (answer.error)
			throw new Error(answer.error);
		if (answer.left)
			throw new Error(N_(answer.left, '%d key could not be moved.', '%d keys could not be moved.').format(answer.left));
		window.location.reload();
	}).catch(function(e) {
		ui.hideModal();
		ui.addNotification(null, E('p', [ messages.say(e.message) ]), 'error');
	});
}

function mover(writable) {
	return E('button', { 'class': 'btn cbi-button', 'disabled': writable ? null : '', 'click': function() {
		ui.showModal(_('Move keys to files'), [
			E('p', [ _('The keys that stand in the configuration go into files below %s that only the daemon reads. Who may look at these settings in LuCI sees them no more, and new backups do not hold them.').format('/etc/ntsd/keys') ]),
			E('p', [ _('A firmware upgrade does not keep these files, unless you add the folder on the page System > Backup. Keep a copy of the keys.') ]),
			E('div', { 'class': 'right button-row' }, [
				E('button', { 'class': 'btn cbi-button', 'click': ui.hideModal }, [ _('Cancel') ]), ' ',
				E('button', { 'class': 'btn cbi-button cbi-button-apply important', 'click': ui.createHandlerFn(null, move) }, [ _('Move') ])
			])
		]);
	} }, [ _('Move it to a file…') ]);
}

return baseclass.extend({
	__init__: function() {
		this.state = E('div', { 'class': 'ntsd-state', 'role': 'status', 'aria-live': 'polite' });
		this.unapplied = E('div', { 'class': 'ntsd-unapplied', 'role': 'status' });
		this.advice = E('div', { 'class': 'ntsd-advice' });
		this.saved = null;   /* the verdict on what is saved on the router */
		this.reads = null;   /* how often the daemon has read its file */
		this.checked = 0;    /* when the verdict on what is saved was asked for */
		this.page = null;    /* the verdict on what the page edits */
		this.daemon = null;  /* what the daemon last told of itself */
		this.waiting = null; /* since when the daemon has not taken it up */
	},

	nodes: function() { return [ this.state, this.unapplied, this.advice ]; },

	/* Says that saved changes wait in the session. */
	session: function() {
		var self = this;
		return L.resolveDefault(uci.changes(), {}).then(function(changes) {
			var n = L.toArray(changes && changes.ntsd).length;
			dom.content(self.unapplied, n ? [ E('em', [ _('Saved changes that are not applied yet: %d').format(n) ]) ] : []);
		});
	},

	/* Asks for the verdict on what is saved on the router. */
	checkSaved: function() {
		var self = this;
		self.checked = Date.now();
		return review.check(null).then(function(verdict) { self.saved = verdict || self.saved; });
	},

	/* Looks at the daemon every few seconds. */
	watch: function(writable) {
		var self = this;
		self.writable = writable;
		return self.checkSaved().then(function() { poll.add(L.bind(self.look, self)); });
	},

	/* Looks at the daemon once. */
	look: function() {
		var self = this;
		return tools.ask('status').then(function(report) {
			var c = report.daemon && report.daemon.config || {};
			/* The daemon has read a file since, or has another: what is known of it here may
			 * be old. Asking for the verdict costs a router something. */
			var read = self.reads != null && c.reads != self.reads, other = self.saved && self.saved.digest != c.digest;
			self.reads = c.reads;
			return self.saved && (read || other && Date.now() - self.checked > patience) ? self.checkSaved().then(function() { return report; }) : report;
		}).then(function(report) {
			self.daemon = report.daemon || {};
			dom.content(self.state, self.describe(self.daemon));
		}, function(e) {
			self.daemon = null;
			dom.content(self.state, self.absent(e));
		});
	},

	/* The daemon answers: is this its configuration? */
	describe: function(daemon) {
		var c = daemon.config || {}, warnings = this.fresh(L.toArray(daemon.config_warnings)), same = !this.saved || !this.saved.digest || this.saved.digest == c.digest;
		if (same && !(c.refused && !c.digest)) {
			this.waiting = null;
			var nodes = [ E('div', { 'class': 'cbi-map-descr ntsd-inforce' }, [
				E('strong', [ '✓ ' + _('The applied settings are in force') ]), ' ', c.since ? _('since %s').format(clock(c.since)) : ''
			]) ];
			if (warnings.length)
				nodes.push(box('warning', [ E('strong', [ _('The daemon says:') ]), items(warnings.map(function(w) { return messages.say(w); })) ]));
			return nodes;
		}
		if (c.refused && c.digest != this.saved.digest)
			return [ box('error', [
				E('strong', [ _('The daemon has refused the applied settings; those before stay in force.') ]), items(warnings.map(function(w) { return messages.say(w); }))
			]) ];
		return this.pending();
	},

	/* The daemon's warnings that are not said of what the page edits anyway. */
	fresh: function(warnings) {
		var messages = this.page ? this.page.messages : [];
		return warnings.filter(function(w) {
			return !messages.some(function(m) { return w.indexOf(m.section + ': ') >= 0 && w.slice(-m.message.length) == m.message; });
		});
	},

	pending: function() {
		this.waiting = this.waiting || Date.now();
		if (Date.now() - this.waiting < patience)
			return [ E('span', { 'class': 'spinning' }, [ _('Waiting for the daemon to take up the applied settings…') ]) ];
		return [ box('warning', [
			_('The applied settings are not in force yet.'), ' ',
			E('button', { 'class': 'btn cbi-button', 'disabled': this.writable ? null : '', 'click': ui.createHandlerFn(this, function() {
				return tools.ask('action', 'reload', '').catch(function(e) {
					ui.addNotification(null, [ E('p', [ e.message ]) ], 'danger');
				}).then(L.bind(this.look, this));
			}) }, [ _('Read it now') ])
		]) ];
	},

	/* The daemon does not answer: may it be asked, is it meant to run, is it the configuration? */
	absent: function(e) {
		var saved = this.saved, errors = saved ? saved.messages.filter(function(m) { return m.severity == 'error'; }) : [];
		if (e.denied)
			return [ box('warning', [ _('You may not ask the time daemon.') ]) ];
		if (validate.bool(fields.read('ntsd', 'enabled')) === false)
			return [ box('notice', [ _('The daemon is switched off.') ]) ];
		return [ box('warning', [
			E('strong', [ _('The daemon does not answer: it is stopped, or starting.') ]), ' ',
			E('button', { 'class': 'btn cbi-button cbi-button-apply', 'disabled': this.writable ? null : '', 'click': ui.createHandlerFn(this, function() {
				return tools.start().catch(function(err) {
					ui.addNotification(null, E('p', [ _('The daemon did not start: %s').format(err.message) ]), 'error');
				}).then(L.bind(this.look, this));
			}) }, [ _('Start it') ]),
			errors.length ? items(errors.map(function(m) { return messages.say(m.text); })) : ''
		]) ];
	},

	/* Says what is wrong and what is advised of what the page edits; go is called
	 * with a message whose field is wanted. */
	show: function(verdict, go) {
		var nodes = [], writable = this.writable;
		this.page = verdict;
		if (this.daemon)
			dom.content(this.state, this.describe(this.daemon));
		if (!verdict) {
			dom.content(this.advice, nodes);
			return;
		}
		[ [ 'error', 'error', _('The daemon would refuse this:') ], [ 'warning', 'warning', _('The daemon would warn:') ] ].forEach(function(kind) {
			var found = verdict.messages.filter(function(m) { return m.severity == kind[0]; });
			if (found.length)
				nodes.push(box(kind[1] + ' ntsd-' + kind[0], [ E('strong', [ kind[2] ]), E('ul', found.map(function(m) {
					return E('li', [ review.words(m), ' ', m.section ? link(m, go) : '', ' ', m.type == 'key' && m.option == 'secret' && m.severity == 'warning' ? mover(writable) : '' ]);
				})) ]));
		});
		var advice = L.toArray(verdict.advice);
		if (advice.length)
			nodes.push(box('notice ntsd-hints', [ E('strong', [ _('Worth a look:') ]), E('ul', advice.map(function(a) {
				var to = review.remedy(a);
				return E('li', [ review.advice(a), ' ', to ? link(to, go) : '' ]);
			})) ]));
		dom.content(this.advice, nodes);
	}
});
