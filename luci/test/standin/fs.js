'use strict';
'require baseclass';
'require rpc';

/* Files and programs of the router, by rpcd's object "file". */

function call(method, params, expect) {
	return rpc.declare({ object: 'file', method: method, params: params, expect: expect, reject: true });
}

var list = call('list', [ 'path' ], { entries: [] });
var read = call('read', [ 'path' ], { data: '' });
var stat = call('stat', [ 'path' ], { '': {} });
var write = call('write', [ 'path', 'data' ]);
var exec = call('exec', [ 'command', 'params', 'env' ], { '': {} });

return baseclass.extend({
	list: function(path) { return list(path); },
	read: function(path) { return read(path); },
	stat: function(path) { return stat(path); },
	write: function(path, data) { return write(path, data == null ? '' : String(data)); },
	exec: function(command, params, env) { return exec(command, params, env); },
	trimmed: function(path) {
		return L.resolveDefault(this.read(path), '').then(function(s) { return s.trim(); });
	},
	lines: function(path) {
		return L.resolveDefault(this.read(path), '').then(function(s) { return s.split(/\n/).filter(function(l) { return l != ''; }); });
	}
});
