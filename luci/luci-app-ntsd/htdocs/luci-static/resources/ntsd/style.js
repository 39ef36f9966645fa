'use strict';
'require baseclass';

/*
 * What the themes have no class for. Colours come from the theme: its variables
 * where it has them, else the colour of the text.
 */

var css = [
	'.ntsd small,.ntsd li,.ntsd dt,.ntsd dd,.ntsd figcaption{color:inherit}',
	'.ntsd-verdict{display:flex;gap:.9em;align-items:flex-start;padding:.9em 1em;margin:0 0 1em;border:1px solid rgba(128,128,128,.35);border-left:.4em solid var(--ntsd-c);border-radius:4px;background:rgba(128,128,128,.08)}',
	'.ntsd-verdict p{margin:.3em 0 0}.ntsd-verdict .ntsd-text{font-size:125%;line-height:1.3;margin:0}',
	'.ntsd-sign{flex:none;width:1.7em;height:1.7em;line-height:1.7em;border-radius:50%;text-align:center;font-weight:bold;font-size:120%;color:#fff;background:var(--ntsd-c)}',
	'.ntsd-good{--ntsd-c:#2b7a2f}.ntsd-notice,.ntsd-wait{--ntsd-c:#2a6fb0}.ntsd-warning{--ntsd-c:#a35a00}.ntsd-bad{--ntsd-c:#b3261e}',
	'.ntsd-mini{display:flex;gap:.7em;align-items:center}.ntsd-mini .ntsd-sign{font-size:100%}',
	'.ntsd-tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(9.5em,1fr));gap:.6em;margin:0 0 1em;padding:0}',
	'.ntsd-tiles>div{padding:.5em .7em;border:1px solid rgba(128,128,128,.35);border-radius:4px;min-width:0}',
	'.ntsd-tiles dt{font-size:85%;font-weight:normal;opacity:.8;margin:0}.ntsd-tiles dd{margin:0;font-size:125%;line-height:1.35;overflow-wrap:anywhere;font-variant-numeric:tabular-nums}',
	'.ntsd-tiles small,.ntsd-sub{display:block;font-size:80%;opacity:.8;line-height:1.3;overflow-wrap:anywhere}.ntsd-tiles dd small{font-size:68%}',
	'.ntsd-bar{display:flex;flex-wrap:wrap;gap:.4em;align-items:center;margin:0 0 .8em}.ntsd-bar .btn[aria-pressed=true]{font-weight:bold;text-decoration:underline}.ntsd-bar .ntsd-push{margin-left:auto}',
	'.ntsd-figure{margin:0 0 .6em}.ntsd-figure figcaption{display:flex;flex-wrap:wrap;justify-content:space-between;gap:0 1em}.ntsd-readout{font-variant-numeric:tabular-nums}',
	'.ntsd-graph{display:block;overflow:hidden;touch-action:pan-y}.ntsd-graph text{fill:currentColor;font-size:11px;opacity:.85}',
	'.ntsd-grid{stroke:currentColor;opacity:.13}.ntsd-zero{stroke:currentColor;opacity:.5}.ntsd-line{fill:none;stroke:var(--primary-color-high,#2a7ab8);stroke-width:1.8;stroke-linejoin:round;stroke-linecap:round}',
	'.ntsd-dot{fill:var(--primary-color-high,#2a7ab8)}.ntsd-range{fill:var(--primary-color-high,#2a7ab8);opacity:.3}.ntsd-band{fill:var(--primary-color-high,#2a7ab8);opacity:.12}.ntsd-cursor{stroke:currentColor;opacity:.6;stroke-dasharray:3 2}',
	'.ntsd-reach{display:inline-flex;gap:2px;vertical-align:middle}.ntsd-reach i{width:.55em;height:.55em;border-radius:50%;border:1px solid currentColor;box-sizing:border-box}.ntsd-reach i.on{background:currentColor}',
	'.ntsd-table .td{overflow-wrap:anywhere}.ntsd-table .td:first-child{min-width:11em}.ntsd-table .ntsd-num{white-space:nowrap;font-variant-numeric:tabular-nums}.ntsd-mark{display:inline-block;width:1.3em;font-weight:bold;text-align:center}',
	'.ntsd-steps{list-style:none;margin:0 0 1em;padding:0}.ntsd-steps li{display:flex;gap:.6em;padding:.3em 0;border-bottom:1px solid rgba(128,128,128,.25)}.ntsd-steps time{flex:none;width:5em;text-align:right;opacity:.8;font-variant-numeric:tabular-nums}.ntsd-steps span:last-child{overflow-wrap:anywhere;min-width:0}',
	'.ntsd-log{margin:.5em 0;white-space:pre-wrap;overflow-wrap:anywhere;font-size:85%}',
	/* Tables, and cards with labels on a phone: every theme has its own idea of
	 * when and how, and some forget the labels. */
	'@media (min-width:761px){.ntsd-table{display:table!important}.ntsd-table>.tr,.ntsd-table>tbody>.tr{display:table-row!important}.ntsd-table .td,.ntsd-table .th{display:table-cell!important}.ntsd-table .td::before,.ntsd-table .td::after{display:none!important}}',
	'@media (max-width:760px){.ntsd-table,.ntsd-table tbody{display:block!important;width:100%}.ntsd-table .tr.table-titles{display:none!important}.ntsd-table .tr{display:grid!important;grid-template-columns:1fr 1fr;gap:.5em .8em;padding:.7em 0;border:0;border-top:1px solid rgba(128,128,128,.35);background:none}' +
	'.ntsd-table .td{display:block!important;width:auto;min-width:0!important;padding:0;border:0;text-align:left;background:none}.ntsd-table .td:first-child{grid-column:1/-1;font-size:110%}.ntsd-table .td[data-title]::before{content:attr(data-title);display:block;font-weight:normal;font-size:85%;opacity:.8;text-align:left;position:static;width:auto;padding:0}.ntsd-table .td:first-child::before,.ntsd-table .td::after{display:none!important}}',
	'.ntsd-body{padding:calc(var(--ntsd-pad,0px)*.4) var(--ntsd-pad,0px) calc(var(--ntsd-pad,0px)*.6)}.ntsd-push{display:inline-flex;align-items:center;gap:.4em;width:auto}label.ntsd-push input{position:relative;top:0;right:0;margin:0;flex:none}.ntsd-table .th{text-align:left}',
	'.ntsd summary{display:list-item;list-style:disclosure-closed inside;cursor:pointer}.ntsd details[open]>summary{list-style-type:disclosure-open}',
	'.ntsd-table .tr.placeholder{height:auto}.ntsd-table .tr.placeholder>.td{position:static;line-height:1.4;padding:1em}',
	'.ntsd-heard{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}',
	'.ntsd-mini a,.ntsd p a:not(.btn){color:inherit;text-decoration:underline}',
	'.ntsd-hide{display:none!important}'
].join('\n');

return baseclass.extend({
	/* A style sheet for the page, to stand beside its content. */
	node: function() { return E('style', { 'type': 'text/css' }, [ css ]); }
});
