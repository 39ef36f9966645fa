'use strict';
'require baseclass';
'require dom';
'require rpc';
'require uci';
'require ui';

/*
 * Forms as far as our views use them: a map with sections, tabs, grids whose rows
 * open windows, and fields, with LuCI's rules for what is loaded, written and
 * removed, and its names in the page. Whoever sets what a field does not know gets
 * an error when it is drawn.
 */

var callAccess = rpc.declare({ object: 'session', method: 'access', params: [ 'scope', 'object', 'function' ], expect: { access: false } });

/* What may be set on fields and sections; "ntsd..." is for the view's own use. */
var known = {
	field: 'title description map section option config deps data tab rmempty optional default placeholder password validate load write remove parse cfgvalue textvalue ' +
		'modalonly editable enabled disabled readonly inputtitle inputstyle onclick onchange keylist vallist subsection children',
	section: 'title description map config sectiontype section children tabs anonymous addremove sortable nodescriptions modaltitle addbtntitle addModalOptions renderSectionAdd parentoption'
};

function strict(kind, obj) {
	Object.keys(obj).forEach(function(k) {
		if (known[kind].split(' ').indexOf(k) < 0 && k.slice(0, 4) != 'ntsd')
			throw new ReferenceError('stand-in: a ' + kind + ' of a form has no "' + k + '"');
	});
}

function equal(a, b) {
	return JSON.stringify(a == null ? null : a) == JSON.stringify(b == null ? null : b);
}

function own(v) { return typeof(v) == 'function' ? v : function() { return v; }; }

/* --- widgets ------------------------------------------------------------ */

var Widget = baseclass.extend({
	__init__: function(field, id, value, disabled) {
		this.field = field;
		this.id = id;
		this.fault = '';
		this.disabled = disabled ? '' : null;
		this.node = E('div', { 'id': id }, this.build(value));
		dom.bindClassInstance(this.node, this);
	},

	changed: function() {
		this.triggerValidation();
		this.node.dispatchEvent(new CustomEvent('widget-change', { bubbles: true }));
	},

	listen: function(input) {
		input.addEventListener('change', L.bind(this.changed, this));
		input.addEventListener('blur', L.bind(this.triggerValidation, this));
		return input;
	},

	/* The value to be judged, and the element that turns red. */
	judged: function() { return this.getValue(); },

	input: function() { return this.node.querySelector('input, select'); },

	triggerValidation: function() {
		var value = this.judged(), verdict = true, e = this.input();
		if (value == null || value === '')
			verdict = this.field.rmempty || this.field.optional ? true : _('Expecting: %s').format(_('non-empty value'));
		else if (this.field.validate)
			verdict = this.field.validate(this.sid, value);
		this.fault = verdict === true ? '' : String(verdict);
		if (e) {
			e.classList.toggle('cbi-input-invalid', verdict !== true);
			if (verdict === true)
				e.removeAttribute('data-tooltip');
			else
				e.setAttribute('data-tooltip', this.fault);
		}
		return false;
	},

	isValid: function() { return this.fault == ''; },

	getValidationError: function() { return this.fault; }
});

var Text = Widget.extend({
	build: function(value) {
		return [ this.listen(E('input', { 'id': 'widget.' + this.id, 'type': this.field.password ? 'password' : 'text', 'class': 'cbi-input-text',
			'placeholder': this.field.placeholder, 'value': value, 'disabled': this.disabled, 'keyup': L.bind(function() { this.triggerValidation(); }, this) })) ];
	},

	getValue: function() { return this.node.firstChild.value; },

	setValue: function(v) { this.node.firstChild.value = v == null ? '' : v; }
});

var Choice = Widget.extend({
	build: function(value) {
		var f = this.field;
		return [ this.listen(E('select', { 'id': 'widget.' + this.id, 'class': 'cbi-input-select', 'disabled': this.disabled }, L.toArray(f.keylist).map(function(k, i) {
			return E('option', { 'value': k, 'selected': (value == null ? '' : value) == k ? '' : null }, [ f.vallist[i] ]);
		}))) ];
	},

	getValue: function() { return this.node.firstChild.value; },

	setValue: function(v) { this.node.firstChild.value = v == null ? '' : v; }
});

var Box = Widget.extend({
	build: function(value) {
		return [ this.listen(E('input', { 'data-widget-id': 'widget.' + this.id, 'type': 'checkbox', 'checked': value == this.field.enabled ? '' : null, 'disabled': this.disabled })) ];
	},

	isChecked: function() { return this.node.firstChild.checked; },

	getValue: function() { return this.isChecked() ? this.field.enabled : this.field.disabled; },

	setValue: function(v) { this.node.firstChild.checked = v == this.field.enabled; }
});

/* Several of a few. */
var Boxes = Widget.extend({
	build: function(value) {
		var self = this, chosen = L.toArray(value);
		return L.toArray(this.field.keylist).map(function(k, i) {
			return E('label', {}, [ self.listen(E('input', { 'type': 'checkbox', 'value': k, 'checked': chosen.indexOf(k) < 0 ? null : '', 'disabled': self.disabled })), ' ', self.field.vallist[i], ' ' ]);
		});
	},

	getValue: function() { return Array.prototype.map.call(this.node.querySelectorAll('input:checked'), function(e) { return e.value; }); },

	setValue: function(v) { this.node.querySelectorAll('input').forEach(function(e) { e.checked = L.toArray(v).indexOf(e.value) >= 0; }); },

	judged: function() { return this.getValue().join(' '); }
});

/* A list that grows by typing. */
var Items = Widget.extend({
	build: function(value) {
		var self = this, list = E('div', { 'class': 'cbi-dynlist' });
		var input = E('input', { 'id': 'widget.' + this.id, 'type': 'text', 'class': 'cbi-input-text', 'placeholder': this.field.placeholder, 'disabled': this.disabled });
		function take() {
			self.triggerValidation();
			if (!input.value || self.fault)
				return;
			self.addItem(input.value);
			input.value = '';
			self.changed();
		}
		input.addEventListener('keydown', function(ev) {
			if (ev.key == 'Enter') {
				ev.preventDefault();
				take();
			}
		});
		list.appendChild(E('div', { 'class': 'add-item control-group' }, [ input, E('div', { 'class': 'btn cbi-button cbi-button-add', 'click': take }, [ '+' ]) ]));
		this.list = list;
		L.toArray(value).forEach(L.bind(this.addItem, this));
		return [ list ];
	},

	addItem: function(v) {
		var self = this, item = E('div', { 'class': 'item', 'tabindex': 0, 'click': function() {
			item.remove();
			self.changed();
		} }, [ E('span', [ v ]), E('input', { 'type': 'hidden', 'value': v }) ]);
		this.list.insertBefore(item, this.list.lastChild);
	},

	input: function() { return this.list && this.list.querySelector('.add-item input'); },

	/* What is being typed; items were judged when they came. */
	judged: function() { return this.input().value || 'x'; },

	triggerValidation: function() {
		if (this.input().value)
			return Widget.prototype.triggerValidation.call(this);
		this.fault = '';
		this.input().classList.remove('cbi-input-invalid');
		return false;
	},

	getValue: function() { return Array.prototype.map.call(this.list.querySelectorAll('.item > input'), function(e) { return e.value; }); },

	setValue: function(v) {
		this.list.querySelectorAll('.item').forEach(function(e) { e.remove(); });
		L.toArray(v).forEach(L.bind(this.addItem, this));
	}
});

/* --- elements ----------------------------------------------------------- */

var Element = baseclass.extend({
	__init__: function(title, description) {
		this.title = title || '';
		this.description = description || '';
		this.children = [];
	},

	append: function(child) { this.children.push(child); }
});

var Map = Element.extend({
	__init__: function(config, title, description) {
		Element.prototype.__init__.call(this, title, description);
		this.config = config;
		this.data = uci;
	},

	section: function(type) {
		var s = type.instantiate([ this ].concat(Array.prototype.slice.call(arguments, 1)));
		this.append(s);
		return s;
	},

	findElement: function(name, value) {
		return this.root.querySelector(value == null ? name : '[' + name + '="' + value + '"]');
	},

	load: function() {
		var self = this;
		return Promise.all([ self.readonly == null ? callAccess('uci', self.config, 'write') : true, uci.load(self.config) ]).then(function(got) {
			if (got[0] === false)
				self.readonly = true;
			return Promise.all(self.children.map(function(s) { return s.load(); }));
		});
	},

	parse: function() { return Promise.all(this.children.map(function(s) { return s.parse(); })); },

	save: function(cb, silent) {
		this.checkDepends();
		return this.parse().then(cb).then(L.bind(uci.save, uci)).then(L.bind(this.load, this)).catch(function(e) {
			if (!silent)
				ui.showModal(_('Save error'), [
					E('p', {}, [ _('An error occurred while saving the form:') ]),
					E('p', {}, [ E('em', { 'style': 'white-space:pre-wrap' }, [ e.message ]) ]),
					E('div', { 'class': 'right' }, [ E('button', { 'class': 'cbi-button', 'click': ui.hideModal }, [ _('Dismiss') ]) ])
				]);
			throw e;
		}).then(L.bind(this.renderContents, this));
	},

	reset: function() { return this.renderContents(); },

	render: function() { return this.load().then(L.bind(this.renderContents, this)); },

	renderContents: function() {
		var self = this, root = self.root = self.root || E('div', { 'id': 'cbi-' + self.config, 'class': 'cbi-map' });
		dom.bindClassInstance(root, self);
		return Promise.all(self.children.map(function(s) { return s.render(); })).then(function(nodes) {
			dom.content(root, []);
			if (self.title)
				root.appendChild(E('h2', { 'name': 'content' }, [ self.title ]));
			if (self.description)
				root.appendChild(E('div', { 'class': 'cbi-map-descr' }, [ self.description ]));
			dom.append(root, nodes);
			self.checkDepends();
			root.querySelectorAll('.cbi-section-node-tabbed').forEach(function(g) { ui.tabs.initTabGroup(g.childNodes); });
			return root;
		});
	},

	checkDepends: function() {
		for (var n = 0; n < 10 && this.children.some(function(s) { return s.checkDepends(); }); n++);
	}
});

var Section = Element.extend({
	__init__: function(map, type, title, description) {
		Element.prototype.__init__.call(this, title, description);
		this.map = map;
		this.config = map.config;
		this.sectiontype = type;
	},

	tab: function(name, title) {
		this.tabs = this.tabs || [];
		this.tabs.push({ name: name, title: title });
	},

	option: function(type) {
		var o = type.instantiate([ this.map, this ].concat(Array.prototype.slice.call(arguments, 1)));
		this.append(o);
		return o;
	},

	taboption: function(tab) {
		if (!L.toArray(this.tabs).some(function(t) { return t.name == tab; }))
			throw new ReferenceError('Associated tab not declared');
		var o = this.option.apply(this, Array.prototype.slice.call(arguments, 1));
		o.tab = tab;
		return o;
	},

	/* Every field with every section of this kind. */
	each: function(fn) {
		var self = this, out = [];
		self.cfgsections().forEach(function(sid) { self.children.forEach(function(o) { out.push(fn(o, sid)); }); });
		return out;
	},

	load: function() {
		return Promise.all(this.each(function(o, sid) {
			return Promise.resolve(o.load(sid)).then(function(v) { o.cfgvalue(sid, v); });
		}));
	},

	parse: function() { return Promise.all(this.each(function(o, sid) { return o.parse(sid); })); },

	checkDepends: function() {
		return this.each(function(o, sid) {
			var wanted = o.checkDepends(sid);
			return wanted != o.isActive(sid) && o.setActive(sid, wanted);
		}).some(Boolean);
	},

	getUIElement: function(sid, name) {
		var o = this.children.filter(function(c) { return c.option == name; })[0];
		return o ? o.getUIElement(sid) : null;
	},

	heading: function(node) {
		strict('section', this);
		if (this.title)
			node.appendChild(E('h3', {}, [ this.title ]));
		if (this.description)
			node.appendChild(E('div', { 'class': 'cbi-section-descr' }, [ this.description ]));
		return node;
	}
});

var NamedSection = Section.extend({
	__init__: function(map, sid, type, title, description) {
		Section.prototype.__init__.call(this, map, type, title, description);
		this.section = sid;
	},

	cfgsections: function() { return [ this.section ]; },

	render: function() {
		var self = this, sid = self.section;
		return Promise.all(self.children.map(function(o) { return o.render(sid); })).then(function(nodes) {
			var node = self.heading(E('div', { 'class': 'cbi-section' }));
			var inner = node.appendChild(E('div', { 'id': 'cbi-%s-%s'.format(self.config, sid), 'class': 'cbi-section-node' + (self.tabs ? ' cbi-section-node-tabbed' : ''), 'data-section-id': sid }));
			if (!self.tabs)
				dom.append(inner, nodes);
			L.toArray(self.tabs).forEach(function(t) {
				inner.appendChild(E('div', { 'data-tab': t.name, 'data-tab-title': t.title }, nodes.filter(function(n, i) { return self.children[i].tab == t.name; })));
			});
			dom.bindClassInstance(node, self);
			return node;
		});
	}
});

var GridSection = Section.extend({
	cfgsections: function() { return uci.sections(this.config, this.sectiontype).map(function(s) { return s['.name']; }); },

	columns: function() { return this.children.filter(function(o) { return !o.modalonly; }); },

	/* Only what can be edited in the table. */
	parse: function() {
		return Promise.all(this.each(function(o, sid) { return o.editable && !o.modalonly ? o.parse(sid) : null; }));
	},

	render: function() {
		var self = this;
		return Promise.all(self.cfgsections().map(function(sid) { return self.renderRow(sid); })).then(function(rows) {
			var node = self.heading(E('div', { 'id': 'cbi-%s-%s'.format(self.config, self.sectiontype), 'class': 'cbi-section cbi-tblsection' }));
			var head = E('tr', { 'class': 'tr cbi-section-table-titles anonymous' }, self.columns().map(function(o) {
				return E('th', { 'class': 'th cbi-section-table-cell' }, [ o.title ]);
			}).concat([ E('th', { 'class': 'th cbi-section-table-cell cbi-section-actions' }) ]));
			if (!rows.length)
				rows.push(E('tr', { 'class': 'tr cbi-section-table-row placeholder' }, [ E('td', { 'class': 'td' }, [ E('em', [ _('This section contains no values yet') ]) ]) ]));
			node.appendChild(E('table', { 'class': 'table cbi-section-table' }, [ head ].concat(rows)));
			node.appendChild(self.renderSectionAdd('cbi-tblsection-create'));
			dom.bindClassInstance(node, self);
			return node;
		});
	},

	renderRow: function(sid) {
		var self = this;
		return Promise.all(self.columns().map(function(o) {
			strict('field', o);
			return o.editable ? o.render(sid, true) : E('td', { 'class': 'td cbi-value-field', 'data-title': o.title, 'data-name': o.option }, [ o.textvalue(sid) || E('em', [ _('none') ]) ]);
		})).then(function(cells) {
			var row = E('tr', { 'class': 'tr cbi-section-table-row', 'data-sid': sid, 'data-section-id': sid }, cells), buttons = E('div');
			function button(cls, title, fn) {
				dom.append(buttons, [ E('button', { 'class': 'btn cbi-button cbi-button-' + cls, 'title': title, 'click': ui.createHandlerFn(self, fn, sid), 'disabled': cls == 'remove' && self.map.readonly || null }, [ title ]) ]);
			}
			button('edit', _('Edit'), 'renderMoreOptionsModal');
			if (self.addremove)
				button('remove', _('Delete'), 'handleRemove');
			row.appendChild(E('td', { 'class': 'td cbi-section-table-cell nowrap cbi-section-actions' }, [ buttons ]));
			return row;
		});
	},

	renderSectionAdd: function(cls) {
		return E('div', { 'class': 'cbi-section-create ' + cls }, this.addremove ? [ E('button', {
			'class': 'cbi-button cbi-button-add', 'click': ui.createHandlerFn(this, 'handleAdd'), 'disabled': this.map.readonly || null
		}, [ this.addbtntitle || _('Add') ]) ] : []);
	},

	handleAdd: function() {
		this.map.addedSection = uci.add(this.config, this.sectiontype);
		return this.renderMoreOptionsModal(this.map.addedSection);
	},

	handleRemove: function(sid) {
		uci.remove(this.config, sid);
		return this.map.save(null, true);
	},

	handleModalCancel: function(modal, ev, saving) {
		if (this.map.addedSection != null && !saving)
			uci.remove(this.config, this.map.addedSection);
		delete this.map.addedSection;
		ui.hideModal();
	},

	handleModalSave: function(modal, ev) {
		var self = this;
		return modal.save(null, true).then(L.bind(self.map.load, self.map)).then(L.bind(self.map.reset, self.map))
			.then(function() { self.handleModalCancel(modal, ev, true); }).catch(function() {});
	},

	addModalOptions: function() {},

	renderMoreOptionsModal: function(sid) {
		var self = this, m = new Map(self.config), s = m.section(NamedSection, sid, self.sectiontype);
		m.parent = self.map;
		m.section = sid;
		m.readonly = self.map.readonly;
		s.tabs = self.tabs;
		self.children.forEach(function(o) {
			if (o.modalonly === false)
				return;
			var copy = s.option(o.constructor, o.option, o.title, o.description);
			Object.keys(o).forEach(function(k) {
				if ([ 'map', 'section', 'option', 'title', 'description' ].indexOf(k) < 0)
					copy[k] = o[k];
			});
		});
		return Promise.resolve(self.addModalOptions(s, sid)).then(function() { return m.render(); }).then(function(node) {
			ui.showModal(own(self.modaltitle)(sid) || self.map.title, [
				node,
				E('div', { 'class': 'button-row' }, [
					E('button', { 'class': 'btn cbi-button', 'click': ui.createHandlerFn(self, 'handleModalCancel', m) }, [ _('Dismiss') ]), ' ',
					E('button', { 'class': 'btn cbi-button cbi-button-positive important', 'click': ui.createHandlerFn(self, 'handleModalSave', m), 'disabled': m.readonly || null }, [ _('Save') ])
				])
			], 'cbi-modal');
		});
	}
});

/* --- fields ------------------------------------------------------------- */

var Value = Element.extend({
	widget: Text,

	__init__: function(map, section, option, title, description) {
		Element.prototype.__init__.call(this, title, description);
		this.map = map;
		this.section = section;
		this.option = option;
		this.config = map.config;
		this.deps = [];
		this.rmempty = true;
		this.optional = false;
		this.default = null;
	},

	value: function(key, text) {
		this.keylist = (this.keylist || []).concat([ String(key) ]);
		this.vallist = (this.vallist || []).concat([ text == null ? String(key) : text ]);
	},

	depends: function(name, value) {
		if (typeof(name) != 'string')
			throw new TypeError('stand-in: depends() takes a name and a value');
		this.deps.push([ name, value ]);
	},

	cbid: function(sid) { return 'cbid.%s.%s.%s'.format(this.config, sid, this.option); },

	load: function(sid) { return uci.get(this.config, sid, this.option); },

	cfgvalue: function(sid, value) {
		this.data = this.data || {};
		if (arguments.length > 1)
			this.data[sid] = value;
		return this.data[sid];
	},

	textvalue: function(sid) {
		var v = this.cfgvalue(sid);
		return v == null ? this.default : Array.isArray(v) ? v.join(' ') : String(v);
	},

	getUIElement: function(sid) {
		var node = this.map.root && this.map.findElement('id', this.cbid(sid));
		return node ? dom.findClassInstance(node) : null;
	},

	formvalue: function(sid) {
		var e = this.getUIElement(sid);
		return e ? e.getValue() : null;
	},

	frame: function(sid) { return this.map.findElement('data-field', this.cbid(sid)); },

	isActive: function(sid) {
		var f = this.frame(sid);
		return f != null && !f.classList.contains('hidden');
	},

	setActive: function(sid, active) {
		var f = this.frame(sid);
		if (f)
			f.classList.toggle('hidden', !active);
		return f != null;
	},

	checkDepends: function(sid) {
		var self = this;
		return !self.deps.length || self.deps.some(function(d) {
			var node = self.map.findElement('data-field', 'cbid.%s.%s.%s'.format(self.config, sid, d[0]));
			var other = node && dom.findClassInstance(node);
			return other != null && other.isActive(sid) && other.formvalue(sid) == d[1];
		});
	},

	isValid: function(sid) {
		var e = this.getUIElement(sid);
		if (e)
			e.triggerValidation();
		return e ? e.isValid() : true;
	},

	parse: function(sid) {
		if (!this.isActive(sid))
			return Promise.resolve(this.remove(sid));
		if (!this.isValid(sid))
			return Promise.reject(new TypeError(_('Option "%s" contains an invalid input value.').format(this.title || this.option) + ' ' + this.getUIElement(sid).getValidationError()));
		var value = this.formvalue(sid);
		if (value == null || value == '') {
			if (!this.rmempty && !this.optional)
				return Promise.reject(new TypeError(_('Option "%s" must not be empty.').format(this.title || this.option)));
			return Promise.resolve(this.remove(sid));
		}
		return Promise.resolve(equal(this.cfgvalue(sid), value) ? null : this.write(sid, value));
	},

	write: function(sid, value) { uci.set(this.config, sid, this.option, value); },

	remove: function(sid) { uci.unset(this.config, sid, this.option); },

	render: function(sid, in_table) {
		strict('field', this);
		var self = this, cfg = self.cfgvalue(sid), w = new self.widget(self, self.cbid(sid), cfg != null ? cfg : self.default, self.map.readonly);
		w.sid = sid;
		return Promise.resolve(self.frameOf(sid, in_table, w.node));
	},

	frameOf: function(sid, in_table, content) {
		var self = this, frame, last;
		if (in_table)
			frame = E('td', { 'class': 'td cbi-value-field', 'data-title': self.title, 'data-name': self.option }, [ E('div', { 'data-field': self.cbid(sid) }, [ content ]) ]);
		else {
			frame = E('div', { 'class': 'cbi-value', 'data-field': self.cbid(sid), 'data-name': self.option });
			if (self.title)
				dom.append(frame, [ E('label', { 'class': 'cbi-value-title', 'for': 'widget.' + self.cbid(sid), 'click': function() {
					var e = frame.querySelector('[data-widget-id="widget.' + self.cbid(sid) + '"]');
					if (e) {
						e.click();
						e.focus();
					}
				} }, [ self.title ]), E('div', { 'class': 'cbi-value-field' }) ]);
			last = frame.lastChild || frame;
			last.appendChild(content);
			if (self.description)
				last.appendChild(E('div', { 'class': 'cbi-value-description' }, [ self.description ]));
		}
		frame.addEventListener('widget-change', function(ev) {
			self.map.checkDepends();
			var value = self.formvalue(sid);
			if (typeof(self.onchange) == 'function' && value !== last) {
				last = value;
				self.onchange(ev, sid, value);
			}
		});
		dom.bindClassInstance(frame, self);
		if (in_table)
			dom.bindClassInstance(frame.firstChild, self);
		return frame;
	}
});

var ListValue = Value.extend({ widget: Choice });

var DynamicList = Value.extend({ widget: Items });

var MultiValue = Value.extend({ widget: Boxes });

var Flag = Value.extend({
	widget: Box,

	__init__: function() {
		Value.prototype.__init__.apply(this, arguments);
		this.enabled = '1';
		this.disabled = '0';
		this.default = '0';
	},

	textvalue: function(sid) {
		var v = this.cfgvalue(sid);
		return (v == null ? this.default : v) == this.enabled ? _('Yes') : _('No');
	},

	parse: function(sid) {
		var value = this.formvalue(sid);
		if (!this.isActive(sid) || (value == this.default && (this.optional || this.rmempty)))
			return Promise.resolve(this.remove(sid));
		return Promise.resolve(this.write(sid, value));
	}
});

var Button = Value.extend({
	render: function(sid, in_table) {
		strict('field', this);
		return Promise.resolve(this.frameOf(sid, in_table, E('button', {
			'class': 'cbi-button cbi-button-' + (this.inputstyle || 'button'), 'disabled': (this.readonly != null ? this.readonly : this.map.readonly) || null,
			'click': ui.createHandlerFn(this, function(ev) { return this.onclick(ev, sid); })
		}, [ this.inputtitle || this.title ])));
	}
});

var SectionValue = Value.extend({
	__init__: function(map, section, option, type) {
		Value.prototype.__init__.call(this, map, section, option);
		this.subsection = type.instantiate([ map ].concat(Array.prototype.slice.call(arguments, 4)));
		this.subsection.parentoption = this;
	},

	load: function() { return this.subsection.load(); },

	parse: function() { return this.subsection.parse(); },

	cfgvalue: function() { return null; },

	formvalue: function() { return null; },

	checkDepends: function(sid) {
		this.subsection.checkDepends();
		return Value.prototype.checkDepends.call(this, sid);
	},

	render: function(sid, in_table) {
		var self = this;
		return self.subsection.render().then(function(node) { return self.frameOf(sid, in_table, node); });
	}
});

return baseclass.extend({
	Map: Map,
	NamedSection: NamedSection,
	GridSection: GridSection,
	Value: Value,
	ListValue: ListValue,
	DynamicList: DynamicList,
	MultiValue: MultiValue,
	Flag: Flag,
	Button: Button,
	SectionValue: SectionValue
});
