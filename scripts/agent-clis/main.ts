import { installAgentCli } from './install';

/** `npx tsx scripts/agent-clis/main.ts <name>`: progress on stderr, the path of the executable alone on stdout. */
installAgentCli(process.argv[2] ?? '', { progress: (line) => console.error(line) }).then(
  (path) => console.log(path),
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  },
);
