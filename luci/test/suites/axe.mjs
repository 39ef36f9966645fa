// axe-core's rules (WCAG 2.1 A and AA) on every page, light and dark: what is of
// ours, for the stand-in's frame and theme are nobody's.
import test from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import { close, harness, luciDir, until } from '../harness/harness.mjs';

const axe = fs.readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const recorded = (name) => JSON.parse(fs.readFileSync(new URL(`../data/${name}.json`, import.meta.url)));

/** What is wrong in a part of the page, one line each. */
async function faults(page, part) {
	if (await page.evaluate(() => !window.axe)) await page.evaluate(axe);
	return page.evaluate(async (where) => {
		const { violations } = await window.axe.run(where, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'], resultTypes: ['violations'] });
		return violations.flatMap((v) => v.nodes.map((n) => `${v.id}: ${n.target.join(' ')}: ${n.failureSummary.replace(/\s+/g, ' ')}`));
	}, part);
}

const pages = [
	['status', 'admin/status/ntsd', null],
	['ladder', 'admin/status/ntsd', 'bootstrap'],
	['overview', 'admin/status/overview', null],
	['settings', 'admin/services/ntsd', null],
];

/** The same in the theme's other colours. */
async function both(page, part, why) {
	for (const dark of [false, true]) {
		await page.evaluate((d) => document.documentElement.setAttribute('data-darkmode', d), dark);
		assert.deepEqual(await faults(page, part), [], `${why}, ${dark ? 'dark' : 'light'}`);
	}
}

for (const [name, where, data] of pages) {
	test(`axe: ${name}, light and dark`, { skip: luciDir ? 'themes have faults of their own' : false }, async () => {
		const h = await harness();
		Object.assign(h, { mode: 'bus', alter: null, recorded: data ? { status: recorded(data) } : null });
		await h.world.startDaemon();
		await until('an answer', () => h.world.ask('report'));
		const page = await h.open(where);
		try {
			await both(page, '#view', name);
			for (const button of name === 'settings' ? ['.ntsd-presets-open', '.ntsd-import-open', '#cbi-ntsd-server .cbi-button-edit'] : []) {
				await page.locator(button).first().click();
				await page.locator('#modal_overlay .modal h4').waitFor();
				await both(page, '#modal_overlay', button);
				await page.evaluate(() => window.L.require('ui').then((ui) => ui.hideModal()));
			}
		} finally {
			h.recorded = null;
		}
		await close(page);
	});
}
