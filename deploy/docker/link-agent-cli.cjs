/**
 * Links the commands of the installed agent CLI into ./bin. A package whose command is only put in place by an install
 * script, which does not run here, brings its native program in a package of the platform: that one is linked then.
 */
const { chmodSync, existsSync, mkdirSync, readFileSync, symlinkSync } = require('node:fs');
const { join, relative } = require('node:path');

const read = (path) => JSON.parse(readFileSync(join(path, 'package.json'), 'utf8'));

const [name] = Object.keys(read('.').dependencies);
const folder = join('node_modules', name);
const { bin, optionalDependencies = {} } = read(folder);
const commands = typeof bin === 'string' ? { [name.split('/').pop()]: bin } : bin;
const platform = Object.keys(optionalDependencies).find((one) => one.endsWith(`-${process.platform}-${process.arch}`));

mkdirSync('bin');
for (const [command, file] of Object.entries(commands)) {
  const native =
    platform === undefined ? [] : [command, join('bin', command)].map((path) => join('node_modules', platform, path));
  const target = [...native, join(folder, file)].find((path) => existsSync(path));
  if (target === undefined) throw new Error(`${name} has no program for the command ${command}`);
  chmodSync(target, 0o755);
  symlinkSync(relative('bin', target), join('bin', command));
}
process.stdout.write(`commands: ${Object.keys(commands).join(', ')}\n`);
