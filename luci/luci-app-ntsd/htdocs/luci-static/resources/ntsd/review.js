'use strict';
'require baseclass';
'require rpc';
'require uci';
'require ntsd.messages as messages';
'require ntsd.options as options';

/*
 * What the daemon itself says of a configuration, before it is saved: rpcd's
 * plugin reads the text as the daemon would. Nothing here knows a rule.
 */

var callCheck = rpc.declare({ object: 'luci.ntsd', method: 'check', params: [ 'config' ], reject: true });

/* What an option is called on the page. */
function title(type, name) {
	return _('“%s”').format(options.find(type, name).title);
}

/* The daemon's advice in the page's words, which can be translated. */
function advice(a) {
	var about = L.toArray(a.about);
	switch (a.code) {
	case 'no_nts':
		return _('No server is authenticated: whoever sits on the way can set this clock. Add servers with NTS.');
	case 'few_operators':
		return about.length == 1
			? _('Only %s has a say in what time it is. With three operators one that is wrong is outvoted.').format(about[0])
			: _('Only %s and %s have a say in what time it is. With three operators one that is wrong is outvoted.').format(about[0], about[1]);
	case 'outvote':
		return _('Servers without authentication can outvote those with NTS: %s is ignore.').format(title('selection', 'authselectmode'));
	case 'plain_trust':
		return _('%s is not authenticated, but option trust lets it outvote others.').format(about[0]);
	case 'no_ca':
		return _('No certificate authority is trusted, so %s cannot be reached: switch %s on, or name one.').format(about[0], title('nts', 'systemcerts'));
	case 'rtccheck':
		return _('Certificates are judged by the clock as it is at the start: without a clock chip no server is reached after a power cut. Switch %s on.').format(title('nts', 'rtccheck'));
	case 'world':
		return _('Everyone in the Internet may ask this router for the time, where the firewall lets them: %s may.').format(about[0]);
	case 'nobody':
		return _('The NTS server answers nobody: it is not said who may ask.');
	case 'no_lan':
		return _('Nothing is announced or redirected: no network of the LAN may ask.');
	}
	return a.text;
}

/* The field that advice is about; null: none. */
function remedy(a) {
	return { outvote: { type: 'selection', option: 'authselectmode' }, no_ca: { type: 'nts', option: 'systemcerts' },
		rtccheck: { type: 'nts', option: 'rtccheck' }, world: { type: 'allow', option: 'interface' }, nobody: { type: 'allow', option: 'interface' },
		no_lan: { type: 'allow', option: 'interface' } }[a.code] || null;
}

/* A value as UCI's files have it. */
function quoted(s) {
	return '\'' + String(s).replace(/'/g, '\'\\\'\'') + '\'';
}

/* The section of a message, "server 'near'" or "@server[0]": its id, type and host. */
function place(message) {
	var m = /^@([^[]+)\[(\d+)\]$/.exec(message.section || ''), at = {};
	if (m)
		at = { type: m[1], sid: (uci.sections('ntsd', m[1])[+m[2]] || {})['.name'] };
	else if ((m = /^(\S+) '(.*)'$/.exec(message.section || '')))
		at = { type: m[1], sid: m[2] };
	at.host = at.sid ? uci.get('ntsd', at.sid, 'hostname') : null;
	return at;
}

return baseclass.extend({
	advice: advice,
	remedy: remedy,

	/* The configuration as it stands on the page, as a file. */
	text: function() {
		return uci.sections('ntsd').map(function(s) {
			var lines = [ 'config ' + s['.type'] + (s['.anonymous'] ? '' : ' ' + quoted(s['.name'])) ];
			Object.keys(s).forEach(function(name) {
				var value = name.charAt(0) == '.' ? null : uci.get('ntsd', s['.name'], name);
				if (Array.isArray(value))
					value.forEach(function(v) { lines.push('\tlist ' + name + ' ' + quoted(v)); });
				else if (value != null && value !== '')
					lines.push('\toption ' + name + ' ' + quoted(value));
			});
			return lines.join('\n') + '\n';
		}).join('\n') + '\n';
	},

	/* The verdict on text, or on what is saved on the router where it is null:
	 * ok, digest, advice, and messages with the type, sid and host of their section.
	 * null: there is nobody to ask. */
	check: function(text) {
		return callCheck(text || '').then(function(answer) {
			if (!L.isObject(answer) || !Array.isArray(answer.messages))
				return null;
			/* Now, while the sections are those of the text. */
			answer.messages.forEach(function(m) { Object.assign(m, place(m)); });
			return answer;
		}, function() { return null; });
	},

	/* A message in one line: "server nts.example, Shortest interval (minpoll): ..." */
	words: function(message) {
		var where = [], o = message.option && options.of(message.type) && options.find(message.type, message.option);
		if (message.type)
			where.push(message.host ? message.type + ' ' + message.host : message.type);
		if (message.option)
			where.push(o ? '%s (%s)'.format(o.title, o.name) : message.option);
		return (where.length ? where.join(', ') + ': ' : '') + messages.say(message.message);
	}
});
