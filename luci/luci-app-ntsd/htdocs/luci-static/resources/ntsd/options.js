'use strict';
'require baseclass';
'require ntsd.validate as validate';

/*
 * Every option of /etc/config/ntsd in plain words: its kind (what it may be), its
 * default, title and explanation. The daemon's own list is "ntsctl options
 * --json"; a test compares the two, so that none is missing here.
 */

var v = validate;

function option(name, kind, standard, title, descr, more) {
	return Object.assign({ name: name, kind: kind, standard: standard, title: title, descr: descr }, more);
}

var list = { list: true };

/* What server, pool, peer and dhcp_ntp_server have in common, tab by tab. */
function source(type) {
	var own = type != 'dhcp_ntp_server', nts = { needs: 'nts' };
	return [
		own ? option('hostname', v.host(), null, _('Host name'), _('Name or address. A port may follow, as in time.example:4460: that of the key establishment, or without NTS that of NTP.'), { tab: 'general' }) : null,
		option('disabled', v.boolean(), '0', _('Use'), _('Switched off, the settings stay but nothing is asked.'), { tab: 'general', inverted: true }),
		option('nts', v.boolean(), '0', _('Authenticate (NTS)'), _('The server proves with a certificate who it is, and every reply that it is from there. Without keys such a server gives no time: it never falls back to plain NTP.'), { tab: 'general' }),
		option('iburst', v.boolean(), '0', _('Start quickly'), _('Begin with up to eight requests two seconds apart: the clock is set within seconds.'), { tab: 'general' }),
		type == 'pool' ? option('maxsources', v.integer(1, 16), '4', _('Servers at once'), _('How many addresses of the name are used at the same time.'), { tab: 'general' }) : null,
		own ? option('operator', v.word(), null, _('Operator', 'time'), _('Who runs it, in one word, to tell independent servers from those in one hand. By default the registrable domain of the name.'), { tab: 'general' }) : null,

		option('ntsport', v.port(), '4460', _('Port of key establishment'), _('TCP.'), Object.assign({ tab: 'auth' }, nts)),
		option('port', v.port(), '123', _('Port of NTP'), _('UDP, where the key establishment names no other.'), { tab: 'auth' }),
		option('trustedcerts', v.path(), null, _('Trusted certificates'), _('Files or folders with further certificate authorities (PEM), for this source only.'), Object.assign({ tab: 'auth' }, list, nts)),
		option('aead', v.aead(), '30 15 17 16', _('Algorithms offered'), _('Best first. 30 makes the shortest packets, 15 is what every server has.'), Object.assign({ tab: 'auth', choices: 'aead' }, list, nts)),
		option('noval', v.boolean(), '0', _('Do not check the name'), _('Dangerous: whoever answers is believed, so this source never counts as authenticated. For a server of your own trust its authority instead.'), Object.assign({ tab: 'auth' }, nts)),
		option('key', v.integer(1, 4294967295), null, _('Symmetric key'), _('Number of a key below More sources.'), { tab: 'auth' }),

		option('minpoll', v.integer(-7, 24), '6', _('Shortest interval'), _('Between requests, as a power of two of seconds: 6 is 64 s.'), { tab: 'poll' }),
		option('maxpoll', v.integer(-7, 24), '10', _('Longest interval'), _('Likewise: 10 is 1024 s, about 17 minutes.'), { tab: 'poll' }),
		option('xleave', v.boolean(), '0', _('Interleaved mode'), _('Replies tell when the one before really left the server. Worth most on a LAN; costs some privacy.'), { tab: 'poll' }),
		option('family', v.choice([ 'any', 'ipv4', 'ipv6' ]), 'any', _('Addresses'), _('Which addresses of the name to use.'), { tab: 'poll' }),
		option('interface', v.iface(), null, _('Send through'), _('Network interface for the requests for time; none are sent while it is not there. Keys are established wherever the routes lead.'), { tab: 'poll', choices: 'network' }),
		option('offline', v.boolean(), '0', _('Wait for a command'), _('Do not ask until "ntsctl online".'), { tab: 'poll' }),

		option('maxdelay', v.time(), '3', _('Longest round trip'), _('Seconds, or with a unit as in 50ms. Replies that took longer are ignored.'), { tab: 'sample' }),
		option('mindelay', v.time(), null, _('Known round trip'), _('Where the path is known to be constant; by default the least one seen.'), { tab: 'sample' }),
		option('offset', v.offset(), null, _('Correction'), _('Seconds, added to what it says; may be negative.'), { tab: 'sample' }),
		option('maxdelayratio', v.ratio(1e6), null, _('Longest against the least'), _('Longest round trip, as a multiple of the least one seen.'), { tab: 'sample' }),
		option('maxdelaydevratio', v.ratio(1e6), null, _('Excess against the spread'), _('Largest excess of the round trip, as a multiple of the spread of the offsets.'), { tab: 'sample' }),
		option('minsamples', v.integer(0, 64), null, _('Fewest samples'), _('With which an estimate begins anew.'), { tab: 'sample' }),
		option('maxsamples', v.integer(0, 64), null, _('Most samples'), _('1 also means not to wait for a second one before the clock is set.'), { tab: 'sample' }),
		option('filter', v.integer(0, 64), null, _('Polls per sample'), _('Number of polls whose samples make one: that in the middle.'), { tab: 'sample' }),

		option('prefer', v.boolean(), '0', _('Prefer'), _('Select it before others that are as good.'), { tab: 'select' }),
		option('trust', v.boolean(), '0', _('Trust'), _('If a trusted source can be used, only trusted ones have a vote on who is right.'), { tab: 'select' }),
		option('require', v.boolean(), '0', _('Require'), _('The clock is not touched unless this source, or another required one, agrees.'), { tab: 'select' }),
		option('maxunreach', v.integer(0, 2147483647), '100000', _('Use while silent'), _('Number of polls for which it is used while it does not answer, and no other does.'), { tab: 'select' }),
		option('noselect', v.boolean(), '0', _('Measure only'), _('Never used to set the clock.'), { tab: 'select' })
	].filter(function(o) { return o != null; });
}

var sections = {
	ntsd: [
		option('enabled', v.boolean(), '1', _('Keep the clock'), _('Start the daemon at all.')),
		option('log_level', v.choice([ 'debug', 'info', 'warn', 'error' ]), 'info', _('Log level'), _('Least important lines that are logged.')),
		option('state_dir', v.path(), '/etc/ntsd/state', _('State folder'), _('On flash, for what must survive a reboot. A change counts from the next start.')),
		option('run_dir', v.path(), '/var/run/ntsd', _('Run-time folder'), _('In memory, for what must survive a restart of the daemon. A change counts from the next start.')),
		option('user', v.user(), null, _('User'), _('Run as this user. By default the one that the init script chooses.')),
		option('clock', v.choice([ 'kernel', 'none' ]), 'kernel', _('Clock to steer'), _('none: measure only, and leave the clock alone. A change counts from the next start.')),
		option('rtcsync', v.boolean(), '1', _('Set the clock chip'), _('Let the kernel copy its time to the real-time clock, where there is one.')),
		option('use_system_servers', v.boolean(), '0', _('Servers of System > System'), _('Also take the servers of the page System, and those of DHCP where it says so. They are asked without authentication.'))
	],

	server: source('server'),
	pool: source('pool'),
	peer: source('peer'),
	dhcp_ntp_server: source('dhcp_ntp_server'),

	makestep: [
		option('threshold', v.time(), '1', _('Step above'), _('Seconds, or with a unit as in 50ms. A smaller error is corrected slowly, at most a second in twelve.')),
		option('limit', v.integer(-1, 2147483647), '3', _('Only in the first updates'), _('How many updates after the start may step; 0: none, -1: all.'))
	],

	nts: [
		option('rtccheck', v.boolean(), '0', _('Start without a trusted clock'), _('Certificates have dates, and a router without a clock chip has no time after a power cut. The first time is found step by step, without believing a certificate whatever its dates.')),
		option('systemcerts', v.boolean(), '1', _('Trust the system\'s authorities'), _('The certificate authorities of the package ca-bundle or ca-certificates.')),
		option('trustedcerts', v.path(), null, _('Further authorities'), _('Files or folders with certificates (PEM), for all servers.'), list)
	],

	bootstrap: [
		option('mode', v.choice([ 'ladder', 'strict', 'nocerttimecheck' ]), 'ladder', _('Dates of certificates'), _('Before the clock is first set: ladder (on trial, then again in full), strict (by the clock as it is), or nocerttimecheck (not at all: the last resort, whoever has the key of an old certificate can set the clock). By default ladder, or strict where the start without a trusted clock is switched off.')),
		option('agree', v.agreement(), 'majority', _('Operators that must agree'), _('Before the first step: majority, or a number.')),
		option('deadline', v.time(), '300', _('Say what is missing after'), _('Seconds. It never forces a step.'))
	],

	selection: [
		option('minsources', v.integer(1, 64), '1', _('Least number of servers'), _('That must be selectable before the clock is touched.')),
		option('authselectmode', v.choice([ 'require', 'prefer', 'mix', 'ignore' ]), 'mix', _('Servers without authentication'), _('require: never used. prefer: used only where no authenticated one is configured. mix: may improve the time, not outvote it. ignore: no difference is made.')),
		option('maxdistance', v.time(), '3', _('Largest error bound'), _('Of a server that is used. A clock whose own bound has grown larger is called unsynchronised.')),
		option('combinelimit', v.ratio(1000), '3', _('Combine up to'), _('A server is combined with the selected one if its distance is less than this multiple.')),
		option('reselectdist', v.time(), '0.0001', _('Against flapping'), _('Time added to the distance of servers that are not selected.')),
		option('stratumweight', v.time(), '0.001', _('Weight of a stratum'), _('Time added to the distance per stratum.'))
	],

	allow: [
		option('interface', v.iface(), null, _('Interfaces'), _('Logical networks such as lan: their subnets, followed as they change. wan means everyone.'), Object.assign({ choices: 'network' }, list)),
		option('subnet', v.subnet(), null, _('Subnets'), _('Addresses, or prefixes as in 192.168.1.0/24.'), list)
	],

	deny: [
		option('interface', v.iface(), null, _('Interfaces'), _('Logical networks such as guest: their subnets, followed as they change.'), Object.assign({ choices: 'network' }, list)),
		option('subnet', v.subnet(), null, _('Subnets'), _('Addresses, or prefixes as in 192.168.1.0/24.'), list)
	],

	serve: [
		option('enabled', v.boolean(), '1', _('Serve time to my network'), _('Devices may ask this router for the time. Until its clock is right the router says so.')),
		option('interface', v.iface(), null, _('Answer on'), _('Only on these interfaces; by default all.'), Object.assign({ choices: 'network', every: true }, list)),
		option('port', v.port(), '123', _('Ports'), _('UDP.'), list),
		option('interleaved', v.boolean(), '1', _('Interleaved mode'), _('Offer it: clients on the LAN measure better.')),
		option('ratelimit', v.rateLimit(), '0', _('Rate limit'), _('Of replies to one address: 1, or as in "interval 3 burst 8 leak 2".')),
		option('clients', v.boolean(), '1', _('Table of clients'), _('Rate limits and interleaved mode need it.')),
		option('max_clients', v.integer(16, 1048576), '4096', _('Length of the table'), _('Clients that are remembered.')),
		option('advertise', v.boolean(), '0', _('Tell devices about it'), _('Announce this router as time server by DHCP and DHCPv6.')),
		option('intercept', v.boolean(), '0', _('Catch other requests'), _('Plain requests that devices send to other time servers are answered here. Those that use NTS elsewhere are left alone.'))
	],

	local: [
		option('enabled', v.boolean(), '0', _('Serve without the Internet'), _('A house whose line is down keeps one time, though nobody vouches for it.')),
		option('stratum', v.integer(1, 15), '10', _('Stratum'), _('To claim meanwhile.')),
		option('orphan', v.boolean(), '0', _('Agree with others'), _('Servers of this stratum that are each other\'s sources agree on one of them.')),
		option('distance', v.time(), '1', _('Error bound'), _('Begin when it has grown to this.')),
		option('activate', v.time(), '0', _('Once better than'), _('Only after the error bound was once below this.')),
		option('waitsynced', v.time(), '0', _('After the last update'), _('Only this long after it.')),
		option('waitunsynced', v.timeOrAuto(), 'auto', _('After the start'), _('Only after this long without being synchronised; auto: 300 s with Agree with others, else 0.'))
	],

	nts_server: [
		option('enabled', v.boolean(), '0', _('Serve authenticated time (NTS)'), _('To those who may ask for the time.')),
		option('cert', v.path(), null, _('Certificates'), _('Files (PEM), each with its intermediates.'), list),
		option('key', v.path(), null, _('Private keys'), _('Their files, in the same order. Files that everybody can read are refused.'), list),
		option('port', v.port(), '4460', _('Ports'), _('TCP.'), list),
		option('interface', v.iface(), null, _('Listen on'), _('Only on these interfaces; by default all.'), Object.assign({ choices: 'network', every: true }, list)),
		option('ntp_server', v.plainHost(), null, _('NTP server'), _('Named to clients; by default this one.')),
		option('ntp_port', v.port(), null, _('NTP port'), _('UDP, named to clients.')),
		option('rotate', v.time(60), '1d', _('Life of a cookie key'), _('A new one is made after this time.')),
		option('keep', v.integer(1, 100), '10', _('Old cookie keys'), _('That are still accepted.')),
		option('keys_file', v.path(), null, _('Shared cookie keys'), _('File that a fleet of servers shares; by default the keys are this server\'s own.')),
		option('max_connections', v.integer(1, 10000), '100', _('Connections at once'), _('One address has a quarter of them at most.')),
		option('timeout', v.time(0.1, 3600), '2', _('Time for a connection'), _('Seconds.')),
		option('ratelimit', v.rateLimit(), '0', _('Rate limit'), _('Of connections from one address: 1, or as in "interval 6 burst 8 leak 2".')),
		option('selfsigned', v.boolean(), '0', _('With a certificate of its own'), _('The router makes and keeps a certificate authority for the LAN. Clients have to trust it: "ntsctl ca export" prints it.'))
	],

	systemclock: [
		option('precision', v.time(0, 1), null, _('Precision'), _('Of the clock; by default measured.')),
		option('leapsecmode', v.choice([ 'system', 'step', 'slew', 'ignore' ]), 'system', _('Leap seconds'), _('Who inserts them: system (the kernel), step or slew (the daemon), ignore (nobody: corrected afterwards).')),
		option('maxslewrate', v.ppm(100000), '83333', _('Fastest slew'), _('In ppm: how much faster or slower than it should the clock may go to correct itself.')),
		option('leapfile', v.path(), null, _('List of leap seconds'), _('The file leap-seconds.list of the IERS, where no server announces them.'))
	],

	hwtimestamp: [
		option('interface', v.iface(), null, _('Stamp packets on'), _('Network cards that can do it by hardware: their devices, not a bridge or VLAN on top of them.'), list)
	],

	smoothtime: [
		option('maxppm', v.ppm(100000), '0', _('Largest drift'), _('Of the served time in ppm; 0: clients see the clock as it is.')),
		option('maxwander', v.ppm(1000), '0.01', _('Change of the drift'), _('Per second, in ppm.')),
		option('leaponly', v.boolean(), '0', _('Only at leap seconds'), _('A smear: 400 and 0.001024 spread one over 62500 s.'))
	],

	logging: [
		option('logchange', v.time(), '0.5', _('Log corrections above'), _('Seconds.'))
	],

	statistics: [
		option('dir', v.path(), null, _('Folder'), _('For files of measurements; by default none are written.')),
		option('log', v.choice([ 'loopstats', 'peerstats', 'clockstats', 'rawstats', 'measurements', 'tracking', 'statistics' ]), null, _('Files'), _('Which are written.'), list),
		option('keep', v.integer(0, 36500), '7', _('Keep for days'), _('0: for ever.')),
		option('max_size', v.byteSize(), '4M', _('Size of all files'), _('Bytes, or with a unit k, M or G; 0: any. The oldest day makes room.'))
	],

	monitor: [
		option('chrony_socket', v.path(), '/var/run/ntsd/chronyd.sock', _('Socket for chronyc'), _('Its path.')),
		option('chrony_port', v.integer(0, 65535), '0', _('Port for chronyc'), _('UDP, on the loopback interface only; 0: none, 323 is usual.')),
		option('ntpq', v.boolean(), '0', _('Answer ntpq'), _('Read only, on the loopback interface only.')),
		option('metrics', v.path(), null, _('File of metrics'), _('For a collector.'))
	],

	key: [
		option('id', v.integer(1, 4294967295), null, _('Number'), _('By which servers name it.')),
		option('type', v.choice([ 'MD5', 'SHA1', 'SHA256', 'SHA384', 'SHA512', 'AES128', 'AES256' ]), 'AES128', _('Algorithm'), _('Both ends must have the same.')),
		option('secret_file', v.path(), null, _('File with the key'), _('Readable for the daemon only (mode 0600).')),
		option('secret', v.text(), null, _('The key itself'), _('Ends up in every backup of the configuration: a file is better.'), { password: true, instead: 'secret_file' })
	],

	keyfile: [
		option('file', v.path(), null, _('File'), _('Readable for the daemon only (mode 0600).')),
		option('format', v.choice([ 'chrony', 'ntp' ]), 'chrony', _('Format'), _('Whose file it is: they write secrets differently.')),
		option('trusted', v.integer(1, 4294967295), null, _('Keys to use'), _('Their numbers; by default all of them.'), list)
	],

	refclock: [
		option('driver', v.choice([ 'SHM', 'SOCK', 'PPS', 'PHC' ]), null, _('Driver'), _('Shared memory, socket, pulses, or the clock of a network card.')),
		option('parameter', v.path(), null, _('Device'), _('Path of the device or socket, or number of the segment, with the driver\'s own options.')),
		option('refid', v.refid(), null, _('Name in reports'), _('1 to 4 characters.')),
		option('poll', v.integer(-6, 24), '4', _('Sample every'), _('Power of two of seconds.')),
		option('dpoll', v.integer(-6, 24), '0', _('Read every'), _('Power of two of seconds.')),
		option('offset', v.offset(), '0', _('Correction'), _('Seconds, added to what it says; may be negative.')),
		option('delay', v.time(0, 10), '0.000000001', _('Spread of its delay'), _('Seconds.')),
		option('precision', v.time(0, 10), null, _('Precision'), _('Seconds; by default that of the clock.')),
		option('maxdispersion', v.time(0, 10), null, _('Largest dispersion'), _('Seconds: samples with more are ignored.')),
		option('width', v.time(0, 10), null, _('Width of the pulse'), _('Seconds, to find the right edge.')),
		option('rate', v.integer(1, 1000), '1', _('Pulses per second'), ''),
		option('pps', v.boolean(), '0', _('Only pulses'), _('Its readings say when a second begins, not which one.')),
		option('lock', v.word(), null, _('Numbered by'), _('Name of the clock that says which second a pulse begins.')),
		option('maxlockage', v.integer(0, 1000), null, _('For so many pulses'), ''),
		option('filter', v.integer(0, 64), null, _('Readings per sample'), ''),
		option('minsamples', v.integer(0, 64), null, _('Fewest samples'), ''),
		option('maxsamples', v.integer(0, 64), null, _('Most samples'), ''),
		option('maxunreach', v.integer(0, 2147483647), '100000', _('Use while silent'), _('Number of polls for which it is used while it does not answer, and no other does.')),
		option('stratum', v.integer(0, 15), null, _('Stratum'), ''),
		option('tai', v.boolean(), '0', _('It keeps TAI'), _('Not UTC.')),
		option('local', v.boolean(), '0', _('It runs freely'), _('It does not tell true time, so it is measured only.')),
		option('prefer', v.boolean(), '0', _('Prefer'), _('Select it before others that are as good.')),
		option('trust', v.boolean(), '0', _('Trust'), _('If a trusted source can be used, only trusted ones have a vote on who is right.')),
		option('require', v.boolean(), '0', _('Require'), _('The clock is not touched unless this source, or another required one, agrees.')),
		option('noselect', v.boolean(), '0', _('Measure only'), _('Never used to set the clock.'))
	]
};

return baseclass.extend({
	/* The types of sections, as the file has them. */
	types: function() { return Object.keys(sections); },

	/* The options of a type. */
	of: function(type) { return sections[type]; },

	find: function(type, name) {
		return sections[type].filter(function(o) { return o.name == name; })[0];
	}
});
