'use strict';
'require baseclass';

/*
 * What a value may be, as the daemon has it: internal/config/value. Each kind
 * has the daemon's own words for what is allowed and a function that says whether
 * a text is. The daemon has the last word, before anything is saved; this answers
 * while one types, and a test gives both the same values.
 */

var maxText = 256, maxPath = 4096, maxTime = 366 * 86400;

/* Long before short: 'ms' ends in 's'. */
var units = [ [ 'us', 1e3 ], [ 'ms', 1e6 ], [ 's', 1e9 ], [ 'm', 60e9 ], [ 'h', 3600e9 ], [ 'd', 86400e9 ], [ 'w', 604800e9 ] ];

function kind(want, ok, more) {
	return Object.assign({ want: want, ok: ok }, more);
}

/* In UTF-8, as the daemon counts. */
function bytes(s) {
	return new TextEncoder().encode(s).length;
}

function hasControl(s) {
	return s.split('').some(function(c) { return c < ' ' || c == '\u007f'; });
}

/* The words of a choice: "a, b or c". */
function either(words) {
	return _('must be %s or %s').format(words.slice(0, -1).join(', '), words[words.length - 1]);
}

/* A decimal number; NaN for the exotic forms. */
function number(s) {
	return /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(s) ? Number(s) : NaN;
}

function whole(s) {
	return /^[+-]?\d+$/.test(s) ? Number(s) : NaN;
}

function between(n, lowest, highest) {
	return n >= lowest && n <= highest;
}

/* Blanks and control characters apart, a path may be anything. */
function text(want, longest, pattern) {
	return kind(want, function(s) {
		return s != '' && bytes(s) <= longest && !hasControl(s) && (!pattern || pattern.test(s));
	}, { text: true });
}

/* Seconds as the daemon prints them, without an exponent. */
function plain(seconds) {
	return seconds.toFixed(9).replace(/\.?0+$/, '');
}

function isTime(s, lowest, highest) {
	var scale = 1e9;
	for (var i = 0; i < units.length; i++) {
		if (s.slice(-units[i][0].length) == units[i][0]) {
			scale = units[i][1];
			s = s.slice(0, -units[i][0].length);
			break;
		}
	}
	var ns = Math.round(number(s) * scale);
	return between(ns, lowest * 1e9, highest * 1e9);
}

function isIPv4(s) {
	var fields = s.split('.');
	return fields.length == 4 && fields.every(function(f) {
		return /^(0|[1-9]\d{0,2})$/.test(f) && +f <= 255;
	});
}

/* RFC 4291 section 2.2; zone: whether "%eth0" may follow. */
function isIPv6(s, zone) {
	var at = s.indexOf('%');
	if (at >= 0) {
		if (!zone || at == s.length - 1)
			return false;
		s = s.slice(0, at);
	}
	var halves = s.split('::'), fields = 0;
	if (s.indexOf(':') < 0 || halves.length > 2)
		return false;
	for (var i = 0; i < halves.length; i++) {
		if (halves[i] == '' && halves.length == 2)
			continue;
		var groups = halves[i].split(':'), last = groups[groups.length - 1];
		if (i == halves.length - 1 && last.indexOf('.') >= 0) {
			if (!isIPv4(last))
				return false;
			groups.pop();
			fields += 2;
		}
		if (!groups.every(function(g) { return /^[0-9a-fA-F]{1,4}$/.test(g); }))
			return false;
		fields += groups.length;
	}
	return halves.length == 2 ? fields < 8 : fields == 8;
}

/* What stands before and after the colon of the port; null: neither name nor address. */
function splitHost(s) {
	var host = s, after = '', m;
	if (s.charAt(0) == '[') {
		m = /^\[([^\]]*)\](.*)$/.exec(s);
		if (!m || !isIPv6(m[1], true))
			return null;
		host = m[1];
		after = m[2];
		if (after == '')
			return { host: host, port: 0 };
	}
	else if (s.split(':').length == 2) {
		host = s.split(':')[0];
		after = ':' + s.split(':')[1];
	}
	if (after != '' && (!/^:\d+$/.test(after) || !between(+after.slice(1), 1, 65535)))
		return null;
	var port = after == '' ? 0 : +after.slice(1);
	if (isIPv4(host) || isIPv6(host, true))
		return { host: host, port: port };
	host = host.replace(/\.$/, '');
	var name = host.length <= 253 && !/^[\d.]*$/.test(host) && host.split('.').every(function(label) {
		return /^[A-Za-z0-9_-]{1,63}$/.test(label);
	});
	return name ? { host: host, port: port } : null;
}

function isSubnet(s) {
	var at = s.lastIndexOf('/');
	if (at < 0)
		return isIPv4(s) || isIPv6(s, false);
	var addr = s.slice(0, at), bits = s.slice(at + 1);
	return /^(0|[1-9]\d*)$/.test(bits) && (isIPv4(addr) ? +bits <= 32 : isIPv6(addr, false) && +bits <= 128);
}

function isByteSize(s) {
	var shift = 1;
	[ 'k', 'M', 'G' ].forEach(function(u, i) {
		if (s.slice(-1) == u) {
			s = s.slice(0, -1);
			shift = Math.pow(1024, i + 1);
		}
	});
	return between(whole(s), 0, Math.pow(2, 40) / shift);
}

var limits = { interval: [ -19, 12 ], burst: [ 1, 255 ], leak: [ 1, 4 ] };

function isRateLimit(s) {
	if (isBool(s))
		return true;
	var words = s.split(/\s+/).filter(function(w) { return w != ''; });
	for (var i = 0; i < words.length; i += 2) {
		var l = limits.hasOwnProperty(words[i]) ? limits[words[i]] : null;
		if (!l || i + 1 == words.length || !between(whole(words[i + 1]), l[0], l[1]))
			return false;
	}
	return s != '';
}

var truths = { '1': true, yes: true, on: true, 'true': true, enabled: true, '0': false, no: false, off: false, 'false': false, disabled: false };

function isBool(s) {
	return truths.hasOwnProperty(s);
}

var aeads = [ [ '30', 'AES_128_GCM_SIV' ], [ '15', 'AES_SIV_CMAC_256' ], [ '17', 'AES_SIV_CMAC_512' ], [ '16', 'AES_SIV_CMAC_384' ] ];

return baseclass.extend({
	/* How the file writes yes and no; null: neither. */
	bool: function(s) {
		return isBool(s) ? truths[s] : null;
	},

	splitHost: splitHost,

	aeads: function() { return aeads; },

	/* true, or what is wrong with the value, in the daemon's words. */
	check: function(k, value) {
		return k.ok(String(value)) ? true : k.want;
	},

	boolean: function() {
		return kind(_('must be 1, yes, on, true, enabled or 0, no, off, false, disabled'), isBool, { flag: true });
	},

	integer: function(lowest, highest) {
		return kind(_('must be a whole number from %d to %d').format(lowest, highest), function(s) {
			return between(whole(s), lowest, highest);
		});
	},

	port: function() { return this.integer(1, 65535); },

	ratio: function(highest) {
		return kind(_('must be a number from 0 to %d').format(highest), function(s) { return between(number(s), 0, highest); });
	},

	ppm: function(highest) {
		return kind(_('must be a number of ppm from 0 to %d').format(highest), function(s) { return between(number(s), 0, highest); });
	},

	/* A time from lowest to highest seconds. */
	time: function(lowest, highest) {
		if (lowest == null)
			lowest = 0;
		if (highest == null)
			highest = maxTime;
		return kind(_('must be a time from %s to %s in seconds, or with a unit (us, ms, s, m, h, d, w)').format(plain(lowest), plain(highest)), function(s) {
			return isTime(s, lowest, highest);
		});
	},

	timeOrAuto: function() {
		return kind(_('must be auto or a time from %s to %s in seconds, or with a unit (us, ms, s, m, h, d, w)').format('0', plain(maxTime)), function(s) {
			return s == 'auto' || isTime(s, 0, maxTime);
		});
	},

	/* A correction, which may go either way. */
	offset: function() { return this.time(-maxTime, maxTime); },

	path: function() { return text(_('must be a path'), maxPath); },

	user: function() { return text(_('must be a user name'), 32, /^[A-Za-z0-9_.@-]*$/); },

	iface: function() { return text(_('must be an interface name'), 32, /^[A-Za-z0-9_.@-]*$/); },

	word: function() { return text(_('must be a name without blanks'), maxText, /^[^ ]*$/); },

	refid: function() { return text(_('must be 1 to 4 characters'), 4, /^[^ ]*$/); },

	text: function() { return text(_('must be text'), maxText); },

	choice: function(words) {
		return kind(either(words), function(s) { return words.indexOf(s) >= 0; }, { words: words });
	},

	host: function() {
		return kind(_('must be a host name or an address, or one with a port as in host:4460'), function(s) { return splitHost(s) != null; });
	},

	plainHost: function() {
		return kind(_('must be a host name or an address'), function(s) {
			var h = splitHost(s);
			return h != null && h.port == 0;
		});
	},

	subnet: function() {
		return kind(_('must be an address or a prefix as in 192.168.1.0/24'), isSubnet);
	},

	aead: function() {
		return kind(either(aeads.map(function(a) { return a[0] + ' (' + a[1] + ')'; })), function(s) {
			s = s.replace(/^AEAD_/, '');
			return aeads.some(function(a) { return a[0] == s || a[1] == s; });
		});
	},

	agreement: function() {
		return kind(_('must be majority or a whole number from %d to %d').format(1, 100), function(s) {
			return s == 'majority' || between(whole(s), 1, 100);
		});
	},

	byteSize: function() {
		return kind(_('must be a number of bytes, or with a unit (k, M, G)'), isByteSize);
	},

	rateLimit: function() {
		return kind(_('must be a truth value, or \'interval N burst N leak N\' with interval from %d to %d, burst from %d to %d, leak from %d to %d').format(-19, 12, 1, 255, 1, 4), isRateLimit);
	}
});
