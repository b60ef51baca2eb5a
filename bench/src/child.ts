/**
 * Starts a helper process of a bench and exchanges messages with it.
 * It must not leave the process behind: it ends with its channel.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';

/** A helper process that is sent `Request` and answers `Reply`. */
export type Child<Request, Reply extends { kind: string }> = {
  readonly pid: number;
  send(request: Request): void;
  /** Waits for an answer of a kind, those that came already and were not waited for included. Errors: rejects when the process ends, or after the deadline. */
  next<Kind extends Reply['kind']>(kind: Kind, deadlineMs?: number): Promise<Extract<Reply, { kind: Kind }>>;
  close(): Promise<void>;
};

/** Starts `bench/src/<path>`. */
export function startChild<Request extends object, Reply extends { kind: string }>(
  path: string,
  execArgv: readonly string[] = [],
): Child<Request, Reply> {
  const child = fork(join(import.meta.dirname, path), { serialization: 'advanced', execArgv: [...execArgv] });
  const waiting = new Map<string, (reply: Reply) => void>();
  const come = new Map<string, Reply>();
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.on('message', (reply: Reply) => {
    const waiter = waiting.get(reply.kind);
    waiting.delete(reply.kind);
    if (waiter === undefined) come.set(reply.kind, reply);
    else waiter(reply);
  });
  return {
    pid: child.pid ?? 0,
    send: (request) => void child.send(request),
    next: <Kind extends Reply['kind']>(kind: Kind, deadlineMs = 30_000) => {
      const known = come.get(kind);
      come.delete(kind);
      if (known !== undefined) return Promise.resolve(known as Extract<Reply, { kind: Kind }>);
      return waitFor(child, deadlineMs, `${path}: ${kind}`, (resolve) =>
        waiting.set(kind, (reply) => resolve(reply as never)),
      );
    },
    close: async () => {
      child.kill();
      await ended;
    },
  };
}

function waitFor<T>(
  child: ChildProcess,
  deadlineMs: number,
  what: string,
  begin: (resolve: (value: T) => void) => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const fail = (reason: string) => () => reject(new Error(`${what} ${reason}`));
    const timer = setTimeout(fail(`did not come in ${deadlineMs} ms`), deadlineMs);
    const onExit = fail('did not come: the process has ended');
    child.once('exit', onExit);
    begin((value) => {
      clearTimeout(timer);
      child.off('exit', onExit);
      resolve(value);
    });
  });
}
