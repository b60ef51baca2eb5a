/**
 * The group of commits: what shares a transaction, in which order, and whose error is whose.
 * It must not need a database; `processes.test.ts` runs it on real ones.
 */
import { expect, it } from 'vitest';
import { createCommitGroup, GROUP_MAX } from '../src/store/commit-group.ts';

type Round = PromiseWithResolvers<number[]> & { readonly shards: readonly number[] };

/** A group whose rounds the test ends. */
function openGroup() {
  const rounds: Round[] = [];
  let heard = Promise.withResolvers<void>();
  const group = createCommitGroup<{ shard: number }>({
    together: (commits) => {
      const round = { ...Promise.withResolvers<number[]>(), shards: commits.map(({ shard }) => shard) };
      rounds.push(round);
      heard.resolve();
      heard = Promise.withResolvers();
      return round.promise;
    },
    groupsMax: 1,
    isRefused: (error) => (error as Error).message === 'refused',
  });
  const until = async (count: number): Promise<Round> => {
    while (rounds.length < count) await heard.promise;
    return rounds[count - 1] as Round;
  };
  return { group, rounds, until };
}

it('what waits for a commit goes together after it, by shard, and each gets its own number', async () => {
  const { group, rounds, until } = openGroup();
  const first = group.commit({ shard: 2 });
  const alone = await until(1);
  const others = [3, 0, 1].map((shard) => group.commit({ shard }));
  alone.resolve([7]);
  expect(await first).toBe(7);
  const together = await until(2);
  together.resolve([10, 11, 13]);
  expect(await Promise.all(others)).toEqual([13, 10, 11]);
  expect(rounds.map(({ shards }) => shards)).toEqual([[2], [0, 1, 3]]);
});

it('of a refused transaction each commit is tried alone, and only the refused one fails', async () => {
  const { group, until } = openGroup();
  const both = [0, 1].map((shard) => group.commit({ shard }));
  (await until(1)).reject(new Error('refused'));
  (await until(2)).resolve([5]);
  (await until(3)).reject(new Error('refused'));
  const outcomes = await Promise.allSettled(both);
  expect(outcomes[0]).toEqual({ status: 'fulfilled', value: 5 });
  expect(outcomes[1]).toMatchObject({ status: 'rejected', reason: { message: 'refused' } });
});

it('after an error that leaves the outcome unknown nothing is tried again', async () => {
  const { group, rounds, until } = openGroup();
  const both = [0, 1].map((shard) => group.commit({ shard }));
  (await until(1)).reject(new Error('connection lost'));
  for (const outcome of await Promise.allSettled(both)) {
    expect(outcome).toMatchObject({ status: 'rejected', reason: { message: 'connection lost' } });
  }
  const next = group.commit({ shard: 0 });
  (await until(2)).resolve([1]);
  expect(await next).toBe(1);
  expect(rounds).toHaveLength(2);
});

it('a transaction that hangs holds up nobody, and no transaction is larger than the limit', async () => {
  const { group, rounds, until } = openGroup();
  const hanging = group.commit({ shard: 0 });
  await until(1);
  const others = Array.from({ length: GROUP_MAX + 1 }, (_, i) => group.commit({ shard: i + 1 }));
  (await until(2)).resolve(Array.from({ length: GROUP_MAX }, (_, i) => i));
  (await until(3)).resolve([99]);
  expect(await others.at(-1)).toBe(99);
  expect(rounds.map(({ shards }) => shards.length)).toEqual([1, GROUP_MAX, 1]);
  (await until(1)).resolve([42]);
  expect(await hanging).toBe(42);
});
