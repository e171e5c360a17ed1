/**
 * Ends with 1 where what npm installed here is not what package-lock.json says, or the lock is not of this package.json.
 * `npm ci` would do, but it also refuses a lock without the binaries of every other platform.
 */
const { readFileSync } = require('node:fs');

const read = (path) => JSON.parse(readFileSync(path, 'utf8'));
const KINDS = ['dependencies', 'devDependencies', 'optionalDependencies'];

const manifest = read('package.json');
const locked = read('package-lock.json').packages;
const installed = read('node_modules/.package-lock.json').packages;
const problems = [];

for (const kind of KINDS) {
  const [wanted, noted] = [manifest[kind] ?? {}, locked[''][kind] ?? {}];
  for (const name of new Set([...Object.keys(wanted), ...Object.keys(noted)])) {
    if (wanted[name] !== noted[name]) {
      problems.push(`${name}: package.json says ${wanted[name] ?? 'nothing'}, the lock ${noted[name] ?? 'nothing'}`);
    }
  }
}
for (const [path, { version, integrity }] of Object.entries(installed)) {
  const lock = locked[path];
  if (lock === undefined) problems.push(`${path}: ${version} was installed and is not in the lock`);
  else if (lock.version !== version || lock.integrity !== integrity) {
    problems.push(`${path}: ${version} was installed, the lock has ${lock.version}`);
  }
}
for (const name of Object.keys(manifest.dependencies ?? {})) {
  if (installed[`node_modules/${name}`] === undefined) problems.push(`${name}: was not installed`);
}

if (problems.length > 0) {
  process.stderr.write(`package-lock.json does not fit:\n${problems.map((problem) => `  ${problem}\n`).join('')}`);
  process.exitCode = 1;
}
