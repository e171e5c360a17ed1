# shellcheck shell=bash
# Programs that no Debian package has in a fitting version: built once with Go, kept in the cache by version and content.

KUBERNETES_PROGRAMS=(kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy kubectl)

require_go() {
  command -v go >/dev/null || give_up "Go is missing. Install Go 1.24 or newer: the programs of the cluster are built with it."
  local version
  version=$(go env GOVERSION)
  if ! [[ $version =~ ^go1\.([0-9]+) ]] || ((BASH_REMATCH[1] < 24)); then
    give_up "Go is too old ($version). Install Go 1.24 or newer: the programs of the cluster are built with it."
  fi
}

content_hash() { (cd "$PARTS_DIR" && find "$@" -type f -print0 | sort -z | xargs -0 sha256sum) | sha256sum | cut -c1-12; }

kubernetes_folder() { printf '%s/kubernetes-%s-%s' "$CACHE" "$KUBERNETES_VERSION" "$(content_hash kubernetes/go.mod kubernetes/go.sum)"; }
storage_folder() { printf '%s/storage-%s' "$CACHE" "$(content_hash kubernetes/go.mod kubernetes/go.sum kubernetes/storage)"; }
images_folder() { printf '%s/images-%s' "$CACHE" "$(content_hash images)"; }

# go_build OUTPUT MODULE ARGUMENT…: an interrupted build leaves no half program under the final name.
go_build() {
  local output=$1 module=$2
  shift 2
  if [[ -x $output ]]; then return; fi
  require_go
  progress "building $(basename "$output") (once; minutes on a small machine)"
  mkdir -p "$(dirname "$output")"
  (cd "$module" && CGO_ENABLED=0 GOFLAGS=-buildvcs=false go build -trimpath -o "$output.part" "$@") >&2 ||
    give_up "$(basename "$output") could not be built; the lines above say why."
  mv "$output.part" "$output"
}

# go_install OUTPUT PACKAGE@VERSION
go_install() {
  local output=$1 folder
  if [[ -x $output ]]; then return; fi
  require_go
  progress "building ${2##*/} (once; minutes on a small machine)"
  mkdir -p "$CACHE"
  folder=$(mktemp -d "$CACHE/.install.XXXXXX")
  CGO_ENABLED=0 GOFLAGS=-buildvcs=false GOBIN=$folder go install -trimpath -ldflags '-s -w' "$2" >&2 ||
    { rm -rf "$folder"; give_up "${2##*/} could not be built; the lines above say why."; }
  mkdir -p "$(dirname "$output")"
  mv "$folder/$(basename "${2%@*}")" "$output"
  rm -rf "$folder"
}

# Prints the path of a program, built first where the cache lacks it.
tool_path() {
  local name=$1 path
  case $name in
    helm) path=$CACHE/helm-$HELM_VERSION/helm && go_install "$path" "helm.sh/helm/v3/cmd/helm@$HELM_VERSION" ;;
    coredns) path=$CACHE/coredns-$COREDNS_VERSION/coredns && go_install "$path" "github.com/coredns/coredns@$COREDNS_VERSION" ;;
    local-storage) path=$(storage_folder)/local-storage && go_build "$path" "$PARTS_DIR/kubernetes" -ldflags '-s -w' ./storage ;;
    pause | probe) path=$(images_folder)/$name && go_build "$path" "$PARTS_DIR/images" -ldflags '-s -w' "./$name" ;;
    kubectl)
      # Any kubectl of the machine will do.
      path=$(command -v kubectl) || { path=$(kubernetes_folder)/kubectl && build_kubernetes kubectl "$path"; }
      ;;
    *) path=$(kubernetes_folder)/$name && build_kubernetes "$name" "$path" ;;
  esac
  printf '%s' "$path"
}

# Without the version's parts the API server and the kubelet call themselves v0.0.0.
build_kubernetes() {
  local stamp=k8s.io/component-base/version minor=${KUBERNETES_VERSION#v1.}
  go_build "$2" "$PARTS_DIR/kubernetes" \
    -ldflags "-s -w -X $stamp.gitVersion=$KUBERNETES_VERSION -X $stamp.gitMajor=1 -X $stamp.gitMinor=${minor%%.*}" \
    "k8s.io/kubernetes/cmd/$1"
}

prepare_binaries() {
  local program path
  mkdir -p "$RUN/bin"
  for program in "${KUBERNETES_PROGRAMS[@]}" coredns helm local-storage pause probe; do
    path=$(tool_path "$program") || exit 1
    ln -sfn "$path" "$RUN/bin/$program"
  done
}
