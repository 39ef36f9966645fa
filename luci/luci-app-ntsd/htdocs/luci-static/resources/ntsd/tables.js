'use strict';
'require baseclass';
'require ntsd.format as format';
'require ntsd.words as words';

/* The tables of the status page: sources, what authenticates them, clients. */

var MARKS = {
	'*': [ '★', _('followed') ],
	'+': [ '✓', _('combined') ],
	'-': [ '·', _('agrees, not needed') ],
	'x': [ '✗', _('disagrees') ],
	'~': [ '≈', _('too unsteady') ],
	'?': [ '?', _('not usable') ]
};

/* A table in the form that the themes turn into cards on a phone. */
function table(titles, rows, none) {
	var body = rows.map(function(cells) {
		return E('tr', { 'class': 'tr', 'role': 'row' }, cells.map(function(c, i) {
			return E('td', { 'class': 'td', 'role': 'cell', 'data-title': titles[i] }, Array.isArray(c) ? c : [ c ]);
		}));
	});
	if (!rows.length)
		body = [ E('tr', { 'class': 'tr placeholder' }, [ E('td', { 'class': 'td', 'colspan': titles.length }, [ E('em', [ none ]) ]) ]) ];
	/* With their roles, for as cards they are a table still. */
	return E('table', { 'class': 'table ntsd-table', 'role': 'table' }, [
		E('tr', { 'class': 'tr table-titles', 'role': 'row' }, titles.map(function(t) { return E('th', { 'class': 'th', 'role': 'columnheader', 'scope': 'col' }, [ t ]); }))
	].concat(body));
}

function num(text) { return E('span', { 'class': 'ntsd-num' }, [ text ]); }

function sub(text) { return text ? E('span', { 'class': 'ntsd-sub' }, [ text ]) : ''; }

/* The last eight polls, the newest to the right. */
function reach(bits) {
	var dots = [], n = 0;
	for (var i = 7; i >= 0; i--) {
		var on = (bits >> i) & 1;
		n += on;
		dots.push(E('i', { 'class': on ? 'on' : '' }));
	}
	var text = _('%d of the last 8 requests were answered').format(n);
	return E('span', { 'class': 'ntsd-reach', 'role': 'img', 'aria-label': text, 'title': text }, dots);
}

function every(log2) {
	var seconds = Math.pow(2, log2);
	return seconds < 1 ? format.time(seconds) : format.duration(seconds);
}

function state(s, zone) {
	var m = MARKS[s.mark] || MARKS['?'], text = s.online ? m[1] : _('offline');
	var why = s.mark == '*' || s.mark == '+' ? '' : s.selection.why || (s.mark == '?' ? s.selection.state : '');
	return [ E('span', { 'class': 'ntsd-mark', 'aria-hidden': 'true' }, [ m[0] ]), text, sub(words.say(why, zone)) ];
}

/* A name that may be broken at its dots, and only if it must anywhere else. */
function host(name) {
	return E('strong', name.split(/(?=\.)/).reduce(function(parts, label) { return parts.concat(parts.length ? E('wbr') : [], label); }, []));
}

function who(s) {
	return [ host(s.name), sub(s.address && s.address != s.name ? s.address : ''), sub(s.operator && s.operator != s.name ? s.operator : '') ];
}

function offset(s) {
	if (s.last_rx_ago_s == null || s.last_rx_ago_s < 0)
		return '–';
	return [ num(format.signed(s.adjusted_offset_s)), sub('± ' + format.time(s.error_bound_s)) ];
}

function authentication(s) {
	var a = s.auth;
	if (s.kind == 'refclock')
		return _('a device of this router');
	if (a.mode == 'symmetric')
		return [ _('symmetric key %d').format(a.key_id), sub(a.aead) ];
	if (a.mode != 'nts')
		return _('none', 'authentication');
	return [ _('NTS'), a.key_bits ? sub(a.aead) : sub(_('no keys yet')) ];
}

/* "CN=a,O=b" without the CN=: what people know a server by. */
function subject(name) {
	var m = /(?:^|,)CN=([^,]*)/.exec(name || '');
	return m ? m[1] : name || '–';
}

function certificate(c, zone, now) {
	if (!c)
		return '–';
	var until = Date.parse(c.not_after), left = (until - now) / 86400000;
	return [ subject(c.subject), sub(_('by %s').format(subject(c.issuer))),
		sub((left < 0 ? _('expired %s') : _('valid until %s')).format(format.day(until, zone))) ];
}

return baseclass.extend({
	sources: function(report, zone) {
		return table(
			[ _('Server'), _('State'), _('Stratum'), _('Poll'), _('Reach'), _('Delay', 'time'), _('Offset'), _('Authentication') ],
			report.sources.map(function(s) {
				return [
					who(s), state(s, zone), String(s.stratum || '–'),
					[ num(every(s.poll_log2)), sub(format.ago(s.last_rx_ago_s)) ],
					reach(s.reach), s.ntpdata ? num(format.time(s.ntpdata.delay_s)) : '–', offset(s), authentication(s)
				];
			}),
			_('No time server is configured.'));
	},

	/* What NTS has established with each source; null if there is none. */
	keys: function(report, zone) {
		var with_nts = report.sources.filter(function(s) { return s.auth.mode == 'nts'; }), now = Date.parse(report.time);
		if (!with_nts.length)
			return null;
		return table(
			[ _('Server'), _('Cipher', 'time'), _('Cookies left'), _('Certificate'), _('Last key exchange'), _('Refusals'), _('Post-quantum') ],
			with_nts.map(function(s) {
				var a = s.auth, t = a.tls;
				return [
					host(s.name),
					[ a.aead || '–', sub(a.key_bits ? _('%d bits').format(a.key_bits) : '') ],
					[ a.key_bits ? _('%d of 8').format(a.cookies) : '–',
						sub(a.path ? _('requests over %d bytes get lost on the way').format(a.path.longest_answered) : '') ],
					certificate(a.certificate, zone, now),
					[ a.last_ke_ago_s != null && a.last_ke_ago_s >= 0 ? format.ago(a.last_ke_ago_s) : a.key_bits ? _('before the start') : '–',
						sub(t ? _('%s, took %s').format(t.version, format.time(t.duration_s)) : ''), sub(words.say(a.last_error, zone)),
						sub(a.next_ke_in_s > 0 ? _('next in %s').format(format.duration(a.next_ke_in_s)) : '') ],
					String(a.naks),
					t ? [ t.post_quantum ? _('yes') : _('no'), sub(t.group) ] : '–'
				];
			}));
	},

	/* names: { address: name }; most: how many rows. */
	clients: function(list, names, most) {
		return table(
			[ _('Client'), _('Requests'), _('Interval'), _('Last request'), _('Authentication'), _('Key exchanges'), _('Refused') ],
			list.slice(0, most).map(function(c) {
				var host = names[c.address];
				return [
					host ? [ E('strong', [ host ]), sub(c.address) ] : E('strong', [ c.address ]),
					num(format.number(c.requests)), c.requests > 1 ? num(c.interval_s < 1 ? _('under %s').format(format.time(1)) : format.time(c.interval_s)) : '–', format.ago(c.last_s),
					[ c.nts ? _('NTS') : _('none', 'authentication'), sub(c.interleaved ? _('interleaved') : '') ],
					num(format.number(c.ke)), num(format.number(c.dropped + c.ke_dropped))
				];
			}),
			_('Nobody has asked this router for the time yet.'));
	}
});
