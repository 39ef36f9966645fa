'use strict';
'require baseclass';
'require rpc';

/*
 * Configurations as the page edits them: what the router has, and what has
 * changed since; save() hands the changes to the router, where they wait in the
 * session until they are applied.
 */

function call(method, params, expect) {
	return rpc.declare({ object: 'uci', method: method, params: params, expect: expect, reject: true });
}

var callGet = call('get', [ 'config' ], { values: {} });
var callAdd = call('add', [ 'config', 'type', 'name', 'values' ], { section: '' });
var callSet = call('set', [ 'config', 'section', 'values' ]);
var callDelete = call('delete', [ 'config', 'section', 'options' ]);
var callOrder = call('order', [ 'config', 'sections' ]);
var callApply = call('apply', [ 'timeout', 'rollback' ]);
var callConfirm = call('confirm', []);

function own(o, k) { return o != null && Object.prototype.hasOwnProperty.call(o, k); }

return baseclass.extend({
	__init__: function() {
		this.state = { newidx: 0, values: {}, creates: {}, changes: {}, deletes: {}, reorder: {} };
		this.loaded = {};
	},

	createSID: function(conf) {
		return 'new%06x'.format(Math.random() * 0xFFFFFF);
	},

	resolveSID: function(conf, sid) {
		var m = /^@([a-zA-Z0-9_-]+)\[(-?[0-9]+)\]$/.exec(String(sid));
		if (!m)
			return sid;
		var all = this.sections(conf, m[1]), at = all[m[2] < 0 ? all.length + +m[2] : +m[2]];
		return at ? at['.name'] : null;
	},

	load: function(packages) {
		var self = this, wanted = L.toArray(packages).filter(function(p) { return !self.state.values[p]; });
		return Promise.all(wanted.map(function(p) {
			self.loaded[p] = self.loaded[p] || callGet(p);
			return self.loaded[p].then(function(values) { self.state.values[p] = values; });
		})).then(function() {
			if (wanted.length)
				document.dispatchEvent(new CustomEvent('uci-loaded'));
			return wanted;
		});
	},

	unload: function(packages) {
		var self = this;
		L.toArray(packages).forEach(function(p) {
			[ 'values', 'creates', 'changes', 'deletes', 'reorder' ].forEach(function(part) { delete self.state[part][p]; });
			delete self.loaded[p];
		});
	},

	add: function(conf, type, name) {
		var sid = name || this.createSID(conf), n = this.state.creates;
		n[conf] = n[conf] || {};
		n[conf][sid] = { '.type': type, '.name': sid, '.create': name, '.anonymous': !name, '.index': 1000 + this.state.newidx++ };
		return sid;
	},

	remove: function(conf, sid) {
		var s = this.state;
		sid = this.resolveSID(conf, sid);
		if (own(s.creates[conf], sid))
			delete s.creates[conf][sid];
		else if (own(s.values[conf], sid)) {
			if (s.changes[conf])
				delete s.changes[conf][sid];
			s.deletes[conf] = s.deletes[conf] || {};
			s.deletes[conf][sid] = true;
		}
	},

	sections: function(conf, type, cb) {
		var s = this.state, all = [];
		if (!s.values[conf])
			return all;
		Object.keys(s.values[conf]).forEach(function(sid) {
			var d = s.deletes[conf] && s.deletes[conf][sid], v = s.values[conf][sid];
			if (d === true || (type && v['.type'] != type))
				return;
			all.push(Object.assign({}, v, s.changes[conf] ? s.changes[conf][sid] : null));
		});
		Object.keys(s.creates[conf] || {}).forEach(function(sid) {
			var v = s.creates[conf][sid];
			if (!type || v['.type'] == type)
				all.push(Object.assign({}, v));
		});
		all.sort(function(a, b) { return a['.index'] - b['.index']; });
		all.forEach(function(v, i) { v['.index'] = i; });
		if (typeof(cb) == 'function')
			all.forEach(function(v) { cb(v, v['.name']); });
		return all;
	},

	get: function(conf, sid, opt) {
		var s = this.state;
		sid = this.resolveSID(conf, sid);
		if (sid == null)
			return null;
		if (own(s.creates[conf], sid))
			return opt == null ? s.creates[conf][sid] : s.creates[conf][sid][opt];
		var d = s.deletes[conf] && s.deletes[conf][sid], c = s.changes[conf] && s.changes[conf][sid];
		var v = s.values[conf] && s.values[conf][sid];
		if (d === true || !v)
			return null;
		if (opt != null)
			return d && d[opt] ? null : c && c[opt] != null ? c[opt] : v[opt];
		v = Object.assign({}, v, c);
		Object.keys(d || {}).forEach(function(k) { delete v[k]; });
		return v;
	},

	get_first: function(conf, type, opt) {
		var first = this.sections(conf, type)[0];
		return first ? this.get(conf, first['.name'], opt) : null;
	},

	set: function(conf, sid, opt, val) {
		var s = this.state;
		sid = this.resolveSID(conf, sid);
		if (sid == null || opt == null || opt.charAt(0) == '.')
			return;
		if (own(s.creates[conf], sid)) {
			if (val != null)
				s.creates[conf][sid][opt] = val;
			else
				delete s.creates[conf][sid][opt];
			return;
		}
		if (!own(s.values[conf], sid) || (s.deletes[conf] && s.deletes[conf][sid] === true))
			return;
		var c = ((s.changes[conf] = s.changes[conf] || {})[sid] = s.changes[conf][sid] || {});
		var d = ((s.deletes[conf] = s.deletes[conf] || {})[sid] = s.deletes[conf][sid] || {});
		delete c[opt];
		delete d[opt];
		if (val != null && val !== '')
			c[opt] = val;
		else if (own(s.values[conf][sid], opt))
			d[opt] = true;
		if (!Object.keys(c).length)
			delete s.changes[conf][sid];
		if (!Object.keys(d).length)
			delete s.deletes[conf][sid];
	},

	unset: function(conf, sid, opt) { return this.set(conf, sid, opt, null); },

	move: function(conf, sid1, sid2, after) {
		var self = this, all = this.sections(conf).map(function(v) { return v['.name']; });
		var from = all.indexOf(this.resolveSID(conf, sid1));
		if (from < 0)
			return false;
		var moved = all.splice(from, 1)[0], to = sid2 == null ? all.length : all.indexOf(this.resolveSID(conf, sid2));
		if (to < 0)
			return false;
		all.splice(sid2 != null && after ? to + 1 : to, 0, moved);
		all.forEach(function(sid, i) {
			(self.state.creates[conf] && self.state.creates[conf][sid] || self.state.values[conf][sid])['.index'] = i;
		});
		this.state.reorder[conf] = true;
		return true;
	},

	save: function() {
		var self = this, s = this.state, tasks = [], created = [], touched = {};
		[ 'creates', 'changes', 'deletes', 'reorder' ].forEach(function(part) {
			Object.keys(s[part]).forEach(function(conf) {
				if (s[part][conf] === true || Object.keys(s[part][conf]).length)
					touched[conf] = true;
			});
		});
		var configs = Object.keys(touched);
		configs.forEach(function(conf) {
			var part;
			part = s.deletes[conf] || {};
			Object.keys(part).forEach(function(sid) {
				tasks.push(callDelete(conf, sid, part[sid] === true ? null : Object.keys(part[sid])));
			});
		});
		configs.forEach(function(conf) {
			Object.keys(s.creates[conf] || {}).forEach(function(sid) {
				var from = s.creates[conf][sid], values = {};
				Object.keys(from).forEach(function(k) {
					if (k.charAt(0) != '.')
						values[k] = from[k];
				});
				tasks.push(callAdd(conf, from['.type'], from['.create'], values).then(function(name) { from['.name'] = name; created.push(from); }));
			});
			Object.keys(s.changes[conf] || {}).forEach(function(sid) {
				tasks.push(callSet(conf, sid, s.changes[conf][sid]));
			});
		});
		return Promise.all(tasks).then(function() {
			return Promise.all(Object.keys(s.reorder).map(function(conf) {
				return callOrder(conf, self.sections(conf).map(function(v) { return v['.name']; }));
			}));
		}).then(function() {
			self.unload(configs);
			return self.load(configs);
		});
	},

	apply: function(timeout) {
		return callApply(timeout || 10, true).then(function() { return callConfirm(); });
	},

	changes: rpc.declare({ object: 'uci', method: 'changes', expect: { changes: {} } })
});
