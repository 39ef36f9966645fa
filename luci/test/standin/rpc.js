'use strict';
'require baseclass';
'require request';

/* Calls over the bus, one request each; LuCI's own puts several into one. */

var id = 1, baseURL = L.env.ubuspath, interceptors = [];

var texts = [ 'Command OK', 'Invalid command', 'Invalid argument', 'Method not found', 'Resource not found', 'No data received', 'Permission denied', 'Request timeout' ];

/* What is in a reply, by what the caller expects of it. */
function unwrap(rpc, options, reply, params, rest) {
	var out = null;
	if (reply.error)
		L.raise('RPCError', 'RPC call to %s/%s failed with error %d: %s', options.object, options.method, reply.error.code, reply.error.message);
	if (Array.isArray(reply.result)) {
		if (options.reject && reply.result[0] !== 0)
			L.raise('RPCError', 'RPC call to %s/%s failed with ubus code %d: %s', options.object, options.method, reply.result[0], rpc.getStatusText(reply.result[0]));
		out = reply.result.length > 1 ? reply.result[1] : reply.result[0];
	}
	Object.keys(options.expect || {}).slice(0, 1).forEach(function(key) {
		if (out != null && key != '')
			out = out[key];
		if (out == null || Object.prototype.toString.call(out) != Object.prototype.toString.call(options.expect[key]))
			out = options.expect[key];
	});
	if (typeof(options.filter) == 'function')
		out = options.filter.apply(rpc, [ out, params ].concat(rest));
	return out;
}

return baseclass.extend({
	declare: function(options) {
		var self = this;
		return function() {
			var params = {}, args = arguments, names = options.params || [];
			names.forEach(function(name, i) { params[name] = args[i]; });
			var msg = { jsonrpc: '2.0', id: id++, method: 'call', params: [ L.env.sessionid, options.object, options.method, params ] };
			return request.post(baseURL, msg).then(function(res) {
				if (!res.ok)
					L.raise('RPCError', 'RPC call to %s/%s failed with HTTP error %d: %s', options.object, options.method, res.status, res.statusText || '?');
				var reply = res.json();
				return Promise.all(interceptors.map(function(f) { return f(reply, options); })).then(function() {
					return unwrap(self, options, reply, params, Array.prototype.slice.call(args, names.length));
				});
			});
		};
	},

	list: function() {
		var msg = { jsonrpc: '2.0', id: id++, method: 'list', params: arguments.length ? Array.prototype.slice.call(arguments) : undefined };
		return request.post(baseURL, msg).then(function(res) { return res.json().result; });
	},

	getSessionID: function() { return L.env.sessionid; },

	getStatusText: function(code) { return texts[code] || 'Unknown error code'; },

	addInterceptor: function(fn) { interceptors.push(fn); return fn; },

	removeInterceptor: function(fn) {
		var at = interceptors.indexOf(fn);
		if (at >= 0)
			interceptors.splice(at, 1);
		return at >= 0;
	}
});
