import { type Options } from './options';
import { podStart } from './start/pod-start';
import { processStart } from './start/process-start';
import { warmStart } from './start/warm-start';
import { noCluster } from './support/cluster-client';
import { type Part, type RowReport, told } from './support/report';

export async function createToActive(options: Options): Promise<RowReport> {
  const parts: Part[] = [await told(processStart(options))];
  const missing = noCluster();
  if (missing === undefined) parts.push(await told(podStart(options)), await told(warmStart(options)));
  else process.stderr.write(`SKIPPED the pods of b8: ${missing}\n`);
  return {
    id: 'b8',
    title: 'Session created → active',
    measures: parts.flatMap(({ measures }) => measures),
    verdicts: parts.flatMap(({ verdicts }) => verdicts),
    notes: [
      'From sending POST /sessions until the session’s event stream has said active, which is durable before. CPU is the controller’s meanwhile, without the database.',
      ...parts.flatMap(({ notes = [] }) => notes),
      ...(missing === undefined ? [] : [`SKIPPED the pods: ${missing}.`]),
    ],
  };
}
