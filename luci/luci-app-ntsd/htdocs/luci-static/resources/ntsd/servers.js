'use strict';
'require baseclass';

/*
 * Public time servers with NTS, by operator. Each entry says where it was read and
 * when; who runs a server may withdraw it at any time, so the page offers a test.
 * Where an operator has a page of its own about the service, that is its source;
 * else the list that the users of NTS keep together.
 *
 * region: where it is near; "world" is anycast.
 */

var list = 'https://github.com/jauderho/nts-servers', seen = '2026-07-22';

var operators = [
	{ name: 'Cloudflare', region: 'world', country: _('Anycast, worldwide'), source: 'https://developers.cloudflare.com/time-services/nts/', date: '2026-11-22',
	  hosts: [ 'time.cloudflare.com' ] },
	{ name: 'Netnod', region: 'europe', country: _('Sweden'), source: 'https://www.netnod.se/nts/network-time-security', date: '2026-11-22',
	  hosts: [ 'nts.netnod.se', 'gbg1.nts.netnod.se', 'gbg2.nts.netnod.se', 'lul1.nts.netnod.se', 'lul2.nts.netnod.se', 'mmo1.nts.netnod.se', 'mmo2.nts.netnod.se', 'sth1.nts.netnod.se', 'sth2.nts.netnod.se', 'svl1.nts.netnod.se', 'svl2.nts.netnod.se' ] },
	{ name: 'TimeNL (SIDN Labs)', region: 'europe', country: _('Netherlands'), source: 'https://time.nl/index_en.html', date: '2026-11-22',
	  hosts: [ 'ntppool1.time.nl', 'ntppool2.time.nl' ] },
	{ name: 'PTB', region: 'europe', country: _('Germany'), source: list, date: seen,
	  hosts: [ 'ptbtime1.ptb.de', 'ptbtime2.ptb.de', 'ptbtime3.ptb.de', 'ptbtime4.ptb.de' ] },
	{ name: 'FAU Erlangen-Nürnberg', region: 'europe', country: _('Germany'), source: list, date: seen,
	  hosts: [ 'ntp3.fau.de' ] },
	{ name: 'University of Cambridge', region: 'europe', country: _('United Kingdom'), source: list, date: seen,
	  hosts: [ 'ntp0.cam.ac.uk', 'ntp1.cam.ac.uk', 'ntp2.cam.ac.uk', 'ntp3.cam.ac.uk' ] },
	{ name: 'Nothing to hide', region: 'europe', country: _('Netherlands'), source: list, date: seen,
	  hosts: [ '1.nts.nothingtohide.nl', '2.nts.nothingtohide.nl', '3.nts.nothingtohide.nl', '4.nts.nothingtohide.nl' ] },
	{ name: 'UNIZG FER REMLAB', region: 'europe', country: _('Croatia'), source: list, date: seen,
	  hosts: [ 'nts1.ntp.hr', 'nts2.ntp.hr' ] },
	{ name: 'Team Belgium', region: 'europe', country: _('Belgium'), source: list, date: seen,
	  hosts: [ 'nts.teambelgium.net' ] },
	{ name: 'Trifence', region: 'europe', country: _('Switzerland'), source: list, date: seen,
	  hosts: [ 'ntp.trifence.ch' ] },
	{ name: 'System76', region: 'europe', country: _('France'), source: list, date: seen,
	  hosts: [ 'paris.time.system76.com' ] },
	{ name: 'System76', region: 'america', country: _('United States'), source: list, date: seen,
	  hosts: [ 'ohio.time.system76.com', 'oregon.time.system76.com', 'virginia.time.system76.com' ] },
	{ name: 'Wikstrom Telephone Company', region: 'america', country: _('United States'), source: list, date: seen,
	  hosts: [ 'ntp1.wiktel.com', 'ntp2.wiktel.com' ] },
	{ name: 'Manitoba Internet Exchange', region: 'america', country: _('Canada'), source: list, date: seen,
	  hosts: [ 'time1.mbix.ca', 'time2.mbix.ca', 'time3.mbix.ca' ] },
	{ name: 'NTP.br (NIC.br)', region: 'america', country: _('Brazil'), source: 'https://ntp.br/faq', date: '2026-11-22',
	  hosts: [ 'a.st1.ntp.br', 'b.st1.ntp.br', 'c.st1.ntp.br', 'd.st1.ntp.br', 'gps.ntp.br' ] },
	{ name: 'System76', region: 'america', country: _('Brazil'), source: list, date: seen,
	  hosts: [ 'brazil.time.system76.com' ] },
	{ name: 'Northeastern University', region: 'asia', country: _('China'), source: list, date: seen,
	  hosts: [ 'ntp.neu.edu.cn', 'ntp1.neu.edu.cn' ] },
	{ name: 'dcs1.biz', region: 'asia', country: _('Singapore'), source: list, date: seen,
	  hosts: [ 'ntpmon.dcs1.biz' ] }
];

return baseclass.extend({
	regions: function() {
		return [ [ 'world', _('Worldwide') ], [ 'europe', _('Europe') ], [ 'america', _('America') ], [ 'asia', _('Asia') ] ];
	},

	operators: function() { return operators; }
});
