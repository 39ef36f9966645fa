'use strict';
'require baseclass';
'require form';
'require uci';
'require ntsd.options as options';
'require ntsd.validate as validate';

/*
 * Fields of LuCI's forms for the options of ntsd.options.
 */

/* The logical networks for choices, by loadNetworks(). */
var networks = [];

function fieldClass(o) {
	if (o.kind.flag)
		return form.Flag;
	if (o.list)
		return form.DynamicList;
	return o.kind.words ? form.ListValue : form.Value;
}

/* Values as the fields compare them: lists are lists, truths are 1 and 0. */
function normal(o, value) {
	if (value == null)
		return null;
	if (o.list)
		return L.toArray(value);
	if (Array.isArray(value))
		value = value.join(' ');
	if (o.kind.flag) {
		var b = validate.bool(value);
		return b == null ? value : b ? '1' : '0';
	}
	return value;
}

function addChoices(f, o) {
	if (o.choices == 'network')
		networks.forEach(function(n) { f.value(n); });
	if (o.choices == 'aead')
		validate.aeads().forEach(function(a) { f.value(a[0], a[0] + ' ' + a[1]); });
	if (!o.kind.words)
		return;
	if (!o.list) {
		f.value('', o.standard ? _('default (%s)').format(o.standard) : _('not set'));
		f.optional = true;
	}
	o.kind.words.forEach(function(w) { f.value(w); });
}

/* Makes f, a field that was just added, the field of option o. */
function dress(f, o) {
	f.ntsd = o;
	addChoices(f, o);
	if (o.kind.flag) {
		f.default = o.standard;
		if (o.inverted) {
			f.enabled = '0';
			f.disabled = '1';
		}
	}
	else if (o.standard)
		f.placeholder = o.standard;
	else if (o.choices == 'network')
		f.placeholder = o.every ? _('all') : null;
	f.password = o.password || false;
	f.validate = function(section_id, value) {
		return value == null || value === '' || Array.isArray(value) ? true : validate.check(o.kind, value);
	};
	if (o.needs)
		f.depends(o.needs, '1');
	return f;
}

/* Makes f a field that takes a secret and never shows one. What is there stays
 * until another one is typed, or a file takes its place. */
function hidden(f, name, o) {
	f.load = function(section_id) {
		this.placeholder = uci.get('ntsd', section_id, name) ? _('set, not shown') : null;
		return null;
	};
	f.remove = function(section_id) {
		if (o.instead && uci.get('ntsd', section_id, o.instead))
			uci.unset('ntsd', section_id, name);
	};
	return f;
}

/* The sections of a type that stands once; written again they add up. */
function all(type) {
	return uci.sections('ntsd', type).map(function(s) { return s['.name']; });
}

function read(type, name) {
	return all(type).reduce(function(found, sid) {
		var value = uci.get('ntsd', sid, name);
		return value != null ? value : found;
	}, null);
}

function write(type, name, value) {
	var sids = all(type), holders = sids.filter(function(sid) { return uci.get('ntsd', sid, name) != null; });
	var target = holders.pop() || sids.pop() || uci.add('ntsd', type);
	holders.forEach(function(sid) { uci.unset('ntsd', sid, name); });
	uci.set('ntsd', target, name, value);
}

function remove(type, name) {
	all(type).forEach(function(sid) {
		if (uci.get('ntsd', sid, name) != null)
			uci.unset('ntsd', sid, name);
	});
}

return baseclass.extend({
	read: read,
	write: write,
	remove: remove,

	/* The networks that fields may offer. */
	setNetworks: function(names) { networks = names; },

	networks: function() { return networks; },

	/* The id of the field of an option of a section that stands once. */
	singleName: function(type, name) { return type + '_' + name; },

	/* A field for an option of a section type that may occur many times. */
	many: function(section, tab, type, name) {
		var o = options.find(type, name), args = [ fieldClass(o), name, o.title, o.descr ];
		var f = tab ? section.taboption.apply(section, [ tab ].concat(args)) : section.option.apply(section, args);
		f.load = function(section_id) { return normal(o, uci.get('ntsd', section_id, name)); };
		return o.password ? hidden(dress(f, o), name, o) : dress(f, o);
	},

	/* A field for an option of a section type that stands once, wherever the file
	 * has it. What depends makes invisible keeps its value. */
	single: function(section, tab, type, name) {
		var o = options.find(type, name), cls = fieldClass(o);
		var args = [ cls, this.singleName(type, name), o.title, o.descr ];
		var f = tab ? section.taboption.apply(section, [ tab ].concat(args)) : section.option.apply(section, args);
		f.ntsdType = type;
		f.load = function() { return normal(o, read(type, name)); };
		f.write = function(section_id, value) { write(type, name, value); };
		f.remove = function() { remove(type, name); };
		f.parse = function(section_id) {
			return this.isActive(section_id) ? cls.prototype.parse.call(this, section_id) : Promise.resolve();
		};
		return dress(f, Object.assign({}, o, { needs: null }));
	}
});
