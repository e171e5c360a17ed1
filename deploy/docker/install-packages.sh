#!/bin/sh
# Installs the locked production packages of the current folder inside an image build. Settings of the building machine
# come as secrets (npmrc, ca), so that neither they nor a registry's address stay in a layer.
set -eu

if [ -s /run/secrets/ca ]; then
  export npm_config_cafile=/run/secrets/ca NODE_EXTRA_CA_CERTS=/run/secrets/ca
fi
if [ -s /run/secrets/npmrc ]; then export npm_config_userconfig=/run/secrets/npmrc; fi
export npm_config_cache=/tmp/npm-cache npm_config_update_notifier=false

# No package's script runs: natives come prebuilt, and a script of a dependency has no business in a build.
npm install --no-save --omit=dev --ignore-scripts --no-audit --no-fund --loglevel=error
node "$(dirname "$0")/verify-lock.cjs"

# Types and source maps are never loaded; npm's own note of what is installed carries nothing the lock has not.
find node_modules \( -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' -o -name '*.map' \) -type f -delete
rm -rf "$npm_config_cache" node_modules/.package-lock.json
