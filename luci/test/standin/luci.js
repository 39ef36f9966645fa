/*
 * A small stand-in for LuCI's browser runtime, for tests: the functions that the
 * views of luci-app-ntsd use, and no others. Asking it for anything else throws,
 * so that no view can come to depend on what this file, or an older LuCI, lacks.
 * suites/parity.mjs compares its functions with LuCI's own.
 */
(function() {
'use strict';

var env = {};
var classes = {};

/* What is asked of a module of the stand-in must be there. */
function strict(name, target) {
	return new Proxy(target, {
		get: function(t, key) {
			if (key in t || typeof(key) == 'symbol' || key == 'then' || key == 'toJSON')
				return t[key];
			throw new ReferenceError('stand-in: ' + name + ' has no "' + key + '"');
		}
	});
}

/* --- classes ------------------------------------------------------------ */

function camel(s) {
	return s.replace(/(?:^|[. -])(.)/g, function(all, c) { return c.toUpperCase(); });
}

function Class() {}

Class.extend = function(properties) {
	var parent = this;
	var child = function() {
		if (typeof(this.__init__) == 'function')
			this.__init__.apply(this, arguments);
	};
	child.prototype = Object.create(parent.prototype);
	Object.keys(properties).forEach(function(key) { child.prototype[key] = properties[key]; });
	child.prototype.constructor = child;
	child.prototype.__parent__ = parent.prototype;
	Object.keys(parent).forEach(function(key) { child[key] = parent[key]; });
	child.displayName = properties.__name__ || 'AnonymousClass';
	return child;
};

Class.singleton = function(properties) {
	return new (Class.extend(properties))();
};

Class.instantiate = function(args) {
	return new (Function.prototype.bind.apply(this, [ null ].concat(args)))();
};

Class.isSubclass = function(c) {
	return typeof(c) == 'function' && c.prototype instanceof this;
};

/* Calls the method of the class above the one that calls. */
Class.prototype.super = function(key, args) {
	var self = this, slot = '__super_' + key;
	var at = self[slot] || self;
	var here = at === self ? Object.getPrototypeOf(self) : at;
	while (here && !Object.prototype.hasOwnProperty.call(here, key))
		here = Object.getPrototypeOf(here);
	var above = here && Object.getPrototypeOf(here);
	while (above && !Object.prototype.hasOwnProperty.call(above, key))
		above = Object.getPrototypeOf(above);
	if (!above)
		return null;
	if (arguments.length < 2)
		return above[key];
	var list = args != null && typeof(args) == 'object' && 'length' in args
		? Array.prototype.slice.call(args) : Array.prototype.slice.call(arguments, 1);
	var before = self[slot];
	self[slot] = above;
	try {
		return above[key].apply(self, list);
	}
	finally {
		self[slot] = before;
	}
};

Class.prototype.varargs = function(args, offset) {
	return Array.prototype.slice.call(arguments, 2).concat(Array.prototype.slice.call(args, offset));
};

Class.prototype.toString = function() {
	return '[' + this.constructor.displayName + ']';
};

/* --- texts -------------------------------------------------------------- */

/* The catalogue is a plain table here: MSGID, or CONTEXT \1 MSGID. */
window._ = function(s, context) {
	var key = context ? context + '\u0001' + s : s;
	return (window.TR && window.TR[key]) || s;
};

window.N_ = function(n, one, many, context) {
	var forms = window.TR && window.TR[(context ? context + '\u0001' : '') + one + '\u0000' + many];
	if (forms)
		return forms[window.TR_plural(n)] || many;
	return n == 1 ? one : many;
};

var escapes = { '&': '&#38;', '"': '&#34;', "'": '&#39;', '<': '&#60;', '>': '&#62;' };

function span(seconds) {
	var s = Math.floor(seconds) || 0, d = Math.floor(s / 86400), h = Math.floor(s % 86400 / 3600), m = Math.floor(s % 3600 / 60);
	return (d ? d + 'd ' : '') + h + 'h ' + m + 'm ' + s % 60 + 's';
}

/* %s %d %u %f %x %h %q %t %m %%: what LuCI's own understands of these. */
String.prototype.format = function() {
	var args = arguments, next = 0;
	return this.replace(/%('.|0| )?(-)?(\d+)?(\.\d+)?([%duxfshqtm])/g, function(all, pad, left, width, digits, type) {
		if (type == '%')
			return '%';
		if (next >= args.length)
			throw new Error('stand-in: "' + all + '" without a value');
		var v = args[next++], out;
		switch (type) {
		case 'd': case 'u': out = String(Math.floor(+v || 0)); break;
		case 'x': out = Math.floor(+v || 0).toString(16); break;
		case 'f': out = digits ? (+v || 0).toFixed(+digits.slice(1)) : String(+v || 0); break;
		case 'h': out = String(v == null ? '' : v).replace(/[&"'<>]/g, function(c) { return escapes[c]; }); break;
		case 'q': out = String(v == null ? '' : v).replace(/["']/g, function(c) { return escapes[c]; }); break;
		case 't': out = span(v); break;
		case 'm':
			var base = width ? +width : 1000, i = 0, n = +v || 0;
			for (; i < 6 && n > base; i++)
				n /= base;
			return (i ? n.toFixed(digits ? +digits.slice(1) : 2) : n) + [ ' ', ' K', ' M', ' G', ' T', ' P', ' E' ][i] + (i && base == 1024 ? 'i' : '');
		default: out = String(v);
		}
		pad = pad ? pad.slice(-1) : ' ';
		while (width && out.length < +width)
			out = left ? out + ' ' : pad + out;
		return out;
	});
};

/* --- elements ----------------------------------------------------------- */

var registry = {}, registered = 0;

var dom = {
	elem: function(e) { return e != null && typeof(e) == 'object' && 'nodeType' in e; },

	parse: function(html) { return document.createRange().createContextualFragment(html).firstElementChild; },

	matches: function(node, selector) { return dom.elem(node) && node.matches ? node.matches(selector) : false; },

	parent: function(node, selector) { return dom.elem(node) && node.closest ? node.closest(selector) : null; },

	append: function(node, children) {
		if (!dom.elem(node))
			return null;
		if (Array.isArray(children)) {
			children.forEach(function(c) {
				if (dom.elem(c))
					node.appendChild(c);
				else if (c != null)
					node.appendChild(document.createTextNode(String(c)));
			});
			return node.lastChild;
		}
		if (typeof(children) == 'function')
			return dom.append(node, children(node));
		if (dom.elem(children))
			return node.appendChild(children);
		if (children != null) {
			/* LuCI parses such a string as HTML: text of others must come in a list. */
			node.innerHTML = String(children);
			return node.lastChild;
		}
		return null;
	},

	content: function(node, children) {
		if (!dom.elem(node))
			return null;
		node.querySelectorAll('[data-idref]').forEach(function(e) { delete registry[e.getAttribute('data-idref')]; });
		while (node.firstChild)
			node.removeChild(node.firstChild);
		return dom.append(node, children);
	},

	attr: function(node, key, val) {
		if (!dom.elem(node))
			return;
		var set = key;
		if (typeof(key) == 'string')
			(set = {})[key] = val;
		Object.keys(set || {}).forEach(function(k) {
			var v = set[k];
			if (v == null)
				return;
			if (typeof(v) == 'function')
				node.addEventListener(k, v);
			else
				node.setAttribute(k, typeof(v) == 'object' ? JSON.stringify(v) : v);
		});
	},

	create: function(what, attr, data) {
		var e;
		if (attr == null || typeof(attr) != 'object' && typeof(attr) != 'function' || Array.isArray(attr) || dom.elem(attr)) {
			/* Like LuCI: any object, an element too, is taken for attributes. */
			if (dom.elem(attr))
				throw new TypeError('stand-in: children of E() come in a list');
			data = data === undefined || attr != null ? attr : data;
			attr = null;
		}
		if (Array.isArray(what)) {
			e = document.createDocumentFragment();
			what.forEach(function(w) { e.appendChild(dom.create(w)); });
		}
		else if (dom.elem(what))
			e = what;
		else if (what.charAt(0) == '<')
			e = dom.parse(what);
		else
			e = document.createElement(what);
		if (!e)
			return null;
		dom.attr(e, attr);
		dom.append(e, data);
		return e;
	},

	data: function(node, key, val) {
		if (!node || !node.getAttribute)
			return null;
		var id = node.getAttribute('data-idref');
		if (arguments.length > 1 && key == null) {
			if (id == null)
				return null;
			node.removeAttribute('data-idref');
			val = registry[id];
			delete registry[id];
			return val;
		}
		if (arguments.length > 2 && val == null) {
			if (id == null || !registry[id])
				return null;
			val = registry[id][key];
			delete registry[id][key];
			return val;
		}
		if (arguments.length > 2) {
			if (id == null || !registry[id]) {
				id = 's' + ++registered;
				node.setAttribute('data-idref', id);
				registry[id] = {};
			}
			return (registry[id][key] = val);
		}
		if (id == null || !registry[id])
			return null;
		return arguments.length == 1 ? registry[id] : registry[id][key];
	},

	bindClassInstance: function(node, inst) { return dom.data(node, '_class', inst); },

	findClassInstance: function(node) {
		var inst = null;
		for (; node != null && !inst; node = node.parentNode)
			inst = dom.data(node, '_class');
		return inst || null;
	},

	callClassMethod: function(node, method) {
		var inst = dom.findClassInstance(node);
		if (!inst || typeof(inst[method]) != 'function')
			return null;
		return inst[method].apply(inst, Array.prototype.slice.call(arguments, 2));
	},

	isEmpty: function(node, ignore) {
		for (var c = node && node.firstElementChild; c; c = c.nextElementSibling)
			if (!c.classList.contains('hidden') && !(ignore && ignore(c)))
				return false;
		return true;
	}
};

window.E = function() { return dom.create.apply(dom, arguments); };

/* --- requests ----------------------------------------------------------- */

function Reply(res, body) {
	this.ok = res.ok;
	this.status = res.status;
	this.statusText = res.statusText;
	this.url = res.url;
	this.headers = { get: function(n) { return res.headers.get(n); }, has: function(n) { return res.headers.has(n); } };
	this.json = function() { return JSON.parse(body); };
	this.text = function() { return body; };
}

function send(method, url, content, options) {
	var query = options && options.query;
	if (query)
		url += (url.indexOf('?') < 0 ? '?' : '&') + new URLSearchParams(query);
	var init = { method: method, credentials: 'same-origin' };
	if (content != null) {
		init.body = typeof(content) == 'object' ? JSON.stringify(content) : String(content);
		init.headers = { 'Content-Type': typeof(content) == 'object' ? 'application/json' : 'application/x-www-form-urlencoded' };
	}
	return fetch(url, init).then(function(res) {
		return res.text().then(function(body) { return new Reply(res, body); });
	});
}

var request = {
	get: function(url, options) { return send('GET', url, null, options); },
	post: function(url, data, options) { return send('POST', url, data, options); }
};

/* --- polls -------------------------------------------------------------- */

var poll = {
	queue: [],

	tick: 0,

	timer: null,

	add: function(fn, interval) {
		if (typeof(fn) != 'function')
			throw new TypeError('Invalid argument to LuCI.poll.add()');
		if (poll.queue.some(function(e) { return e.fn === fn; }))
			return false;
		poll.queue.push({ fn: fn, interval: +interval || env.pollinterval || 5, busy: false });
		if (poll.tick != null && !poll.active())
			poll.start();
		return true;
	},

	remove: function(fn) {
		var before = poll.queue.length;
		poll.queue = poll.queue.filter(function(e) { return e.fn !== fn; });
		return poll.queue.length < before;
	},

	step: function() {
		poll.queue.forEach(function(e) {
			if (e.busy || poll.tick % e.interval != 0)
				return;
			e.busy = true;
			Promise.resolve().then(e.fn).finally(function() { e.busy = false; });
		});
		poll.tick++;
	},

	start: function() {
		if (poll.active())
			return false;
		poll.tick = 0;
		if (poll.queue.length) {
			poll.timer = window.setInterval(poll.step, 1000);
			poll.step();
			document.dispatchEvent(new CustomEvent('poll-start'));
		}
		return true;
	},

	stop: function() {
		if (!poll.active())
			return false;
		window.clearInterval(poll.timer);
		poll.timer = null;
		document.dispatchEvent(new CustomEvent('poll-stop'));
		return true;
	},

	active: function() { return poll.timer != null; }
};

/* --- session ------------------------------------------------------------ */

var session = {
	getID: function() { return env.sessionid; },

	getLocalData: function(key) {
		var data = JSON.parse(window.sessionStorage.getItem('standin') || '{}');
		return key in data ? data[key] : null;
	},

	setLocalData: function(key, value) {
		var data = JSON.parse(window.sessionStorage.getItem('standin') || '{}');
		if (value == null)
			delete data[key];
		else
			data[key] = value;
		window.sessionStorage.setItem('standin', JSON.stringify(data));
		return true;
	}
};

/* --- views -------------------------------------------------------------- */

function showError(e) {
	console.error(e);
	if (classes.ui && !(classes.ui instanceof Promise))
		classes.ui.addNotification(e.name, E('pre', [ e.message ]), 'danger');
	throw e;
}

var View = Class.extend({
	__name__: 'LuCI.view',

	__init__: function() {
		var self = this, vp = document.getElementById('view');
		dom.content(vp, E('div', { 'class': 'spinning' }, [ _('Loading view…') ]));
		ready.then(function() { return self.load(); }).then(function(data) {
			return self.render(data);
		}).then(function(nodes) {
			dom.content(vp, nodes);
			dom.append(vp, self.addFooter());
		}).catch(showError);
	},

	load: function() {},

	render: function() {},

	handleSave: function() {
		var maps = document.querySelectorAll('#maincontent .cbi-map');
		return Promise.all(Array.prototype.map.call(maps, function(m) { return dom.callClassMethod(m, 'save'); }));
	},

	handleSaveApply: function(ev, mode) {
		return this.handleSave(ev).then(function() { classes.ui.changes.apply(mode == '0'); });
	},

	handleReset: function() {
		var maps = document.querySelectorAll('#maincontent .cbi-map');
		return Promise.all(Array.prototype.map.call(maps, function(m) { return dom.callClassMethod(m, 'reset'); }));
	},

	addFooter: function() {
		var self = this, row = E('div', { 'class': 'cbi-page-actions' }), readonly = !L.hasViewPermission();
		[ [ 'handleSaveApply', _('Save & Apply'), 'apply important' ], [ 'handleSave', _('Save'), 'save' ], [ 'handleReset', _('Reset'), 'reset' ] ].forEach(function(b) {
			if (!self[b[0]])
				return;
			dom.append(row, [ E('button', {
				'class': 'btn cbi-button cbi-button-' + b[2],
				'disabled': readonly || null,
				'click': classes.ui.createHandlerFn(self, b[0], '0')
			}, [ b[1] ]), ' ' ]);
		});
		return row.firstChild ? row : E([]);
	}
});

/* --- L ------------------------------------------------------------------ */

/* The directives at the head of a module: names of others, and as what. */
function directives(source) {
	var list = [], re = /^\s*(?:\/\*[\s\S]*?\*\/\s*|\/\/[^\n]*\n\s*)*(['"])(use strict|require\s+(\S+)(?:\s+as\s+(\w+))?)\1\s*;?/, m;
	while ((m = re.exec(source)) != null) {
		if (m[3])
			list.push({ name: m[3], as: m[4] || m[3].replace(/\W/g, '_') });
		source = source.slice(m[0].length);
	}
	return list;
}

function place(name, instance) {
	var parts = name.split('.'), at = LuCI.prototype;
	while (parts.length > 1 && at)
		at = at[parts.shift()];
	if (at)
		at[parts[0]] = instance;
}

function LuCI(setenv) {
	Object.keys(setenv).forEach(function(k) { env[k] = setenv[k]; });
	var domReady = new Promise(function(resolve) { document.addEventListener('DOMContentLoaded', resolve); });
	var self = strict('L', this);
	Promise.all([ domReady, self.require('ui'), self.require('rpc') ]).then(function() {
		return classes.rpc.declare({ object: 'luci', method: 'getFeatures', expect: { '': {} } })();
	}).then(function(features) {
		env.features = features;
		document.addEventListener('poll-start', function() {
			classes.ui.showIndicator('poll-status', _('Refreshing'), function() { if (poll.active()) poll.stop(); else poll.start(); });
		});
		document.addEventListener('poll-stop', function() {
			classes.ui.showIndicator('poll-status', _('Paused'), null, 'inactive');
		});
		poll.start();
		LuCI.prototype.loaded = true;
		setReady();
	}).catch(showError);
	return self;
}

LuCI.prototype = {
	env: env,

	loaded: false,

	dom: strict('dom', dom),

	view: View,

	Poll: strict('poll', poll),

	Request: strict('request', request),

	Class: Class,

	bind: function(fn, self) {
		return Function.prototype.bind.apply(fn, Array.prototype.slice.call(arguments, 1));
	},

	require: function(name) {
		if (classes[name] != null)
			return Promise.resolve(classes[name]);
		var url = env.resource + '/' + name.replace(/\./g, '/') + '.js';
		classes[name] = request.get(url).then(function(res) {
			if (!res.ok)
				throw new Error('HTTP error ' + res.status + ' while loading class file "' + url + '"');
			var source = res.text(), needs = directives(source);
			return Promise.all(needs.map(function(n) { return L.require(n.name); })).then(function(got) {
				var names = [ 'window', 'document', 'L' ].concat(needs.map(function(n) { return n.as; }));
				var made = (0, eval)('(function(' + names.join(', ') + ') { ' + source + '\n})\n//# sourceURL=' + url);
				var type = made.apply(made, [ window, document, L ].concat(got));
				if (!Class.isSubclass(type))
					throw new TypeError('"' + name + '" factory yields invalid constructor');
				if (type.displayName == 'AnonymousClass')
					type.displayName = camel(name + 'Class');
				var instance = new type();
				if (res.headers.get('X-Standin'))
					instance = strict(name, instance);
				classes[name] = instance;
				place(name, instance);
				return instance;
			});
		});
		return classes[name];
	},

	raise: function(type, text) {
		var e = new Error(String.prototype.format.apply(text || 'Unspecified error', Array.prototype.slice.call(arguments, 2)));
		e.name = type || 'Error';
		throw e;
	},

	error: function(type, text) {
		if (type instanceof Error)
			showError(type);
		try {
			LuCI.prototype.raise.apply(null, arguments);
		}
		catch (e) {
			showError(e);
		}
	},

	hasSystemFeature: function(name, sub) {
		var f = env.features[name];
		if (arguments.length > 1)
			return f != null && typeof(f) == 'object' ? f[sub] : null;
		return f != null && f !== false;
	},

	hasViewPermission: function() {
		if (!env.nodespec || !env.nodespec.satisfied)
			return null;
		return !env.nodespec.readonly;
	},

	isObject: function(v) { return v != null && typeof(v) == 'object'; },

	toArray: function(v) {
		if (v == null)
			return [];
		if (Array.isArray(v))
			return v;
		if (typeof(v) == 'object')
			return [ v ];
		v = String(v).trim();
		return v == '' ? [] : v.split(/\s+/);
	},

	sortedKeys: function(obj) {
		return Object.keys(obj || {}).sort(new Intl.Collator(undefined, { numeric: true }).compare);
	},

	resolveDefault: function(value, otherwise) {
		return Promise.resolve(value).catch(function() { return otherwise; });
	},

	url: function() { return [ env.scriptname ].concat(Array.prototype.slice.call(arguments)).join('/'); },

	resource: function() { return [ env.resource ].concat(Array.prototype.slice.call(arguments)).join('/'); },

	media: function() { return [ env.media ].concat(Array.prototype.slice.call(arguments)).join('/'); },

	location: function() { return [ env.scriptname ].concat(env.requestpath).join('/'); }
};

classes.baseclass = Class;
classes.dom = LuCI.prototype.dom;
classes.poll = LuCI.prototype.Poll;
classes.request = LuCI.prototype.Request;
classes.session = strict('session', session);
classes.view = View;

var setReady, ready = new Promise(function(resolve) { setReady = resolve; });
ready.then(function() { document.dispatchEvent(new CustomEvent('luci-loaded')); });

window.LuCI = LuCI;

/* For suites/parity.mjs: every function here, by module. */
window.standinFunctions = function() {
	var out = { L: Object.keys(LuCI.prototype).filter(function(k) { return typeof(LuCI.prototype[k]) == 'function' && !/^(view|Class)$/.test(k); }) };
	Object.keys(classes).forEach(function(name) {
		var names = [];
		for (var k in classes[name])
			if (typeof(classes[name][k]) == 'function' && k.slice(0, 2) != '__')
				names.push(k);
		out[name] = names;
	});
	return out;
};
})();
