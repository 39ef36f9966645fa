// All suites in one process, so that they share one daemon and one browser.
// NTSD_LUCI_SUITES="status config" runs only these.
import { after } from 'node:test';
import fs from 'node:fs';
import { stopHarness } from './harness/harness.mjs';

const dir = new URL('./suites/', import.meta.url);
const wanted = (process.env.NTSD_LUCI_SUITES ?? '').split(/\s+/).filter(Boolean);
const files = fs.readdirSync(dir).filter((f) => f.endsWith('.mjs')).sort();
const unknown = wanted.filter((w) => !files.includes(`${w}.mjs`));
if (unknown.length) throw new Error(`no suite ${unknown.join(', ')}`);
for (const file of files) {
	if (wanted.length === 0 || wanted.includes(file.replace('.mjs', ''))) await import(new URL(file, dir));
}
after(stopHarness);
