import { EnrollRequest, Labels } from '@reins/shared/api/enrollment';
import { ConfigError } from '../config/load-config';

/** What the environment says about registering. */
export interface EnrollmentEnvironment {
  token: string;
  name: string | undefined;
  labels: Labels;
}

/** Undefined without REINS_ENROLLMENT_TOKEN. Throws a ConfigError that repeats no value. */
export function enrollmentEnvironment(env: Readonly<Record<string, string>>): EnrollmentEnvironment | undefined {
  // Secrets that were made from a file often end in its line break.
  const token = env['REINS_ENROLLMENT_TOKEN']?.trim();
  if (token === undefined || token === '') return undefined;
  return { token, name: agentName(env['AGENT_NAME']), labels: agentLabels(env['AGENT_LABELS']) };
}

function agentName(text: string | undefined): string | undefined {
  const parsed = EnrollRequest.shape.name.safeParse(text);
  if (parsed.success) return parsed.data;
  const problem = parsed.error.issues[0]?.message ?? 'is not usable';
  throw new ConfigError(`AGENT_NAME ${problem}: the controller would refuse to register it`);
}

/** `zone=eu-1,gpu=none`; spaces around keys and values do not count. */
function agentLabels(text: string | undefined): Labels {
  const pairs = (text ?? '').split(',').filter((pair) => pair.trim() !== '');
  const entries = pairs.map((pair): [string, string] => {
    const at = pair.indexOf('=');
    if (at < 0) throw new ConfigError('AGENT_LABELS must be key=value pairs with commas between: one has no =');
    return [pair.slice(0, at).trim(), pair.slice(at + 1).trim()];
  });
  const parsed = Labels.safeParse(Object.fromEntries(entries));
  if (parsed.success) return parsed.data;
  throw new ConfigError(`AGENT_LABELS is not usable: a label ${parsed.error.issues[0]?.message ?? 'is wrong'}`);
}
