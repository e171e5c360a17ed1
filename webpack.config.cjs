const { basename, dirname, join, resolve } = require('node:path');

/**
 * A harness is started for every session, so its start counts: its packages are bundled too (a few files are read faster
 * than hundreds) and what it does not use of them is left out. The externals are optional: for ws, and for discord.js.
 */
const HARNESS = {
  mode: 'production',
  externals: {
    bufferutil: 'commonjs bufferutil',
    'utf-8-validate': 'commonjs utf-8-validate',
    'zlib-sync': 'commonjs zlib-sync',
  },
  optimization: { minimize: false, nodeEnv: false, chunkIds: 'named', moduleIds: 'named' },
};

/**
 * Nest's default with three changes: the libraries of this repository are bundled (packages from npm stay external),
 * modules are only transpiled (types have a command of their own: npm run typecheck), and the bundle is kept readable.
 */
module.exports = (options) => {
  const [rule] = options.module.rules;
  const isHarness = options.entry.includes('harness');
  const { configFile } = rule.use[0].options;
  const { path, filename } = options.output;
  return {
    ...options,
    ...(isHarness && HARNESS),
    // Chunks are found relative to the entry: its folder may be packed and unpacked anywhere.
    output: {
      ...options.output,
      path: join(path ?? resolve(__dirname, 'dist'), dirname(filename)),
      filename: basename(filename),
    },
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
