import { type ChildProcess, spawn } from 'node:child_process';

/**
 * Kept to what every POSIX shell knows. It lives in a session of its own and reads from a pipe that only the harness
 * holds: the end of the pipe is the end of the harness, however it came.
 */
const SCRIPT = `
groups=""
while read -r op pid; do
  case "$op" in
    add) groups="$groups $pid" ;;
    del) kept=""; for g in $groups; do [ "$g" = "$pid" ] || kept="$kept $g"; done; groups="$kept" ;;
  esac
done
for g in $groups; do kill -s KILL -- "-$g" 2>/dev/null; done
exit 0
`;

/** Ends the process groups of a harness that was killed before it could do so itself. Started with the first group. */
export class Watchdog {
  private shell: ChildProcess | undefined;

  add(pid: number): void {
    this.shell ??= this.start();
    this.tell(`add ${pid}\n`);
  }

  remove(pid: number): void {
    this.tell(`del ${pid}\n`);
  }

  private start(): ChildProcess {
    const shell = spawn('/bin/sh', ['-c', SCRIPT], { stdio: ['pipe', 'ignore', 'ignore'], detached: true, env: {} });
    // Where there is no shell the pid files are what is left: the next harness in this folder cleans up.
    shell.on('error', () => undefined);
    shell.stdin?.on('error', () => undefined);
    // Neither the process nor its pipe may keep a harness alive that is done.
    shell.unref();
    (shell.stdin as { unref?: () => void } | null)?.unref?.();
    return shell;
  }

  private tell(line: string): void {
    if (this.shell?.stdin?.writable === true) this.shell.stdin.write(line);
  }
}
