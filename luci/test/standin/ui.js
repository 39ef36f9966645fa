'use strict';
'require baseclass';
'require dom';
'require rpc';
'require uci';

/* Windows, notices, indicators and tabs. Widgets for forms: ui/widgets below. */

var overlay = document.body.appendChild(E('div', { 'id': 'modal_overlay', 'tabindex': -1 }, [
	E('div', { 'class': 'modal', 'role': 'dialog', 'aria-modal': true })
]));

overlay.addEventListener('keydown', function(ev) {
	var btn = overlay.querySelector('.right > button, .right > .btn, .button-row > .btn');
	if (ev.key == 'Escape' && btn)
		btn.click();
});

var tabs = {
	init: function() {
		var self = this;
		document.querySelectorAll('[data-tab]').forEach(function(pane) {
			if (!pane.matches('li'))
				self.initTabGroup(pane.parentNode.querySelectorAll(':scope > [data-tab]'));
		});
	},

	initTabGroup: function(panes) {
		if (!panes || !panes.length || panes[0].parentNode.getAttribute('data-initialized') == 'true')
			return;
		var self = this, group = panes[0].parentNode, menu = E('ul', { 'class': 'cbi-tabmenu' }), list = Array.prototype.slice.call(panes);
		var chosen = Math.max(0, list.findIndex(function(p) { return p.getAttribute('data-tab-active') == 'true'; }));
		list.forEach(function(pane, i) {
			menu.appendChild(E('li', { 'class': i == chosen ? 'cbi-tab' : 'cbi-tab-disabled', 'data-tab': pane.getAttribute('data-tab') }, [
				E('a', { 'href': '#', 'click': function(ev) { ev.preventDefault(); self.show(menu, list, i); } }, [ pane.getAttribute('data-tab-title') ])
			]));
		});
		group.parentNode.insertBefore(menu, group);
		group.setAttribute('data-initialized', true);
		self.show(menu, list, chosen);
	},

	show: function(menu, panes, at) {
		panes.forEach(function(pane, i) {
			pane.setAttribute('data-tab-active', i == at);
			menu.children[i].className = i == at ? 'cbi-tab' : 'cbi-tab-disabled';
		});
		panes[at].dispatchEvent(new CustomEvent('cbi-tab-active', { detail: { tab: panes[at].getAttribute('data-tab') } }));
	}
};

var changes = {
	init: function() {
		return uci.changes().then(function(all) {
			var n = 0;
			Object.keys(all).forEach(function(conf) { n += all[conf].length; });
			changes.setIndicator(n);
		});
	},

	setIndicator: function(n) {
		if (n > 0)
			classUI.prototype.showIndicator('uci-changes', _('Unsaved Changes') + ': ' + n);
		else
			classUI.prototype.hideIndicator('uci-changes');
	},

	apply: function() {
		return uci.apply().then(function() {
			changes.setIndicator(0);
			document.dispatchEvent(new CustomEvent('uci-applied'));
		});
	}
};

var classUI = baseclass.extend({
	showModal: function(title, children) {
		var dlg = overlay.firstElementChild;
		dlg.className = 'modal';
		DOMTokenList.prototype.add.apply(dlg.classList, Array.prototype.slice.call(arguments, 2));
		dom.content(dlg, E('h4', {}, title));
		dom.append(dlg, children);
		document.body.classList.add('modal-overlay-active');
		overlay.focus();
		return dlg;
	},

	hideModal: function() { document.body.classList.remove('modal-overlay-active'); },

	addNotification: function(title, children) {
		var msg = E('div', { 'class': 'alert-message fade-in' }, [
			E('div', {}, title != null ? [ E('h4', {}, title) ] : []),
			E('button', { 'class': 'btn', 'click': function() { msg.remove(); } }, [ _('Dismiss') ])
		]);
		dom.append(msg.firstElementChild, children);
		DOMTokenList.prototype.add.apply(msg.classList, Array.prototype.slice.call(arguments, 2));
		var main = document.querySelector('#maincontent') || document.body;
		main.insertBefore(msg, main.firstElementChild);
		return msg;
	},

	showIndicator: function(id, label, handler, style) {
		var bar = document.querySelector('#indicators');
		if (!bar)
			return false;
		var e = bar.querySelector('[data-indicator="' + id + '"]') || bar.appendChild(E('span', { 'data-indicator': id, 'click': handler || null }));
		e.textContent = label;
		e.setAttribute('data-style', style == 'inactive' ? 'inactive' : 'active');
		return true;
	},

	hideIndicator: function(id) {
		var e = document.querySelector('#indicators [data-indicator="' + id + '"]');
		if (e)
			e.remove();
		return e != null;
	},

	itemlist: function(node, items, separators) {
		var children = [];
		for (var i = 0; i < items.length; i += 2)
			if (items[i + 1] != null)
				children.push(E('span', { 'class': 'nowrap' }, [ items[i] ? E('strong', [ items[i] + ': ' ]) : '', items[i + 1] ]), E('br'));
		return dom.content(node, children.slice(0, -1)), node;
	},

	createHandlerFn: function(ctx, fn) {
		var extra = Array.prototype.slice.call(arguments, 2);
		if (typeof(fn) == 'string')
			fn = ctx[fn];
		if (typeof(fn) != 'function')
			return null;
		return function(ev) {
			var t = ev.currentTarget;
			t.classList.add('spinning');
			t.disabled = true;
			t.blur();
			Promise.resolve(fn.apply(ctx, extra.concat([ ev ]))).finally(function() {
				t.classList.remove('spinning');
				t.disabled = false;
			});
		};
	},

	instantiateView: function(path) {
		return L.require('view.' + path.replace(/\//g, '.')).catch(function(e) {
			dom.content(document.querySelector('#view'), null);
			L.error(e);
		});
	},

	tabs: tabs,

	changes: changes
});

document.addEventListener('luci-loaded', function() { tabs.init(); });

return classUI;
