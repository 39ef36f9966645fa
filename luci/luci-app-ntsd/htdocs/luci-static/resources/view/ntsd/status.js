'use strict';
'require view';
'require ntsd.tools as tools';

return view.extend({
	load: function() {
		return tools.ask('status');
	},

	render: function(report) {
		return E('div', { 'class': 'cbi-map' }, [
			E('h2', [ _('Time') ]),
			E('p', [ report.tracking.synchronised ? _('Synchronised') : _('Not synchronised') ])
		]);
	},

	handleSaveApply: null,
	handleSave: null,
	handleReset: null
});
