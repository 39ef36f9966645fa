'use strict';
'require baseclass';

/*
 * Numbers, times and dates in the language of the page. Times are in seconds, as
 * in the daemon's answers; offsets are positive where this clock is ahead.
 */

var NBSP = '\u00a0', MINUS = '\u2212';

/* Time constants of the units a short time is shown in. */
var SCALES = [ [ 1, 's' ], [ 1e-3, 'ms' ], [ 1e-6, 'µs' ], [ 1e-9, 'ns' ] ];

var SPANS = [ [ 86400, 'day' ], [ 3600, 'hour' ], [ 60, 'minute' ], [ 1, 'second' ] ];

/* The page's language as a tag of BCP 47, undefined if it is none. */
function language() {
	var tag = (document.documentElement.lang || '').replace('_', '-');
	try {
		Intl.getCanonicalLocales(tag);
		return tag || undefined;
	}
	catch (e) {
		return undefined;
	}
}

var made = {};

/* An Intl formatter, made once. */
function formatter(type, options) {
	var key = type + JSON.stringify(options);
	if (!made[key]) {
		try {
			made[key] = new Intl[type](language(), options);
		}
		catch (e) {
			made[key] = new Intl[type](language());
		}
	}
	return made[key];
}

return baseclass.extend({
	/* 3 significant digits unless told otherwise; whole numbers are not cut. */
	number: function(n, digits) {
		if (Math.abs(n) >= 100)
			return formatter('NumberFormat', { maximumFractionDigits: 0 }).format(n);
		return formatter('NumberFormat', { maximumSignificantDigits: digits || 3 }).format(n);
	},

	fixed: function(n, decimals) {
		return (n < 0 ? MINUS : '') + formatter('NumberFormat', { minimumFractionDigits: decimals, maximumFractionDigits: decimals }).format(Math.abs(n));
	},

	/* A frequency with its sign: "+0.123 ppm". */
	ppm: function(n) {
		return (n < 0 ? '' : '+') + this.fixed(n, 3) + NBSP + 'ppm';
	},

	percent: function(share) {
		return formatter('NumberFormat', { style: 'percent', maximumFractionDigits: 0 }).format(share);
	},

	/* The unit for times of this size: [ seconds, symbol ]. */
	scale: function(seconds) {
		for (var i = 0; i < SCALES.length; i++)
			if (Math.abs(seconds) >= SCALES[i][0] * 0.9995)
				return SCALES[i];
		return SCALES[SCALES.length - 1];
	},

	/* A short time without its sign: "0.4 ms". */
	time: function(seconds) {
		if (seconds == null || !isFinite(seconds))
			return '–';
		if (Math.abs(seconds) >= 60)
			return this.duration(Math.abs(seconds));
		var s = this.scale(seconds);
		return this.number(Math.abs(seconds) / s[0]) + NBSP + s[1];
	},

	/* The same with its sign. */
	signed: function(seconds) {
		if (seconds == null || !isFinite(seconds))
			return '–';
		return (seconds < 0 ? MINUS : seconds > 0 ? '+' : '') + this.time(seconds);
	},

	/* Two units at most: "3 days 4 hr". */
	duration: function(seconds) {
		if (seconds == null || !isFinite(seconds) || seconds < 0)
			return '–';
		var rest = Math.floor(seconds), out = [];
		for (var i = 0; i < SPANS.length && out.length < 2; i++) {
			var n = Math.floor(rest / SPANS[i][0]);
			rest -= n * SPANS[i][0];
			if (n > 0 || (i == SPANS.length - 1 && !out.length))
				out.push(formatter('NumberFormat', { style: 'unit', unit: SPANS[i][1], unitDisplay: 'short' }).format(n));
			else if (out.length)
				break;
		}
		return out.join(' ');
	},

	ago: function(seconds) {
		if (seconds == null || seconds < 0)
			return '–';
		if (seconds < 2)
			return _('now');
		return _('%s ago').format(this.duration(seconds));
	},

	/* Date and time of an ISO text, or of milliseconds; zone may be undefined. */
	date: function(when, zone) {
		return formatter('DateTimeFormat', { dateStyle: 'medium', timeStyle: 'medium', timeZone: zone }).format(new Date(when));
	},

	day: function(when, zone) {
		return formatter('DateTimeFormat', { dateStyle: 'medium', timeZone: zone }).format(new Date(when));
	},

	clock: function(when, zone, seconds) {
		return formatter('DateTimeFormat', { hour: 'numeric', minute: '2-digit', second: seconds ? '2-digit' : undefined, timeZone: zone }).format(new Date(when));
	},

	weekday: function(when, zone) {
		return formatter('DateTimeFormat', { weekday: 'short', day: 'numeric', timeZone: zone }).format(new Date(when));
	},

	/* How many seconds the zone is ahead of UTC then. */
	zoneOffset: function(when, zone) {
		var at = new Date(Math.floor(when / 1000) * 1000);
		function local(z) { return Date.parse(at.toLocaleString('en-US', { timeZone: z })); }
		return (local(zone) - local('UTC')) / 1000 || 0;
	},

	/* "a, b, c and 4 more" */
	names: function(list, most) {
		most = most || 3;
		if (list.length <= most)
			return list.join(', ');
		return _('%s and %d more').format(list.slice(0, most).join(', '), list.length - most);
	}
});
