'use strict';
'require baseclass';
'require ntsd.format as format';
'require ntsd.words as words';

/*
 * What the daemon's report means, in words: the one thing that somebody wants to
 * know first, and what to do if it is not well. Nothing else happens here.
 */

/* After so many seconds without any answer something is wrong. */
var PATIENCE = 15;

/* A source that says the same time as the others. One that is too far away to
 * improve it (-) has a vote in it, too. */
function agrees(s) { return s.mark == '*' || s.mark == '+' || s.mark == '-'; }

function wrong(s) { return s.mark == 'x'; }

function nts(s) { return s.auth.mode == 'nts'; }

/* By NTS or by a symmetric key. */
function authenticated(s) { return s.auth.mode != null && s.auth.mode != 'none'; }

function name(s) { return s.name; }

function operator(s) { return s.operator || s.name; }

function unique(list) {
	return list.filter(function(v, i) { return list.indexOf(v) == i; });
}

function because(list, zone) {
	return list.map(function(s) { return _('%s: %s').format(s.name, words.say(s.auth.last_error || s.selection.why || s.selection.state, zone)); });
}

/* Notes that hold whatever the rest is. */
function remarks(r, sources, zone) {
	var notes = [], t = r.tracking, now = Date.parse(r.time);
	var liars = sources.filter(wrong), failing = sources.filter(function(s) { return nts(s) && s.auth.last_error; });
	var blocked = sources.filter(function(s) { return s.auth.path && s.auth.path.closed; });
	var expired = sources.filter(function(s) { return s.auth.certificate && Date.parse(s.auth.certificate.not_after) < now && s.reach > 0; });
	if (t.synchronised && liars.length)
		notes.push(N_(liars.length, '%s disagrees with the others and is not used.', '%s disagree with the others and are not used.').format(format.names(liars.map(name))));
	if (t.synchronised && failing.length)
		notes.push(_('No keys from %s').format(because(failing, zone).slice(0, 3).join('; ')));
	if (expired.length)
		notes.push(_('The certificate of %s has expired by this clock.').format(format.names(expired.map(name))));
	if (blocked.length)
		notes.push(_('Something on the way to %s drops authenticated requests: the shortest are too long for it.').format(format.names(blocked.map(name))));
	L.toArray(r.advice).forEach(function(a) { notes.push(words.say(a.text, zone)); });
	if (r.bootstrap.warning)
		notes.push(words.say(r.bootstrap.warning, zone));
	if (r.daemon.config && r.daemon.config.refused)
		notes.push(_('The saved settings have an error; the daemon goes on with those before.'));
	return notes.concat(L.toArray(r.daemon.config_warnings).map(function(w) { return words.say(w, zone); }));
}

/* The clock is synchronised: by whom, and how well. */
function synchronised(r, sources) {
	var t = r.tracking, within = format.time(Math.abs(t.correction_s) + t.root_dispersion_s + t.root_delay_s / 2);
	var mine = sources.filter(agrees), signed = mine.filter(authenticated), n = t.authenticated ? signed.length : mine.length;
	var owners = unique(signed.map(operator));
	var v = { level: 'good', notes: [] };
	if (sources.every(function(s) { return s.reach == 0; })) {
		v.level = 'warning';
		v.text = _('Running free: no server answers. The clock is still within %s.').format(within);
		v.notes.push(_('Check the connection to the Internet; time servers are asked over UDP port 123.'));
	}
	else if (t.authenticated) {
		v.text = N_(n, 'Synchronised and authenticated by %d server, within %s.', 'Synchronised and authenticated by %d servers, within %s.').format(n, within);
		if (owners.length == 1) {
			v.level = 'warning';
			v.notes.push(_('Only %s is believed: one operator can be wrong and nobody would notice. Add servers of two others.').format(owners[0]));
		}
	}
	else if (mine.some(function(s) { return s.mark == '*' && s.kind == 'refclock'; }))
		v.text = _('Synchronised to the reference clock %s, within %s.').format(t.reference_name, within);
	else {
		v.level = 'warning';
		v.text = N_(n, 'Synchronised with %d server, within %s, but not authenticated.', 'Synchronised with %d servers, within %s, but not authenticated.').format(n, within);
		v.notes.push(_('Anybody on the way can change this time. Add servers with NTS.'));
		v.action = 'settings';
	}
	if (r.bootstrap.phase == 'confirming') {
		v.level = 'wait';
		v.text = _('The clock is set on trial; certificates are checked again at the new time.');
	}
	if (r.daemon.dry_run) {
		v.level = v.level == 'good' ? 'notice' : v.level;
		v.notes.unshift(_('Dry run: the daemon measures, but does not set the clock.'));
	}
	return v;
}

/* It is not: why, and what can be done. */
function unsynchronised(r, sources, zone) {
	var b = r.bootstrap, silent = sources.filter(function(s) { return s.reach == 0; });
	var failing = sources.filter(function(s) { return s.auth.last_error && s.reach == 0; }), liars = sources.filter(wrong);
	var heard = sources.length - silent.length;
	if (!sources.length)
		return { level: 'bad', text: _('No time server is configured.'), notes: [ _('Choose at least three servers with NTS, of different operators.') ], action: 'settings' };
	if (r.tracking.local)
		return { level: 'warning', text: _('No server answers; this clock serves as its own reference.'), notes: because(silent, zone).slice(0, 3) };
	if (b.phase == 'confirming')
		return { level: 'wait', text: _('The clock is set on trial; certificates are checked again at the new time.'), notes: b.waiting_for ? [ words.say(b.waiting_for, zone) ] : [] };
	if (r.activity.online + r.activity.burst_online == 0)
		return {
			level: 'wait', text: _('Waiting for the network.'),
			notes: (r.daemon.uptime_s > 60 ? [ _('Is the connection to the Internet up? See the page Network > Interfaces.') ] : []).concat([ r.activity.unresolved ? _('The names of the servers cannot be looked up yet.') : _('No server can be reached without a route to it.') ])
		};
	/* Where nobody answers, it is better to say that, and what to do. */
	if (b.phase == 'searching' && (heard > 0 || r.daemon.uptime_s <= PATIENCE)) {
		var agreeing = L.toArray(b.agreeing), others = L.toArray(b.operators).filter(function(o) { return agreeing.indexOf(o) < 0; });
		var told = sources.filter(function(s) { return s.reach > 0; }).map(operator);
		var missing = others.filter(function(o) { return told.indexOf(o) < 0; }), different = others.filter(function(o) { return told.indexOf(o) >= 0; });
		if (different.length && !missing.length && agreeing.length < b.needed)
			return {
				level: 'bad', text: _('The servers disagree about the time, so none is believed.'),
				notes: sources.filter(function(s) { return s.reach > 0; }).slice(0, 3).map(function(s) { return _('%s: %s').format(s.name, format.signed(s.adjusted_offset_s)); })
					.concat([ _('Add servers of other operators, so that the wrong ones are outvoted.') ]), action: 'settings'
			};
		return {
			level: 'wait', text: _('Finding the time: %d of %d operators agree, %d must.').format(agreeing.length, L.toArray(b.operators).length, b.needed),
			notes: (different.length ? [ _('Another time from %s.').format(format.names(different)) ] : [])
				.concat(missing.length ? [ _('No usable time yet from %s.').format(format.names(missing)) ] : []).concat(Date.parse(r.time) < Date.parse(b.floor)
				? [ _('Until then this router believes that it is %s.').format(format.day(r.time, 'UTC')) ] : [])
		};
	}
	if (liars.length && liars.length >= heard - liars.length)
		return {
			level: 'bad', text: _('The servers disagree about the time, so none is believed.'),
			notes: because(liars, zone).slice(0, 3).concat([ _('Add servers of other operators, so that the wrong ones are outvoted.') ]), action: 'settings'
		};
	if (failing.length && failing.length == silent.length && heard == 0)
		return {
			level: 'bad', text: N_(failing.length, 'The server gives no keys.', 'None of the %d servers gives keys.').format(failing.length),
			notes: because(failing, zone).slice(0, 3).concat([ _('Key establishment (NTS) uses TCP port 4460; certificates need a clock that is about right.') ])
		};
	if (heard == 0 && r.daemon.uptime_s > PATIENCE)
		return {
			level: 'bad', text: N_(sources.length, 'The time server does not answer.', 'None of the %d time servers answers.').format(sources.length),
			notes: because(silent, zone).slice(0, 3).concat([ _('Check the connection to the Internet; time servers are asked over UDP port 123.') ])
		};
	if (r.daemon.uptime_s < 60)
		return { level: 'wait', text: _('Measuring: the daemon has just started.'), notes: [] };
	return { level: 'bad', text: _('Not synchronised.'), notes: because(sources.filter(function(s) { return !agrees(s); }), zone).slice(0, 3) };
}

return baseclass.extend({
	/*
	 * report is the daemon's, null while it does not answer; denied, that nobody
	 * would let us ask; zone, that of the times in the notes. The verdict: level is
	 * good, notice, wait, warning or bad; text one sentence; notes what else to
	 * know or to do; action, if any, is start, login or settings.
	 */
	of: function(report, denied, zone) {
		if (!report && denied)
			return { level: 'warning', text: _('You may not ask the time daemon.'), notes: [ _('Log in again, or as somebody with the right to.') ], action: 'login' };
		if (!report)
			return {
				level: 'bad', text: _('The time daemon is not running.'), action: 'start',
				notes: [ _('The clock of this router drifts, and nobody is served.') ]
			};
		var sources = (report.sources || []).filter(function(s) { return !s.selection.configured_options.noselect; });
		var v = report.tracking.synchronised ? synchronised(report, sources) : unsynchronised(report, sources, zone);
		v.notes = v.notes.concat(remarks(report, sources, zone));
		return v;
	},

	/* The level by a sign and a word: colour alone tells nothing. */
	sign: function(level) {
		return { good: '✓', notice: 'i', wait: '…', warning: '!', bad: '✗' }[level];
	},

	word: function(level) {
		return { good: _('All is well'), notice: _('Note'), wait: _('In progress'), warning: _('Warning'), bad: _('Problem') }[level];
	}
});
