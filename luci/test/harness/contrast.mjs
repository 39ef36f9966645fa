// How well the words of a page stand out, as the WCAG counts it.

/** Texts below 4.5:1 (WCAG 2.1, 1.4.3), to be run in the page. */
export function faint() {
	const parse = (c) => {
		const [r, g, b, a = 1] = c.match(/[\d.]+/g).map(Number);
		return { r, g, b, a };
	};
	const over = (f, b) => ({ r: f.r * f.a + b.r * (1 - f.a), g: f.g * f.a + b.g * (1 - f.a), b: f.b * f.a + b.b * (1 - f.a), a: 1 });
	const part = (v) => (v / 255 <= 0.03928 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4);
	const luminance = (c) => 0.2126 * part(c.r) + 0.7152 * part(c.g) + 0.0722 * part(c.b);
	const out = [];
	const walker = document.createTreeWalker(document.querySelector('#view'), NodeFilter.SHOW_TEXT);
	for (let node; (node = walker.nextNode());) {
		const e = node.parentElement;
		// Buttons are the theme's.
		if (!node.data.trim() || !e.getClientRects().length || e.closest('style, .btn')) continue;
		const chain = [];
		for (let p = e; p; p = p.parentElement) chain.unshift(getComputedStyle(p));
		let below = { r: 255, g: 255, b: 255, a: 1 };
		let opacity = 1;
		for (const s of chain) {
			below = over(parse(s.backgroundColor), below);
			opacity *= +s.opacity;
		}
		const s = getComputedStyle(e);
		const colour = parse(e instanceof SVGElement ? s.fill : s.color);
		const [light, dark] = [luminance(over({ ...colour, a: colour.a * opacity }, below)), luminance(below)].sort((a, b) => b - a);
		const ratio = (light + 0.05) / (dark + 0.05);
		if (ratio < 4.5) out.push(`${ratio.toFixed(1)}: ${node.data.trim().slice(0, 40)}`);
	}
	return out;
}
