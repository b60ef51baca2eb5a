/**
 * Lets small commits of several shards share one transaction, and so one wait for the disk, while others are under way.
 * It must give each commit its own outcome: one that is refused never takes another with it.
 */

/** Most commits of one transaction. */
export const GROUP_MAX = 8;

/** Transactions under way at a time: while one is being flushed, the other works. */
export const GROUPS_MAX = 2;

/** A transaction that takes longer holds up nobody: what waits for it goes on without it. Units: ms. */
export const GROUP_HOLD_MAX_MS = 50;

/** One commit. Order: a group is sent by its `shard`s, lowest first, so that two groups cannot wait for each other. */
export type GroupedCommit = { readonly shard: number };

/** What a group is given. `together` resolves in the order of `commits`; `isRefused` says of an error that nothing was stored for certain. */
export type CommitGroupOptions<Commit extends GroupedCommit> = {
  readonly together: (commits: readonly Commit[]) => Promise<number[]>;
  readonly isRefused: (error: unknown) => boolean;
  /** By default GROUPS_MAX. */
  readonly groupsMax?: number;
};

type Waiting<Commit> = { readonly commit: Commit; readonly outcome: PromiseWithResolvers<number> };

/** The commits of one aggregator. */
export type CommitGroup<Commit extends GroupedCommit> = {
  /** Commits, alone or with what waits beside it. Errors: those of its own statement. Limits: one commit of a shard at a time. */
  commit(commit: Commit): Promise<number>;
};

/** Creates the group of an aggregator. */
export function createCommitGroup<Commit extends GroupedCommit>(
  options: CommitGroupOptions<Commit>,
): CommitGroup<Commit> {
  const { groupsMax = GROUPS_MAX } = options;
  const waiting: Waiting<Commit>[] = [];
  let running = 0;
  let held = 0;
  let scheduled = false;

  // What the last round set free is asked for in this turn of the loop; the next round takes all of it.
  const schedule = (): void => {
    if (scheduled || waiting.length === 0 || running >= held + groupsMax) return;
    scheduled = true;
    setImmediate(() => {
      scheduled = false;
      const round = waiting.splice(0, GROUP_MAX);
      if (round.length > 0) void run(round);
      schedule();
    });
  };

  const run = async (round: Waiting<Commit>[]): Promise<void> => {
    running++;
    let isHeld = false;
    const timer = setTimeout(() => {
      isHeld = true;
      held++;
      schedule();
    }, GROUP_HOLD_MAX_MS);
    try {
      await commitRound(round);
    } finally {
      clearTimeout(timer);
      running--;
      if (isHeld) held--;
      schedule();
    }
  };

  const commitRound = async (round: Waiting<Commit>[]): Promise<void> => {
    const sorted = round.toSorted((a, b) => a.commit.shard - b.commit.shard);
    try {
      const batches = await options.together(sorted.map(({ commit }) => commit));
      for (const [i, { outcome }] of sorted.entries()) outcome.resolve(batches[i] as number);
    } catch (error) {
      if (sorted.length === 1 || !options.isRefused(error)) {
        for (const { outcome } of sorted) outcome.reject(error);
        return;
      }
      // One of them is refused and nothing is stored; each alone tells which.
      await Promise.all(sorted.map((one) => commitRound([one])));
    }
  };

  return {
    commit: (commit) => {
      const outcome = Promise.withResolvers<number>();
      waiting.push({ commit, outcome });
      schedule();
      return outcome.promise;
    },
  };
}
