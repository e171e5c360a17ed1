// Stands where a harness would be started: leaves its credentials for a test to act with, and waits to be stopped.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

const { AIWM_AGENT_ID: agentId, AIWM_AGENT_SECRET: secret, REINS_STATE_DIR: stateDir } = process.env;
writeFileSync(join(stateDir, 'credentials.json'), JSON.stringify({ agentId, secret }));
setTimeout(() => process.exit(0), 600_000);
