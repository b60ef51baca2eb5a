/**
 * Keeps a small shell beside this process that ends our children if this process dies without doing so itself.
 * It must not end anything that was not handed to it, and nothing that was taken back.
 */
import { type ChildProcess, spawn } from 'node:child_process';

/** Ends processes and removes folders once this process is gone, even after kill -9. */
export type Keeper = {
  /** Hands a child over: it gets `signal` when we are gone, and SIGKILL after ten seconds more. */
  hold(signal: 'INT' | 'TERM', pid: number): void;
  /** Takes a child back, because it ended. */
  drop(signal: 'INT' | 'TERM', pid: number): void;
  /** Removes a temporary folder when we are gone, after the processes. */
  removeAtEnd(folder: string): void;
};

// The shell reads until the pipe closes, which the kernel does for us however we end.
const SCRIPT = `
trap '' INT TERM HUP
held=' '
folders=''
while read -r verb rest; do
  case $verb in
    hold) held="$held$rest " ;;
    drop) held="\${held%% "$rest" *} \${held#* "$rest" }" ;;
    remove) folders="$folders$rest
" ;;
  esac
done
alive() { for entry in $held; do kill -0 "\${entry#*:}" 2>/dev/null && return 0; done; return 1; }
for entry in $held; do kill -"\${entry%%:*}" "\${entry#*:}" 2>/dev/null; done
tries=0
while alive && [ $tries -lt 100 ]; do tries=$((tries + 1)); sleep 0.1; done
for entry in $held; do kill -KILL "\${entry#*:}" 2>/dev/null; done
printf '%s' "$folders" | while read -r folder; do [ -n "$folder" ] && rm -rf -- "$folder"; done
`;

let shared: Keeper | undefined;

/** Returns this process's keeper, started at the first call. */
export function getKeeper(): Keeper {
  shared ??= createKeeper();
  return shared;
}

function createKeeper(): Keeper {
  const shell = spawn('/bin/sh', ['-c', SCRIPT], { detached: true, stdio: ['pipe', 'ignore', 'ignore'], cwd: '/' });
  releaseFromLoop(shell);
  const send = (line: string) => shell.stdin?.write(`${line}\n`);
  return {
    hold: (signal, pid) => send(`hold ${signal}:${pid}`),
    drop: (signal, pid) => send(`drop ${signal}:${pid}`),
    removeAtEnd: (folder) => send(`remove ${folder}`),
  };
}

function releaseFromLoop(shell: ChildProcess): void {
  shell.unref();
  shell.on('error', () => undefined);
  shell.stdin?.on('error', () => undefined);
  const stdin = shell.stdin;
  if (stdin && 'unref' in stdin && typeof stdin.unref === 'function') stdin.unref();
}
