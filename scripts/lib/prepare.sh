# shellcheck shell=bash
# Shared by the scripts a newcomer starts: says what is missing in plain words and does each step only when needed.

step() { printf '\n==> %s\n' "$*" >&2; }
give_up() { printf '\n%s\n' "$*" >&2; exit 1; }

prepare_node() {
  command -v node >/dev/null || give_up "Node.js is missing. Install Node.js 20.19 or newer and run this again."
  node -e 'const [a,b]=process.versions.node.split(".").map(Number);process.exit(a>20||(a===20&&b>=19)?0:1)' ||
    give_up "Node.js $(node --version) is too old. Install Node.js 20.19 or newer and run this again."
  command -v npm >/dev/null || give_up "npm is missing. It usually comes with Node.js; install it and run this again."
  command -v git >/dev/null || give_up "git is missing. Install it (for example: apt-get install git) and run this again."
}

prepare_packages() {
  local stamp=node_modules/.reins-lock
  if [[ -f $stamp ]] && cmp -s package-lock.json "$stamp"; then return; fi
  step "Installing packages (once, about a minute)"
  # Not `npm ci`: it refuses a lock file that lacks the binaries other platforms could choose.
  npm install --no-save --loglevel=error >/dev/null || give_up "npm could not install the packages. Is its registry reachable? (npm ping)"
  cp package-lock.json "$stamp"
}

# Builds when a source is newer than the last build.
prepare_build() {
  local stamp=dist/.built
  if [[ -f $stamp ]] && [[ -z $(find apps libs package-lock.json webpack.config.cjs nest-cli.json tsconfig.base.json -newer "$stamp" -type f -print -quit) ]]; then return; fi
  step "Building (about half a minute)"
  npm run --silent build >/tmp/reins-build.$$.log 2>&1 || { cat /tmp/reins-build.$$.log >&2; rm -f /tmp/reins-build.$$.log; give_up "The build failed; the lines above say where."; }
  rm -f /tmp/reins-build.$$.log
  touch "$stamp"
}
