/**
 * What is done once the event loop has read its sockets: all of it in one turn, so that what it writes travels together.
 * It must not wait for anything else.
 */

const tasks: (() => void)[] = [];

/** Calls `task` after the running poll phase. Order: as asked for. Errors: a task must not throw. */
export function afterPoll(task: () => void): void {
  tasks.push(task);
  if (tasks.length > 1) return;
  setImmediate(() => {
    for (const one of tasks.splice(0)) one();
  });
}
