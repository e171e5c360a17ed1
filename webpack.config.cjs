const { resolve } = require('node:path');

/**
 * Nest's default with three changes: the libraries of this repository are bundled (packages from npm stay external),
 * modules are only transpiled (types have a command of their own: npm run typecheck), and the bundle is kept readable.
 */
module.exports = (options) => {
  const [rule] = options.module.rules;
  const { configFile } = rule.use[0].options;
  return {
    ...options,
    resolve: {
      ...options.resolve,
      alias: {
        '@reins/shared': resolve(__dirname, 'libs/shared/src'),
        '@reins/embedded-mongo': resolve(__dirname, 'libs/embedded-mongo/src/index.ts'),
      },
    },
    module: {
      // createRequire is meant for the agent's own modules, which webpack knows nothing of.
      parser: { javascript: { createRequire: false } },
      rules: [
        {
          test: /\.ts$/,
          exclude: /node_modules/,
          loader: 'ts-loader',
          options: { transpileOnly: true, configFile },
        },
      ],
    },
    plugins: [],
    devtool: 'source-map',
  };
};
