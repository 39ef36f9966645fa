'use strict';
'require view';
'require poll';
'require dom';

/* LuCI's first page, as far as its includes see it: load, render, and again. */

var include = [ 'view.status.include.12_ntsd' ];

return view.extend({
	load: function() { return Promise.all(include.map(function(n) { return L.require(n); })); },

	render: function(modules) {
		var boxes = modules.map(function(m) {
			return E('div', { 'class': 'cbi-section' }, [ E('div', { 'class': 'cbi-title' }, [ E('h3', [ m.title ]) ]), E('div') ]);
		});
		function round() {
			return Promise.all(modules.map(function(m, i) {
				return m.load().then(function(data) {
					var content = m.render(data);
					if (content != null)
						dom.content(boxes[i].lastElementChild, content);
				});
			}));
		}
		return round().then(function() { poll.add(round); }).then(function() { return E([], boxes); });
	},

	handleSaveApply: null,
	handleSave: null,
	handleReset: null
});
