// SPDX-License-Identifier: Apache-2.0
// Calls of JavaScript functions whose number and order are known, at whose end a buffer is made.
// Obeys "hold" by making another one, in which 'innermost' is called by 'turn', that by itself, TURNS
// times in all, that by native code for Array.prototype.map, and that by 'outermost'.
'use strict';

const readline = require('readline');

const BUFFER_BYTES = 300 * 1024;
const TURNS = 20;
const held = [];

function innermost() {
	held.push(Buffer.allocUnsafeSlow(BUFFER_BYTES));
}

function turn(left) {
	if (left > 1)
		turn(left - 1);
	else
		innermost();
}

function outermost() {
	[TURNS].map((turns) => turn(turns));
}

const input = readline.createInterface({ input: process.stdin });
input.on('line', (line) => {
	if (line === 'hold')
		outermost();
	console.log(JSON.stringify({ held: held.length }));
});
console.log(JSON.stringify({ ready: true, buffer_bytes: BUFFER_BYTES, turns: TURNS }));
