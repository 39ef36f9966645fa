// The daemon's sentences in the language of the page. No browser.
import test from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { app } from '../harness/server.mjs';
import { parse } from '../harness/catalogue.mjs';
import { load } from '../harness/modules.mjs';

/** The modules on a page of that language. */
function page(lang) {
	const file = path.join(app, 'po', lang, 'ntsd.po');
	const table = new Map(lang === 'en' ? [] : parse(fs.readFileSync(file, 'utf8')).map((e) => [e.id, e.texts[0]]));
	const extra = { _: (s) => table.get(s) ?? s, document: { documentElement: { lang: lang === 'zh_Hans' ? 'zh-cn' : lang } } };
	const cache = {};
	const messages = load('ntsd.messages', extra, cache);
	return { say: (text, zone) => cache['ntsd.words'].say(text, zone), words: cache['ntsd.words'], messages };
}

const langs = ['de', 'es', 'fr', 'ja', 'zh_Hans'];

test('words: what was put into a sentence is found again, whatever the order', () => {
	const { say } = page('ja');
	assert.equal(say('1 of 3 operators agree (a.example), 2 needed; no usable time from b.example, c.example'),
		'3 運営者中 1 が一致 (a.example)、2 必要。b.example, c.example から使える時刻が得られていません');
	assert.equal(say('3 of 8 requests got no reply, whatever their length: packets get lost on the way'),
		'長さにかかわらず 8 件中 3 件の要求に応答がありません。途中でパケットが失われています');
});

test('words: a sentence in a sentence, a cause behind a colon or in brackets', () => {
	const { say } = page('de');
	assert.equal(say('no keys: the certificate is for a.example, not for b.example'), 'keine Schlüssel: das Zertifikat gilt für a.example, nicht für b.example');
	assert.equal(say('nts.example: no such host'), 'nts.example: Name unbekannt');
	assert.equal(say('cannot connect to 192.0.2.1:4460: connection refused'), 'keine Verbindung zu 192.0.2.1:4460: Verbindung abgelehnt');
	assert.equal(say('network unreachable (no route to host)'), 'Netz nicht erreichbar (keine Route zum Ziel)');
	assert.equal(say('warning: /etc/config/ntsd:12: server \'near\': option \'minpoll\' \'99\': must be a whole number from -7 to 24'),
		'Warnung: /etc/config/ntsd:12: server \'near\': Option \'minpoll\' \'99\': muss eine ganze Zahl von -7 bis 24 sein');
	assert.equal(say('option \'minpol\' is not known; did you mean \'minpoll\'?'), 'Option \'minpol\' ist unbekannt; war \'minpoll\' gemeint?');
});

test('words: times are those of the zone, dates stay', () => {
	const { say } = page('de');
	assert.equal(say('the clock was set to 2026-11-22 10:01:09', 'Europe/Berlin').replace(/\s/g, ' '), 'die Uhr wurde gestellt auf 22.11.2026, 11:01:09');
	assert.equal(say('keys; certificates are valid from 2026-11-22 to 2027-02-20', 'Pacific/Auckland'), 'Schlüssel erhalten; Zertifikate sind gültig von 22.11.2026 bis 20.02.2027');
});

test('words: the same sentence is said in one zone and in another', () => {
	const { say } = page('en');
	for (const [zone, hour] of [['Europe/Berlin', '11:01:09'], ['UTC', '10:01:09'], ['Europe/Berlin', '11:01:09']])
		assert.match(say('the clock was set to 2026-11-22 10:01:09', zone), new RegExp(hour));
});

test('words: what is not known is shown as it came', () => {
	for (const lang of ['en', ...langs]) {
		const { say, words } = page(lang);
		for (const text of ['', 'something new', 'x: y', 'a (b)', '%s', '%d of %s', '$& $1', '__proto__', 'constructor', 'hasOwnProperty', ': ', '(((', 'x'.repeat(4096), ': '.repeat(500)]) assert.equal(say(text), text, lang);
		assert.equal(words.rung('later'), 'later');
	}
});

test('words: English stays English, and every language says every sentence differently', () => {
	const source = ['words', 'messages'].map((n) => fs.readFileSync(path.join(app, 'htdocs/luci-static/resources/ntsd', `${n}.js`), 'utf8').split('(function(_) {')[1].split('(function(text)')[0]).join('');
	const sentences = [...source.matchAll(/_\('((?:[^'\\]|\\.)*)'\)/g)].map((m) => m[1].replaceAll('\\\'', '\'').replace(/%[ds]/g, 'q7'));
	assert.ok(sentences.length > 200, `${sentences.length} sentences`);
	const english = page('en');
	for (const s of sentences) assert.equal(english.say(s), s);
	for (const lang of langs) {
		const { say } = page(lang);
		// Some are the same in a language: offline, NTS NAK, crypto-NAK, error, option.
		const same = sentences.filter((s) => say(s) === s);
		assert.ok(same.length <= 4, `${lang}: ${same}`);
		for (const s of sentences) assert.equal(say(s).split('q7').length, s.split('q7').length, `${lang}: ${s}: ${say(s)}`);
	}
});

test('words: what a text names in quotes stands on the page under that name', () => {
	for (const lang of langs) {
		const entries = parse(fs.readFileSync(path.join(app, 'po', lang, 'ntsd.po'), 'utf8'));
		const of = new Map(entries.map((e) => [e.id, e.texts[0]]));
		let named = 0;
		for (const { id, texts } of entries) {
			for (const [, label] of (id ?? '').matchAll(/“([^”%]+)”/g)) {
				named++;
				assert.ok(of.has(label), `no field is called ${label}`);
				assert.ok(texts[0].includes(of.get(label)), `${lang}: ${texts[0]} does not name ${of.get(label)}`);
			}
		}
		assert.ok(named >= 4, `${named} names`);
	}
});
