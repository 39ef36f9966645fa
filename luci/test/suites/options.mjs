// The form knows every option of the daemon, and takes what the daemon takes.
import test from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { load } from '../harness/modules.mjs';
import { root } from '../harness/world.mjs';

const build = path.join(root, 'build');
const schema = JSON.parse(execFileSync(path.join(build, 'ntsctl'), ['options', '--json'], { encoding: 'utf8' }));
const options = load('ntsd.options');
const validate = load('ntsd.validate');

test('the form has every section and option of the daemon, and no other', () => {
	const daemon = schema.flatMap((s) => s.options.map((o) => `${s.type}.${o.name}`)).sort();
	const form = options.types().flatMap((t) => options.of(t).map((o) => `${t}.${o.name}`)).sort();
	assert.deepEqual(form, daemon, 'luci/luci-app-ntsd: resources/ntsd/options.js and "ntsctl options" differ');
});

test('defaults, lists, switches and what is allowed are the daemon\'s', () => {
	for (const s of schema) {
		for (const o of s.options) {
			const f = options.find(s.type, o.name);
			const name = `${s.type}.${o.name}`;
			assert.equal(f.standard ?? '', o.default ?? '', `default of ${name}`);
			assert.equal(f.list ?? false, o.list, `${name} is a list`);
			assert.equal(f.kind.flag ?? false, o.flag, `${name} is a switch`);
			assert.equal(f.kind.want, `must be ${o.allowed}`, `what ${name} may be`);
			assert.ok(f.title, `title of ${name}`);
		}
	}
});

/** Values with a meaning for one kind or another; each kind is given all of them. */
const values = [
	'0', '1', '-1', '+1', '2', '15', '16', '17', '30', '64', '65', '100', '101', '123', '1000', '1001', '4460', '65535', '65536', '1048576', '1048577',
	'2147483647', '2147483648', '4294967295', '4294967296', '99999999999999999999', '007', '1.5', '.5', '5.', '.', '1e3', '1e400', '1e-400', '-0', '-7', '-8', '24', '25', '0x10', '1_000', 'inf', 'NaN', '1,5', ' 1', '1 ',
	'yes', 'no', 'on', 'off', 'true', 'false', 'enabled', 'disabled', 'Yes', 'auto', 'majority', 'any', 'ipv4', 'kernel', 'none', 'info', 'warn', 'debug', 'mix', 'ladder', 'strict', 'nocerttimecheck', 'slew', 'system', 'rawstats', 'MD5', 'AES128', 'PPS', 'pps', 'constructor',
	'50ms', '0.05s', '10us', '5m', '1h', '366d', '367d', '52w', '53w', '1d ', 'ms', '-5s', '-366d', '31622400', '31622401', '0.1', '0.099999999', '60', '59.9', '0.5', '10.000000001', '3600.5',
	'1k', '1M', '1G', '1024G', '1025G', '1K', '1.5M', 'k', '1Mk', '-1k', '1099511627776', '1099511627777',
	'/etc/ntsd/ca.pem', 'relative', 'a b', 'x'.repeat(32), 'x'.repeat(33), 'x'.repeat(256), 'x'.repeat(257), 'x'.repeat(4096), 'x'.repeat(4097), 'tab\there', 'ümlaut', '日本語', 'GPS', 'GPS1', 'GPS12', 'br-lan', 'eth0.2', 'eth0:1', 'user@host', 'a/b', '\u007f',
	'time.example', 'time.example.', 'time.example:4460', 'time.example:0', 'time.example:65536', 'time.example:', ':123', 'time.example:12:3', '_ntp.local_name', 'time..example', '-a.example', `${'a'.repeat(63)}.example`, `${'a'.repeat(64)}.example`, `${'a.'.repeat(126)}a`, `${'a.'.repeat(127)}a`, 'time@example', '1.2.3',
	'192.0.2.1', '192.0.2.1:123', '192.0.2.256', '192.0.2.01', '1.2.3.4.5', '2001:db8::1', '[2001:db8::1]', '[2001:db8::1]:123', '[2001:db8::1]123', '[192.0.2.1]', '::', '::1', '1::', ':::', '1:2:3:4:5:6:7:8', '1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:8::', '::ffff:192.0.2.1', '::192.0.2.256', '1:2:3:4:5:6:192.0.2.1', '1:2:3:4:5:6:7:192.0.2.1', 'fe80::1%eth0', 'fe80::1%', '12345::', 'g::', '2001:db8::1::2',
	'192.168.1.0/24', '192.168.1.5/24', '192.168.1.0/33', '192.168.1.0/024', '192.168.1.0/', '192.168.1.0/+8', '2001:db8::/32', '2001:db8::/129', 'fe80::1%eth0/64', '0.0.0.0/0', '::/0', '/24',
	'AES_SIV_CMAC_256', 'AEAD_AES_128_GCM_SIV', 'AEAD_15', 'AES_SIV', 'aes_siv_cmac_256',
	'interval 3 burst 8 leak 2', 'interval -19', 'interval -20', 'burst 255', 'burst 256', 'leak 0', 'leak 4', 'burst 8 interval', 'bursts 8', 'burst  8', 'interval 3,burst 8', 'constructor 1',
];

const quote = (s) => `'${s.replace(/'/g, `'\\''`)}'`;

/** The daemon's message about each value of one option, or null. */
function judged(dir, type, name, list) {
	const out = new Map();
	for (let i = 0; i < values.length; i += 40) {
		const lines = [];
		const at = new Map();
		for (const v of values.slice(i, i + 40)) {
			lines.push(`config ${type}`, `\t${list ? 'list' : 'option'} ${name} ${quote(v)}`);
			at.set(lines.length, v);
			out.set(v, null);
		}
		const answer = JSON.parse(execFileSync(path.join(build, 'luci-world'), ['-dir', dir, '-call', 'check'], { input: JSON.stringify({ config: `${lines.join('\n')}\n` }), encoding: 'utf8' }));
		for (const m of answer.messages) {
			if (m.severity === 'error' && m.option === name && m.message.startsWith('must be ') && at.has(m.line)) out.set(at.get(m.line), m.message);
		}
	}
	return out;
}

test('values are refused here as the daemon refuses them, in its words', () => {
	const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'ntsd-options-'));
	const done = new Set();
	let compared = 0;
	try {
		for (const s of schema) {
			for (const o of s.options) {
				const { kind } = options.find(s.type, o.name);
				const same = `${o.allowed} ${o.list}`;
				if (done.has(same)) continue; // another option has the same kind
				done.add(same);
				for (const [value, message] of judged(dir, s.type, o.name, o.list)) {
					const verdict = validate.check(kind, value);
					assert.equal(verdict === true ? null : verdict, message, `${s.type}.${o.name} = ${JSON.stringify(value)}`);
					compared += 1;
				}
			}
		}
	} finally {
		fs.rmSync(dir, { recursive: true });
	}
	assert.ok(compared > 5000, `${compared} values were compared`);
});

test('public servers are names the daemon takes, each with its source and date', () => {
	const seen = new Set();
	for (const op of load('ntsd.servers').operators()) {
		assert.match(op.source, /^https:\/\//, op.name);
		assert.match(op.date, /^20\d\d-\d\d-\d\d$/, op.name);
		assert.ok(load('ntsd.servers').regions().some(([r]) => r === op.region), op.name);
		for (const host of op.hosts) {
			assert.equal(validate.check(validate.plainHost(), host), true, host);
			assert.ok(!seen.has(host), `${host} twice`);
			seen.add(host);
		}
	}
});
