// SPDX-License-Identifier: Apache-2.0
// A function that is compiled to machine code and then keeps memory: with "keep" it is called as often
// as it takes to be compiled, and its buffers are kept. So much other code is compiled after it that
// what node says of it has left node's own buffers.
'use strict';

const readline = require('readline');

const BUFFER_BYTES = 20000;
const FUNCTIONS = 2000;
const held = [];

function keepBuffers(count) {
	for (let i = 0; i < count; i++)
		held.push(Buffer.allocUnsafeSlow(BUFFER_BYTES));
}

function compileMuch() {
	for (let i = 0; i < FUNCTIONS; i++) {
		const sum = new Function('n', `let s = 0; for (let i = 0; i < n; i++) s += i * ${i}; return s;`);
		for (let k = 0; k < 200; k++)
			sum(50);
	}
}

function keep() {
	for (let i = 0; i < 500; i++) {
		held.length = 0;
		keepBuffers(20);
	}
	held.length = 0;
	compileMuch();
	keepBuffers(100);
	return { held: held.length };
}

const input = readline.createInterface({ input: process.stdin });
input.on('line', (line) => {
	if (line === 'keep')
		console.log(JSON.stringify(keep()));
});
console.log(JSON.stringify({ ready: true }));
