/** The rules between rooms. A broken one names the room that must not know the other. */
const only = (name, comment, target, allowed) => ({
  name,
  comment,
  severity: 'error',
  from: { pathNot: [...allowed, '\\.spec\\.ts$', '^scripts/bench/', '^test/'] },
  to: { path: target },
});

module.exports = {
  forbidden: [
    {
      name: 'no-circular',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'apps-never-import-apps',
      severity: 'error',
      from: { path: '^apps/([^/]+)/' },
      to: { path: '^apps/', pathNot: '^apps/$1/' },
    },
    { name: 'libs-never-import-apps', severity: 'error', from: { path: '^libs/' }, to: { path: '^apps/' } },
    only('only-repositories-know-mongoose', 'no document leaves a repository', 'node_modules/mongoose/', [
      '\\.repository\\.ts$',
      '\\.schema\\.ts$',
      '^apps/controller/src/database/',
    ]),
    only('only-the-link-knows-sockets', 'socket.io stays in link/', 'node_modules/socket\\.io', ['/link/']),
    only('only-its-launcher-knows-kubernetes', 'the client stays in its room', 'node_modules/@kubernetes/', [
      '^apps/controller/src/launchers/kubernetes/',
    ]),
    only('only-the-bus-and-the-link-know-redis', 'everyone else publishes and subscribes', 'node_modules/ioredis/', [
      '^apps/controller/src/bus/',
      '^apps/controller/src/link/',
    ]),
    only('only-drivers-know-a-cli', 'a CLI is named only in drivers/', '^apps/harness/src/drivers/[^/]+/', [
      '^apps/harness/src/drivers/',
    ]),
    { name: 'no-unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'no-dev-dependencies',
      severity: 'error',
      from: { path: '^(apps|libs)/', pathNot: '\\.spec\\.ts$' },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^dist' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.base.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
    },
  },
};
