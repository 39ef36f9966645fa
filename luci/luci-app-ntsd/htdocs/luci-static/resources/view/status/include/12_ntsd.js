'use strict';
'require baseclass';
'require ntsd.format as format';
'require ntsd.style as style';
'require ntsd.tools as tools';
'require ntsd.verdict as verdict';

/* The time on LuCI's first page: is it right, by how much, from whom, for whom. */

return baseclass.extend({
	title: _('Time'),

	load: function() {
		return tools.ask('status').then(function(report) {
			return L.resolveDefault(tools.ask('clients', 0), {}).then(function(c) {
				return { report: report, clients: L.toArray(c.clients).length };
			});
		}).catch(function(e) { return { report: null, denied: e.denied }; });
	},

	render: function(data) {
		var r = data.report, v = verdict.of(r, data.denied), rows = [ [ _('State'), E('span', { 'class': 'ntsd-mini ntsd-' + v.level }, [
			E('span', { 'class': 'ntsd-sign', 'role': 'img', 'aria-label': verdict.word(v.level) }, [ verdict.sign(v.level) ]),
			E('span', [ v.text, ' ', E('a', { 'href': L.url('admin/status/ntsd') }, [ _('Details') ]) ])
		]) ] ];
		if (r) {
			var used = r.sources.filter(function(s) { return s.mark == '*' || s.mark == '+'; });
			var inUse = _('%d of %d in use').format(used.length, r.sources.length);
			rows.push(
				[ _('Offset'), r.tracking.synchronised ? format.signed(r.tracking.last_offset_s) : '–' ],
				[ _('Servers'), used.length ? _('%s: %s').format(inUse, format.names(used.map(function(s) { return s.name; }))) : inUse ],
				[ _('Clients'), format.number(data.clients) ]);
		}
		return E('div', [ style.node(), E('table', { 'class': 'table' }, rows.map(function(row) {
			return E('tr', { 'class': 'tr' }, [ E('td', { 'class': 'td left', 'width': '33%' }, [ row[0] ]), E('td', { 'class': 'td left' }, [ row[1] ]) ]);
		})) ]);
	}
});
