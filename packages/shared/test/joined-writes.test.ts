/**
 * What is written to a socket in one turn: it travels in one call, in order, and nothing waits beyond the turn or for more than its limit.
 * It must see the calls that a stream's own buffering makes; how the system cuts them is not ours.
 */
import { Writable } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { JOINED_BYTES_MAX, joinWrites } from '../src/joined-writes.ts';

function openWritable() {
  const calls: string[][] = [];
  const socket = new Writable({
    decodeStrings: false,
    write: (chunk, _, done) => {
      calls.push([String(chunk)]);
      done();
    },
    writev: (chunks, done) => {
      calls.push(chunks.map(({ chunk }) => String(chunk)));
      done();
    },
  });
  joinWrites(socket);
  return { socket, calls };
}

it('joins the writes of a turn, those of what follows from it at once included', async () => {
  const { socket, calls } = openWritable();
  socket.write('a');
  await Promise.resolve();
  socket.write(Buffer.from('b'));
  await Promise.resolve();
  socket.write('c');
  expect(calls).toEqual([]);
  await nextTurn();
  expect(calls).toEqual([['a', 'b', 'c']]);
  socket.write('d');
  await nextTurn();
  expect(calls).toEqual([['a', 'b', 'c'], ['d']]);
});

it('holds no more than its limit, and lets an end through with all that was written', async () => {
  const { socket, calls } = openWritable();
  const large = 'x'.repeat(JOINED_BYTES_MAX);
  socket.write('a');
  socket.write(large);
  expect(calls).toEqual([['a', large]]);
  socket.write('b');
  const ended = new Promise((resolve) => socket.end('c', () => resolve(undefined)));
  await ended;
  expect(calls.flat()).toEqual(['a', large, 'b', 'c']);
});

it('keeps the callbacks of writes', async () => {
  const { socket } = openWritable();
  const done: string[] = [];
  socket.write('a', () => done.push('a'));
  socket.write('b', 'utf8', () => done.push('b'));
  await nextTurn();
  expect(done).toEqual(['a', 'b']);
});
