import test from 'node:test';
import assert from 'node:assert/strict';
import { close, harness, until } from '../harness/harness.mjs';

test('status page shows the daemon', async () => {
	const h = await harness();
	await until('synchronisation', async () => (await h.world.ask('report')).tracking.synchronised);
	const page = await h.open('admin/status/ntsd');
	assert.match(await page.textContent('#view'), /Synchronised/);
	await h.shot(page, 'status');
	await close(page);
});
