// What the status page says first, for reports of every kind. No browser.
import test from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { load } from '../harness/modules.mjs';

const verdict = load('ntsd.verdict');
const read = (name) => JSON.parse(fs.readFileSync(new URL(`../data/${name}.json`, import.meta.url)));

/** A copy of the recorded report, changed. */
function report(change) {
	const r = read('report');
	change?.(r);
	return r;
}

/** No server answers, and the clock is not synchronised. */
function silent(r, why) {
	r.tracking.synchronised = false;
	r.tracking.authenticated = false;
	for (const s of r.sources) {
		s.reach = 0;
		s.mark = '?';
		s.selection.why = 'has no sample yet';
		if (why) s.auth.last_error = why;
	}
}

const cases = [
	['well', null, 'good', /^Synchronised and authenticated by 3 servers, within 380\sµs\.$/, []],
	['one server of three', (r) => { r.sources[0].mark = '?'; r.sources[2].mark = '?'; }, 'warning', /by 1 server, /, [/^Only south\.example is believed/]],
	['servers too far away have a vote', (r) => { r.sources[0].mark = '-'; r.sources[2].mark = '-'; }, 'good', /by 3 servers, /, []],
	['one operator', (r) => { for (const s of r.sources) s.operator = 'me.example'; }, 'warning', /by 3 servers/, [/^Only me\.example is believed: one operator/]],
	['not authenticated', (r) => { r.tracking.authenticated = false; for (const s of r.sources) s.auth = { mode: 'none' }; }, 'warning', /^Synchronised with 3 servers, within .*, but not authenticated\.$/, [/Anybody on the way/]],
	['a falseticker', (r) => { r.sources[2].mark = 'x'; }, 'good', /by 2 servers/, [/^ntp\.east\.example disagrees with the others/]],
	['advice', (r) => { r.advice = [{ code: 'near_plain', text: 'near differs by 4.0 ms from the authenticated servers, which are much farther away: a line is slower one way, or somebody changes its replies, so do not prefer it, but add authenticated servers as near.' }]; }, 'good', /by 3/, [/^near differs by 4\.0 ms from the authenticated/]],
	['a server without keys', (r) => { r.sources[2].mark = '?'; r.sources[2].auth.last_error = 'certificate expired'; }, 'good', /by 2 servers/, [/^No keys from ntp\.east\.example: certificate expired$/]],
	['an expired certificate', (r) => { r.sources[1].auth.certificate.not_after = '2020-01-01T00:00:00Z'; }, 'good', /by 3/, [/^The certificate of nts\.south\.example has expired/]],
	['a closed path', (r) => { r.sources[1].auth.path = { longest_answered: 48, shortest_lost: 176, closed: true }; }, 'good', /by 3/, [/^Something on the way to nts\.south\.example drops/]],
	['symmetric keys', (r) => { for (const s of r.sources) s.auth = { mode: 'symmetric', key_id: 7, aead: 'AES-CMAC-128', key_bits: 128 }; }, 'good', /authenticated by 3 servers/, []],
	['a reference clock', (r) => { r.tracking.authenticated = false; r.tracking.reference_name = 'PPS0'; Object.assign(r.sources[1], { kind: 'refclock', name: 'PPS0', auth: { mode: 'none' } }); }, 'good', /^Synchronised to the reference clock PPS0, within 380/, []],
	['dry run', (r) => { r.daemon.dry_run = true; }, 'notice', /by 3 servers/, [/^Dry run/]],
	['running free', (r) => { for (const s of r.sources) s.reach = 0; }, 'warning', /^Running free: no server answers\. The clock is still within 380/, [/Check the connection/]],
	['on trial', (r) => { r.bootstrap.phase = 'confirming'; }, 'wait', /^The clock is set on trial/, []],
	['refused settings', (r) => { r.daemon.config.refused = true; r.daemon.config_warnings = ['line 7: x']; }, 'good', /by 3/, [/^The saved settings have an error/, /^line 7: x$/]],
	['nothing configured', (r) => { silent(r); r.sources = []; }, 'bad', /^No time server is configured\.$/, [/at least three/]],
	['no route', (r) => { silent(r); r.activity = { online: 0, offline: 3, burst_online: 0, burst_offline: 0, unresolved: 0 }; }, 'wait', /^Waiting for the network\.$/, [/^Is the connection/, /without a route/]],
	['no names', (r) => { silent(r); r.activity = { online: 0, offline: 0, burst_online: 0, burst_offline: 0, unresolved: 3 }; }, 'wait', /^Waiting for the network\.$/, [/^Is the connection/, /names of the servers/]],
	['no answers', (r) => silent(r), 'bad', /^None of the 3 time servers answers\.$/, [/has no sample yet/, /has no sample yet/, /has no sample yet/, /UDP port 123/]],
	['no keys', (r) => silent(r, 'certificate is not yet valid'), 'bad', /^None of the 3 servers gives keys\.$/, [/^time\.north\.example: certificate is not yet valid/, /south/, /east/, /TCP port 4460/]],
	['disagreement', (r) => { r.tracking.synchronised = false; for (const s of r.sources) s.mark = 'x'; }, 'bad', /^The servers disagree/, [/north/, /south/, /east/, /Add servers of other operators/]],
	['searching, and nobody answers', (r) => { silent(r); r.bootstrap.phase = 'searching'; r.daemon.uptime_s = 30; }, 'bad', /^None of the 3 time servers answers\.$/, [/has no sample/, /has no sample/, /has no sample/, /UDP port 123/]],
	['searching, and nobody has answered yet', (r) => { silent(r); Object.assign(r.bootstrap, { phase: 'searching', operators: ['a', 'b', 'c'], agreeing: [], needed: 2 }); r.daemon.uptime_s = 3; }, 'wait', /^Finding the time: 0 of 3 operators/, [/^No usable time yet from a, b, c\.$/]],
	['searching, and one tells another time', (r) => { silent(r); r.sources[0].reach = r.sources[1].reach = 7; Object.assign(r.bootstrap, { phase: 'searching', operators: r.sources.map((s) => s.operator), agreeing: [r.sources[0].operator], needed: 2 }); }, 'wait', /^Finding the time: 1 of 3/, [/^Another time from south\.example\.$/, /^No usable time yet from east\.example\.$/]],
	['searching, and all tell another time', (r) => { r.tracking.synchronised = false; Object.assign(r.bootstrap, { phase: 'searching', operators: r.sources.map((s) => s.operator), agreeing: [r.sources[0].operator], needed: 2 }); for (const s of r.sources) s.mark = '?'; r.sources[1].adjusted_offset_s = -7; }, 'bad', /^The servers disagree/, [/north/, /south.*: −7\ss$/, /east/, /Add servers of other operators/]],
	['searching, in 1970', (r) => { r.tracking.synchronised = false; r.sources[0].reach = 1; r.time = '1970-01-01T00:01:52Z'; Object.assign(r.bootstrap, { phase: 'searching', floor: '2026-11-22T09:51:48Z', operators: ['a', 'b'], agreeing: ['a'], needed: 2 }); for (const s of r.sources) s.mark = '?'; }, 'wait', /^Finding the time: 1 of 2/, [/from b\.$/, /^Until then this router believes that it is Jan 1, 1970\.$/]],
	['just started', (r) => { silent(r); r.daemon.uptime_s = 3; }, 'wait', /^Measuring/, []],
	['its own reference', (r) => { silent(r); r.tracking.local = true; }, 'warning', /serves as its own reference/, [/north/, /south/, /east/]],
	['left out sources do not count', (r) => { r.sources[0].selection.configured_options.noselect = true; r.sources[0].mark = 'x'; }, 'good', /by 2 servers/, []],
];

for (const [name, change, level, text, notes] of cases) {
	test(`verdict: ${name}`, () => {
		const v = verdict.of(report(change));
		assert.equal(v.level, level, v.text);
		assert.match(v.text, text);
		assert.equal(v.notes.length, notes.length, `notes: ${JSON.stringify(v.notes)}`);
		notes.forEach((n, i) => assert.match(v.notes[i], n));
		assert.ok(verdict.sign(v.level) && verdict.word(v.level), 'a sign and a word');
	});
}

test('verdict: the ladder', () => {
	const v = verdict.of(read('bootstrap'));
	assert.deepEqual([v.level, v.text], ['wait', 'Finding the time: 1 of 3 operators agree, 2 must.']);
	assert.deepEqual(v.notes.slice(0, 2), ['Another time from east.example.', 'No usable time yet from south.example.']);
});

test('verdict: times in the notes are those of the router', () => {
	const r = report((r) => silent(r, 'the certificate of a.example is not valid before 2026-11-22, and the clock says 2026-11-21 23:30: is the clock right?'));
	assert.match(verdict.of(r, false, 'Asia/Tokyo').notes[0], /Nov 22, 2026, 8:30/);
});

test('verdict: stopped', () => {
	const v = verdict.of(null);
	assert.deepEqual([v.level, v.text, v.action], ['bad', 'The time daemon is not running.', 'start']);
});

test('verdict: not allowed to ask', () => {
	const v = verdict.of(null, true);
	assert.deepEqual([v.level, v.text, v.action], ['warning', 'You may not ask the time daemon.', 'login']);
});

test('format: numbers and times by language', () => {
	for (const [lang, want] of [['en', ['1.23 ms', '+12.3 µs', '1,234', '1 min 5 sec', '−0.125']], ['de', ['1,23 ms', '+12,3 µs', '1.234', '1 Min. 5 Sek.', '−0,125']]]) {
		const f = load('ntsd.format', { document: { documentElement: { lang } } });
		const got = [f.time(0.0012345), f.signed(12.3e-6), f.number(1234), f.duration(65), f.fixed(-0.125, 3)];
		assert.deepEqual(got.map((s) => s.replace(/\s/g, ' ')), want, lang);
	}
	const f = load('ntsd.format');
	assert.equal(f.time(4e-10).replace(/\s/g, ' '), '0.4 ns');
	assert.equal(f.time(NaN), '–');
	assert.equal(f.names(['a', 'b', 'c', 'd', 'e']), 'a, b, c and 2 more');
	assert.equal(f.zoneOffset(Date.UTC(2026, 6, 1), 'Europe/Berlin'), 7200);
});
