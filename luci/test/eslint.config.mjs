// LuCI's own rules (its eslint.config.mjs in 2026: eslint's recommended set for
// scripts that end in "return", with what its runtime gives to a view), and ours
// on top: an unknown name or an unused one is an error. From luci/:
// npm --prefix test run lint
import { defineConfig, globalIgnores } from 'eslint/config';
import js from '@eslint/js';
import json from '@eslint/json';
import globals from 'globals';

/** What cbi.js and luci.js put into the window; other modules come by 'require'. */
const luci = ['_', 'N_', 'L', 'E'];

/** 'require a.b as c' and 'require view' give a view the names c and view. */
const required = {
	meta: { name: 'luci' },
	processors: {
		require: {
			preprocess(text) {
				const names = [...text.matchAll(/^'require ([\w.-]+)(?: as (\w+))?';$/gm)].map((m) => m[2] ?? m[1].replace(/[^\w]/g, '_'));
				// On the first line, so that line numbers stay what they are.
				return [names.length ? `/* global ${names.join(', ')} */${text}` : text];
			},
			postprocess: (messages) => messages.flat(),
			supportsAutofix: false,
		},
	},
};

export default defineConfig([
	globalIgnores(['**/node_modules', 'test/data']),
	{ files: ['**/*.json'], ignores: ['**/package-lock.json'], plugins: { json }, language: 'json/json', extends: ['json/recommended'] },
	{
		files: ['luci-app-ntsd/**/*.js', 'test/standin/**/*.js'],
		plugins: { js, luci: required },
		processor: 'luci/require',
		extends: ['js/recommended'],
		languageOptions: {
			sourceType: 'script',
			ecmaVersion: 2018, // what the browsers of LuCI 21.02's days know
			globals: { ...globals.browser, ...Object.fromEntries(luci.map((n) => [n, 'readonly'])) },
			parserOptions: { ecmaFeatures: { globalReturn: true } },
		},
		rules: {
			'strict': 'off', 'no-prototype-builtins': 'off', 'no-empty': 'off', 'no-regex-spaces': 'off', 'no-control-regex': 'off',
			'no-undef': 'error',
			'no-unused-vars': ['error', { args: 'none', caughtErrors: 'none' }],
			'no-shadow-restricted-names': 'error',
			'no-restricted-syntax': ['error',
				{ selector: "CallExpression[callee.name='eval']", message: 'nothing is evaluated' },
				{ selector: "AssignmentExpression[left.property.name='innerHTML']", message: 'what a server wrote must not become markup: E() and text' },
			],
		},
	},
	{ files: ['test/standin/**/*.js'], rules: { 'no-restricted-syntax': 'off', 'no-unused-vars': 'off' } },
	{
		files: ['test/**/*.mjs'],
		plugins: { js },
		extends: ['js/recommended'],
		languageOptions: { globals: { ...globals.node, ...globals.browser } },
		rules: { 'no-unused-vars': ['error', { args: 'none', caughtErrors: 'none' }] },
	},
]);
