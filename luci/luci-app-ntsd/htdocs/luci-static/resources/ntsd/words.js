'use strict';
'require baseclass';
'require ntsd.format as format';

/*
 * What the daemon says, in the language of the page. The daemon speaks English,
 * and each sentence is its own key, as with gettext: what it was made of is found
 * again by the text round the placeholders. What is not known here is shown as it
 * came. A test (internal/po) compares the lists with what the daemon's sources say.
 */

/* How many sentences are remembered. */
var MEMORY = 500;

var exact = new Set(), patterns = [], memory = new Map();

/* A sentence with placeholders: what it looks like, and its text. */
function pattern(text) {
	var pieces = text.split(/%[ds]/), parts = pieces.map(function(p) { return p.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'); });
	return { text: text, head: pieces[0], weight: pieces.join('').length, shape: new RegExp('^' + parts.join('(.*?)') + '$') };
}

/* Takes up sentences, in English. */
function learn(list) {
	list.forEach(function(text) {
		if (!/%[ds]/.test(text))
			exact.add(text);
		else
			patterns.push(pattern(text));
	});
	/* What says most about itself comes first. */
	patterns.sort(function(a, b) { return b.weight - a.weight; });
	memory.clear();
}

/* Other languages have another order: "%2$s ... %1$s". */
function fill(text, args) {
	var next = 0;
	return text.replace(/%(?:(\d)\$)?[ds]/g, function(all, n) { return args[n ? n - 1 : next++]; });
}

/* One of the things that a sentence was made of: a time in UTC, a sentence, a name. */
function part(text, zone) {
	var m = /^(\d{4}-\d\d-\d\d)(?: (\d\d:\d\d(?::\d\d)?)(?: UTC)?)?$/.exec(text);
	if (!m)
		return say(text, zone);
	return m[2] ? format.date(m[1] + 'T' + m[2] + 'Z', zone) : format.day(m[1] + 'T12:00Z', 'UTC');
}

function find(text, zone) {
	if (exact.has(text))
		return _(text);
	for (var i = 0; i < patterns.length; i++) {
		var p = patterns[i], m = text.indexOf(p.head) == 0 ? p.shape.exec(text) : null;
		if (m)
			return fill(_(p.text), m.slice(1).map(function(s) { return part(s, zone); }));
	}
	return null;
}

/* A cause behind a colon or in brackets, where one of both is known. */
function causes(text, zone) {
	var m = /^(.*?): (.+)$/.exec(text) || /^(.+) \((.+)\)$/.exec(text);
	if (!m)
		return text;
	var a = say(m[1], zone), b = say(m[2], zone);
	if (a == m[1] && b == m[2])
		return text;
	return text.charAt(m[1].length) == ':' ? _('%s: %s').format(a, b) : _('%s (%s)').format(a, b);
}

/* zone: that of the times in it, undefined for the browser's. */
function say(text, zone) {
	if (!text)
		return '';
	var key = (zone || '') + '\n' + text;
	if (!memory.has(key)) {
		if (memory.size >= MEMORY)
			memory.clear();
		var said = find(text, zone);
		memory.set(key, said != null ? said : causes(text, zone));
	}
	return memory.get(key);
}

/* Here "_" only marks a sentence for the translators; it is translated when said. */
(function(_) {
	/* Why a source is not used. */
	learn([
		_('selected'), _('combined'), _('offline'),
		_('not to be selected'),
		_('has too few samples yet'),
		_('waits for keys from %s'),
		_('waits until operators agree on the first time'),
		_('does not answer'),
		_('is not synchronised itself'),
		_('does not agree with the trusted sources'),
		_('is too distant'),
		_('varies too much'),
		_('disagrees with the majority'),
		_('waits for other sources'),
		_('is an orphan'),
		_('agrees, but is too far off to be combined'),
		_('agrees, but another source is preferred'),
		_('name not resolved yet'),
		_('same server as %s'),
		_('no address of the wanted family'),
		_('requests longer than %s bytes get no reply')
	]);

	/* What could be better. */
	learn([
		_('%s differs by %s from the authenticated servers, which are much farther away: a line is slower one way, or somebody changes its replies, so do not prefer it, but add authenticated servers as near.'),
		_('%s differs by %s from the servers that outvote it, which are much farther away, as where a line is slower one way: give it option prefer if you know that it is right, or add servers as near.')
	]);

	/* What became of a reply, or of a request without one. */
	learn([
		_('accepted'), _('outlier'), _('no reply'),
		_('reply to an older request'),
		_('reply from another address'),
		_('second reply'),
		_('malformed reply'),
		_('unknown NTP version'),
		_('not a server\'s reply'),
		_('origin timestamp does not match'),
		_('only a request without NTS got a reply'),
		_('reply without NTS'),
		_('NTS identifier does not match'),
		_('NTS authentication failed'),
		_('NTS NAK'),
		_('reply without MAC'),
		_('MAC does not verify'),
		_('crypto-NAK'),
		_('kiss-o\'-death'),
		_('kiss-o\'-death RATE'),
		_('kiss-o\'-death: access denied'),
		_('timestamp missing'),
		_('server not synchronised'),
		_('root distance too large'),
		_('reference time after transmit time'),
		_('no local timestamp'),
		_('transmit time before receive time'),
		_('negative delay'),
		_('delay too large'),
		_('server synchronised to us'),
		_('delay too large against the shortest'),
		_('delay too large against the spread of offsets'),
		_('interleaved reply about a measured exchange'),
		_('collected by the filter'),
		_('time before the earliest possible'),
		_('time outside the validity of the certificates'),
		_('round trip too long for the first time')
	]);

	/* How the first time is found. */
	learn([
		_('the build'),
		_('saved when it was last trusted'),
		_('certificates of those who agree'),
		_('one operator decides alone: configure three'),
		_('0 of %s operators agree, %s needed'),
		_('%s of %s operators agree (%s), %s needed'),
		_('%s; no usable time from %s'),
		_('%s; another time from %s'),
		_('%s; %s of %s needed confirmed by certificates that are valid at that time'),
		_('no time before %s counts (%s); the clock says %s'),
		_('a cookie for %s; certificates were valid %s'),
		_('from %s to %s'),
		_('not used: %s'),
		_('asking %s; certificates are judged %s'),
		_('strictly at %s'),
		_('on trial, at a time of their own, none expired before %s'),
		_('no keys: %s'),
		_('keys; certificates are valid %s'),
		_('says %s: %s'),
		_('the clock was set to %s'),
		_('the time is trusted'),
		_('a reference clock with option trust tells the time'),
		_('given up: not confirmed within %s'),
		_('revoked: %s')
	]);

	/* Why there are no keys. */
	learn([
		_('given up'),
		_('%s refused the connection: the server may not offer NTS'),
		_('no route to %s: is the network up?'),
		_('%s did not answer: the server may not offer NTS, or TCP port %s is blocked'),
		_('cannot connect to %s: %s'),
		_('%s stopped answering during the TLS handshake'),
		_('%s closed the connection during the TLS handshake'),
		_('%s stopped answering in the middle of the key establishment'),
		_('what answers at %s is not TLS'),
		_('the server does not speak TLS 1.3, which NTS needs'),
		_('the server does not speak ntske/1: something other than NTS answers on this port'),
		_('the server does not know itself by this name'),
		_('the server shares no TLS 1.3 parameters with us'),
		_('the server sent no certificate'),
		_('the server sent %s certificates'),
		_('the certificate of %s expired on %s, and it is at least %s now'),
		_('the certificates of %s are at no time valid together'),
		_('the certificate of %s is not valid before %s, and the clock says %s: is the clock right?'),
		_('the certificate of %s expired on %s, and the clock says %s: is the clock right?'),
		_('the certificate of %s was issued by %s, which is not trusted here: add its CA with trustedcerts'),
		_('the certificate has no subjectAltName, only the subject %s, which does not count'),
		_('the certificate is for %s, not for %s'),
		_('no CA certificate found: install the package ca-bundle or name a file in trustedcerts'),
		_('read CA certificates: %s'),
		_('no CA certificate in %s'),
		_('%s is no regular file'),
		_('%s is larger than %s bytes'),
		_('%s holds more than %s files'),
		_('NTP server %s: %s'),
		_('the name has no usable address'),
		_('server answered: %s'),
		_('unrecognized critical record'),
		_('bad request'),
		_('internal server error'),
		_('error code %s'),
		_('server sent unknown warning %s'),
		_('server does not offer NTPv4'),
		_('server supports none of our AEAD algorithms'),
		_('malformed response'),
		_('no end of message within the limit'),
		_('the connection ended inside it')
	]);

	/* What the network and the system say. */
	learn([
		_('open %s: %s'),
		_('send to %s: %s'),
		_('receive from %s: %s'),
		_('no time server listens at %s'),
		_('a firewall on this device forbids sending to %s'),
		_('no such host'),
		_('no such host of that family'),
		_('no such host (unusable addresses only)'),
		_('temporary failure'),
		_('no name server reachable'),
		_('port unreachable'),
		_('network unreachable'),
		_('packets sent before have not left yet'),
		_('connection refused'),
		_('network is unreachable'),
		_('no route to host'),
		_('i/o timeout'),
		_('operation not permitted'),
		_('permission denied'),
		_('no such file or directory')
	]);

	/* Why a reference clock is not used. */
	learn([
		_('it says nothing'),
		_('its measurements are too old, or in the future'),
		_('it does not know the time'),
		_('it tells a time that cannot be'),
		_('there is no list of leap seconds, and it keeps TAI'),
		_('nothing says which second its pulses begin'),
		_('the clock that it is locked to is silent'),
		_('its pulses are too far from the clock that it is locked to'),
		_('the clock is not synchronised well enough to tell one pulse from the next'),
		_('its pulses are those of the wrong edge'),
		_('its dispersion is above maxdispersion'),
		_('reference clocks cannot be read here'),
		_('%s is not there'),
		_('%s may not be opened by the user that ntsd runs as'),
		_('%s is a device or file of another kind')
	]);
})(function(text) { return text; });

/* The rungs of the ladder. */
function rung(word) {
	return {
		floor: _('Earliest possible time'), reserve: _('Saved cookies'), keys: _('Keys'), reply: _('Reply'),
		agreement: _('Agreement'), step: _('Clock set'), trust: _('Trust')
	}[word] || word;
}

return baseclass.extend({
	learn: learn,
	say: say,
	rung: rung
});
