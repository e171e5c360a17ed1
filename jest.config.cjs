/**
 * Sizes: unit (beside the source), e2e (a booted controller, real sockets and database), scenario (built processes),
 * cluster (a real Kubernetes cluster; only by `./scripts/test --cluster`).
 */
const common = {
  rootDir: __dirname,
  testEnvironment: 'node',
  transform: {
    '^.+\\.(ts|mjs|js)$': [
      '@swc/jest',
      {
        jsc: {
          target: 'es2022',
          parser: { syntax: 'typescript', decorators: true },
          transform: { legacyDecorator: true, decoratorMetadata: true },
        },
        module: { type: 'commonjs' },
      },
    ],
  },
  // The Kubernetes client and what it is made of are published as ES modules only.
  transformIgnorePatterns: [
    '/node_modules/(?!(@kubernetes/client-node|openid-client|oauth4webapi|jose|jsonpath-plus|rfc4648)/)',
  ],
  moduleNameMapper: {
    '^@reins/shared/(.*)$': '<rootDir>/libs/shared/src/$1',
    '^@reins/embedded-mongo$': '<rootDir>/libs/embedded-mongo/src/index.ts',
  },
};

module.exports = {
  projects: [
    { ...common, displayName: 'unit', testMatch: ['<rootDir>/{apps,libs,scripts}/**/*.spec.ts'] },
    { ...common, displayName: 'e2e', testMatch: ['<rootDir>/test/e2e/**/*.e2e.ts'] },
    { ...common, displayName: 'scenario', testMatch: ['<rootDir>/test/scenario/**/*.scenario.ts'] },
    { ...common, displayName: 'cluster', testMatch: ['<rootDir>/test/cluster/**/*.cluster.ts'] },
  ],
};
