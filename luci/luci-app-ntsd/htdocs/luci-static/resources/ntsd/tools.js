'use strict';
'require baseclass';
'require rpc';
'require uci';

/*
 * What the pages of ntsd share: the daemon's answers. The daemon publishes the
 * object "ntsd" on the bus; where it cannot (an old release, a jail), rpcd's
 * plugin "luci.ntsd" gives the same answers.
 */

var objects = [ 'ntsd', 'luci.ntsd' ];

function declare(method, params) {
	return objects.map(function(object) {
		return rpc.declare({ object: object, method: method, params: params || [], reject: true });
	});
}

var calls = {
	status: declare('status'),
	history: declare('history', [ 'span' ]),
	serverstats: declare('serverstats'),
	clients: declare('clients', [ 'least' ]),
	ntskeys: declare('ntskeys'),
	ca: declare('ca'),
	action: declare('action', [ 'command', 'argument' ])
};

/* The init script's part: no daemon, no object of its own. */
var callStart = rpc.declare({ object: 'luci.ntsd', method: 'start', reject: true });

return baseclass.extend({
	/* The object that answered last is asked first. */
	first: 0,

	/* Reads what zone() needs; who may not, gets UTC. */
	loadZone: function() {
		return L.resolveDefault(uci.load('system'), null);
	},

	/* The zone that the router's times are shown in; undefined, the browser's own, where
	 * the browser does not know it. */
	zone: function() {
		var zone = (uci.get('system', '@system[0]', 'zonename') || 'UTC').replace(/ /g, '_');
		try {
			new Intl.DateTimeFormat(undefined, { timeZone: zone });
			return zone;
		}
		catch (e) {
			return undefined;
		}
	},

	/* Asks the daemon: an object, or a rejection with the reason. An answer with
	 * "error" is a rejection too: the daemon has refused. denied: we may not ask. */
	ask: function(method) {
		var self = this, at = self.first, args = Array.prototype.slice.call(arguments, 1);
		function attempt(i) {
			var call = calls[method][i];
			return call.apply(null, args).then(function(answer) {
				if (!L.isObject(answer))
					throw new Error(_('No answer'));
				/* Without a daemon the plugin answers; the daemon's own object, once
				 * it is there, costs the router less. */
				self.first = answer.code == 'not_running' ? 0 : i;
				if (answer.error) {
					var e = new Error(answer.error);
					e.refused = true;
					e.code = answer.code;
					throw e;
				}
				/* What a page needs to say it in its language, if there is anything. */
				return L.toArray((answer.daemon || {}).config_warnings).length
					? L.require('ntsd.messages').then(function() { return answer; }) : answer;
			});
		}
		return attempt(at).catch(function(e) {
			if (e.refused)
				throw e;
			return attempt(1 - at);
		}).catch(function(e) {
			/* uhttpd's code for what no access list grants. */
			e.denied = /-32002/.test(e.message);
			throw e;
		});
	},

	/* Starts the daemon that does not run. */
	start: function() {
		return callStart().then(function(answer) {
			if (answer.error)
				throw new Error(answer.error);
		});
	}
});
