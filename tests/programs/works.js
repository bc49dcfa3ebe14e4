// SPDX-License-Identifier: Apache-2.0
// What node does in native memory: buffers, compression, hashes, threads of its pool, workers, JSON.
// Says that it is ready; obeys "work" by doing all of it and printing a digest of the results, which
// is the same in every run, and how many bytes of buffers it still holds; ends with its input.
'use strict';

const crypto = require('crypto');
const readline = require('readline');
const { promisify } = require('util');
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');
const zlib = require('zlib');

const KIB = 1024;
const HELD_BUFFERS = 64;
const WORKERS = 3;
const held = [];

// Marsaglia's xorshift: the same numbers in every run.
function numbers(seed) {
	let state = seed;
	return () => {
		state ^= state << 13;
		state ^= state >>> 17;
		state ^= state << 5;
		return state >>> 0;
	};
}

function text(seed, words) {
	const next = numbers(seed);
	return Array.from({ length: words }, () => (next() % 5000).toString(36)).join(' ');
}

function holdBuffers() {
	let bytes = 0;
	for (let i = 0; i < HELD_BUFFERS; i++) {
		const buffer = Buffer.allocUnsafeSlow((16 + i) * KIB);
		buffer.fill(i);
		held.push(buffer);
		bytes += buffer.length;
	}
	return bytes;
}

function roundTrip(seed) {
	const plain = Buffer.from(text(seed, 4000));
	const packed = [zlib.gzipSync(plain), zlib.brotliCompressSync(plain, {
		params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 4 },
	})];
	if (!zlib.gunzipSync(packed[0]).equals(plain))
		throw new Error('gzip');
	if (!zlib.brotliDecompressSync(packed[1]).equals(plain))
		throw new Error('brotli');
	return packed;
}

function objects(seed) {
	const next = numbers(seed);
	const rows = Array.from({ length: 3000 }, (_, i) => ({
		i, name: text(next() | 1, 3), tags: [next() % 7, next() % 11], at: { x: next() / 3 },
	}));
	rows.sort((a, b) => a.name < b.name ? -1 : a.name > b.name ? 1 : a.i - b.i);
	return JSON.stringify(JSON.parse(JSON.stringify(rows)));
}

// In the threads of the pool, in whatever order they come.
async function inPool(seed) {
	const deflate = promisify(zlib.deflate), derive = promisify(crypto.pbkdf2);
	const parts = Array.from({ length: 40 }, (_, i) => i % 2
		? deflate(text(seed + i, 1500))
		: derive(`word ${i}`, 'salt', 200, 64, 'sha512'));
	return Promise.all(parts);
}

function inWorker(seed) {
	return new Promise((resolve, reject) => {
		const worker = new Worker(__filename, { workerData: seed });
		worker.on('message', resolve);
		worker.on('error', reject);
	});
}

function digest(parts) {
	const hash = crypto.createHash('sha256');
	for (const part of parts)
		hash.update(part);
	return hash.digest('hex');
}

async function work() {
	const held_bytes = holdBuffers();
	const parts = [];
	for (let i = 1; i <= 20; i++)
		parts.push(...roundTrip(i), objects(i));
	parts.push(...await inPool(1000));
	parts.push(...await Promise.all(Array.from({ length: WORKERS }, (_, i) => inWorker(i + 1))));
	return { digest: digest(parts), held_bytes };
}

function serve() {
	const input = readline.createInterface({ input: process.stdin });
	input.on('line', async (line) => {
		if (line === 'work')
			console.log(JSON.stringify(await work()));
	});
	console.log(JSON.stringify({ ready: true }));
}

if (isMainThread)
	serve();
else
	parentPort.postMessage(digest([...roundTrip(workerData), objects(workerData)]));
