/**
 * Nest's default, with one change: the libraries of this repository are bundled, packages from npm stay external.
 * Type checking has its own command (npm run typecheck), so the build only transpiles.
 */
module.exports = (options) => ({
  ...options,
  module: {
    rules: [
      {
        test: /\.ts$/,
        exclude: /node_modules/,
        loader: 'ts-loader',
        options: { transpileOnly: true, configFile: options.module.rules[0].use[0].options.configFile },
      },
    ],
  },
  plugins: [],
  devtool: 'source-map',
});
