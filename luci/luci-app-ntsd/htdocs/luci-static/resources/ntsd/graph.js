'use strict';
'require baseclass';
'require ntsd.format as format';

/*
 * A line over time with two bands: what the values ranged over, and how far off
 * they may be. SVG in the colours of the theme; pointer and arrow keys read it.
 */

var NS = 'http://www.w3.org/2000/svg';
var HEIGHT = 170, LEFT = 64, RIGHT = 8, TOP = 8, BOTTOM = 22;

function S(tag, attrs, text) {
	var e = document.createElementNS(NS, tag);
	Object.keys(attrs).forEach(function(k) { e.setAttribute(k, attrs[k]); });
	if (text != null)
		e.appendChild(document.createTextNode(text));
	return e;
}

/* The step of about so many marks: 1, 2 or 5 times a power of ten. */
function step(range, marks) {
	var raw = range / marks, base = Math.pow(10, Math.floor(Math.log(raw) / Math.LN10)), m = raw / base;
	return base * (m <= 1 ? 1 : m <= 2 ? 2 : m <= 5 ? 5 : 10);
}

var TIMES = [ 10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400 ];

function timeStep(range, marks) {
	for (var i = 0; i < TIMES.length; i++)
		if (TIMES[i] * marks >= range)
			return TIMES[i];
	return 86400;
}

function finite(n) { return typeof(n) == 'number' && isFinite(n); }

function area(run, X, Y, low, high) {
	var there = run.map(function(p, i) { return (i ? 'L' : 'M') + X(p.t).toFixed(1) + ' ' + Y(high(p)).toFixed(1); });
	var back = run.slice().reverse().map(function(p) { return 'L' + X(p.t).toFixed(1) + ' ' + Y(low(p)).toFixed(1); });
	return there.join('') + back.join('') + 'Z';
}

var Graph = baseclass.extend({
	/*
	 * options: title; text(value), a value for people; axis(value, step), the same
	 * on the axis; least, the smallest range of the axis; zone, a time zone.
	 */
	__init__: function(options) {
		this.options = options;
		this.points = [];
		this.at = -1;
		this.svg = S('svg', { 'class': 'ntsd-graph', height: HEIGHT, width: '100%', tabindex: 0, role: 'img' });
		this.readout = E('output', { 'class': 'ntsd-readout' });
		this.span = E('small');
		this.node = E('figure', { 'class': 'ntsd-figure' }, [
			E('figcaption', [ E('strong', [ options.title ]), this.span, this.readout ]),
			this.svg
		]);
		this.svg.addEventListener('pointermove', L.bind(this.handlePointer, this));
		this.svg.addEventListener('pointerleave', L.bind(this.mark, this, -1));
		this.svg.addEventListener('blur', L.bind(this.mark, this, -1));
		this.svg.addEventListener('keydown', L.bind(this.handleKey, this));
	},

	/* points: { t, mid, lo, hi, band } in order; the axis runs from..to, in
	 * seconds since 1970; gap is the longest distance that is one line. */
	update: function(points, from, to, gap) {
		this.points = points.filter(function(p) { return p.t >= from && p.t <= to && finite(p.mid); });
		this.from = from;
		this.to = to;
		this.gap = gap;
		this.draw();
	},

	/* The extent of the values, never less than asked for. */
	extent: function() {
		var lo = Infinity, hi = -Infinity, least = this.options.least;
		this.points.forEach(function(p) {
			lo = Math.min(lo, p.lo, p.mid - (p.band || 0));
			hi = Math.max(hi, p.hi, p.mid + (p.band || 0));
		});
		if (!finite(lo) || !finite(hi))
			return [ -least / 2, least / 2 ];
		if (hi - lo < least) {
			var middle = (hi + lo) / 2;
			return [ middle - least / 2, middle + least / 2 ];
		}
		var margin = (hi - lo) * 0.08;
		return [ lo - margin, hi + margin ];
	},

	draw: function() {
		var width = Math.max(this.svg.clientWidth || this.node.offsetWidth || 600, 200), svg = this.svg;
		var y = this.extent(), from = this.from, to = this.to;
		var X = this.X = function(t) { return LEFT + (t - from) / (to - from) * (width - LEFT - RIGHT); };
		var Y = this.Y = function(v) { return TOP + (y[1] - v) / (y[1] - y[0]) * (HEIGHT - TOP - BOTTOM); };
		while (svg.firstChild)
			svg.removeChild(svg.firstChild);
		svg.setAttribute('viewBox', '0 0 ' + width + ' ' + HEIGHT);
		this.summarise();
		this.axes(width, y);
		var line = '', fill = [], band = [], dots = [];
		this.runs().forEach(function(run) {
			fill.push(area(run, X, Y, function(p) { return p.lo; }, function(p) { return p.hi; }));
			if (finite(run[0].band))
				band.push(area(run, X, Y, function(p) { return p.mid - p.band; }, function(p) { return p.mid + p.band; }));
			if (run.length == 1)
				dots.push(run[0]);
			else
				line += run.map(function(p, i) { return (i ? 'L' : 'M') + X(p.t).toFixed(1) + ' ' + Y(p.mid).toFixed(1); }).join('');
		});
		svg.appendChild(S('path', { 'class': 'ntsd-band', d: band.join('') }));
		svg.appendChild(S('path', { 'class': 'ntsd-range', d: fill.join('') }));
		svg.appendChild(S('path', { 'class': 'ntsd-line', d: line }));
		dots.forEach(function(p) { svg.appendChild(S('circle', { 'class': 'ntsd-dot', cx: X(p.t).toFixed(1), cy: Y(p.mid).toFixed(1), r: 2.5 })); });
		this.cursor = svg.appendChild(S('line', { 'class': 'ntsd-cursor', y1: TOP, y2: HEIGHT - BOTTOM, x1: -9, x2: -9 }));
		this.mark(Math.min(this.at, this.points.length - 1));
	},

	axes: function(width, y) {
		var svg = this.svg, o = this.options, s = step(y[1] - y[0], 4), v, t;
		for (v = Math.ceil(y[0] / s) * s; v <= y[1]; v += s) {
			if (Math.abs(v) < s / 1e6)
				v = 0;
			svg.appendChild(S('line', { 'class': v == 0 ? 'ntsd-zero' : 'ntsd-grid', x1: LEFT, x2: width - RIGHT, y1: this.Y(v), y2: this.Y(v) }));
			svg.appendChild(S('text', { x: LEFT - 6, y: this.Y(v) + 4, 'text-anchor': 'end' }, o.axis(v, s)));
		}
		s = timeStep(this.to - this.from, Math.max(2, Math.floor(width / 130)));
		/* Whole hours and days are those of the zone. */
		var shift = format.zoneOffset(this.to * 1000, o.zone);
		for (t = Math.ceil((this.from + shift) / s) * s - shift; t <= this.to; t += s) {
			var x = this.X(t);
			svg.appendChild(S('line', { 'class': 'ntsd-grid', x1: x, x2: x, y1: TOP, y2: HEIGHT - BOTTOM }));
			if (x > LEFT + 16 && x < width - (s < 60 ? 36 : 26))
				svg.appendChild(S('text', { x: x, y: HEIGHT - 6, 'text-anchor': 'middle' },
					s >= 86400 ? format.weekday(t * 1000, o.zone) : format.clock(t * 1000, o.zone, s < 60)));
		}
	},

	/* The points in pieces without a gap. */
	runs: function() {
		var out = [], last = null, gap = this.gap;
		this.points.forEach(function(p) {
			if (!last || p.t - last.t > gap)
				out.push([]);
			out[out.length - 1].push(p);
			last = p;
		});
		return out;
	},

	/* The picture in words. */
	summarise: function() {
		var o = this.options, lo = Infinity, hi = -Infinity, n = this.points.length;
		this.points.forEach(function(p) { lo = Math.min(lo, p.lo); hi = Math.max(hi, p.hi); });
		this.span.textContent = n > 1 && o.text(lo) != o.text(hi) ? _('between %s and %s').format(o.text(lo), o.text(hi)) : '';
		this.svg.setAttribute('aria-label', n
			? _('%s: now %s, between %s and %s in this time').format(o.title, o.text(this.points[n - 1].mid), o.text(lo), o.text(hi))
			: _('%s: no data yet').format(o.title));
	},

	/* Shows the point i, or the latest for -1. */
	mark: function(i) {
		if (typeof(i) != 'number' || i >= this.points.length)
			i = -1;
		this.at = i;
		var p = this.points[i < 0 ? this.points.length - 1 : i], o = this.options, x = i < 0 || !this.X ? -9 : this.X(p.t);
		this.cursor.setAttribute('x1', x);
		this.cursor.setAttribute('x2', x);
		this.readout.textContent = p
			? (i < 0 ? '' : format.date(p.t * 1000, o.zone) + ': ') + o.text(p.mid) + (finite(p.bound) ? ' ± ' + format.time(p.bound) : '')
			: _('no data yet');
	},

	handlePointer: function(ev) {
		var box = this.svg.getBoundingClientRect(), X = this.X, best = -1, near = Infinity, x = ev.clientX - box.left;
		this.points.forEach(function(p, i) {
			var d = Math.abs(X(p.t) - x);
			if (d < near) {
				near = d;
				best = i;
			}
		});
		this.mark(best);
	},

	handleKey: function(ev) {
		var move = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 }[ev.key], last = this.points.length - 1;
		if (ev.key == 'Home')
			this.mark(0);
		else if (ev.key == 'End')
			this.mark(last);
		else if (move)
			this.mark(Math.max(0, Math.min(last, (this.at < 0 ? last : this.at) + move)));
		else
			return;
		ev.preventDefault();
	}
});

return baseclass.extend({
	/* A graph; its node goes into the page. */
	create: function(options) { return new Graph(options); }
});
