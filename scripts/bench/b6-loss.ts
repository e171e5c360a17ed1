import { leaseLoss } from './loss/lease-loss';
import { podLoss } from './loss/pod-loss';
import { processLoss } from './loss/process-loss';
import { type Options } from './options';
import { noCluster } from './support/cluster-client';
import { type Part, type RowReport, told } from './support/report';

export async function harnessLoss(options: Options): Promise<RowReport> {
  const parts: Part[] = [await told(processLoss(options)), await told(leaseLoss(options))];
  const missing = noCluster();
  if (missing === undefined) parts.push(await told(podLoss(options)));
  else process.stderr.write(`SKIPPED the pods of b6: ${missing}\n`);
  return {
    id: 'b6',
    title: 'Harness killed → session state correct',
    measures: parts.flatMap(({ measures }) => measures),
    verdicts: parts.flatMap(({ verdicts }) => verdicts),
    notes: [
      'Correct is what a viewer of the session’s event stream has seen, both durable: the session suspended, its running turn interrupted; the API is asked afterwards. CPU is the controller’s meanwhile.',
      'Process: the harness a controller started as its child. Floor: the exit event of a bare child.',
      ...parts.flatMap(({ notes = [] }) => notes),
      missing === undefined
        ? 'Pod: every process of the harness is killed from inside its pod, by kubectl exec, whose own way is in the floor; the same pod’s events come to a bare watch in the driver.'
        : `SKIPPED the pods: ${missing}.`,
    ],
  };
}
