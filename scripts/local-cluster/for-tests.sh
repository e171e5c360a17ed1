# shellcheck shell=bash
# The cluster of ./scripts/test --cluster: the one of KUBECONFIG, else ours, started for the tests if it is not up.

entrance=()
started_cluster=no

# Nothing where none of ours is up.
own_kubeconfig() { { scripts/cluster env 2>/dev/null || true; } | sed -n 's/^export KUBECONFIG=//p'; }

prepare_cluster() {
  local own
  own=$(own_kubeconfig)
  if [[ -n ${KUBECONFIG:-} && $KUBECONFIG != "$own" ]]; then
    prepare_given_cluster
    return
  fi
  if [[ -z $own ]]; then started_cluster=yes; fi
  step "Cluster"
  scripts/cluster up || give_up "The tests have no cluster. Set KUBECONFIG to use another one."
  step "Images"
  scripts/images build || give_up "The images could not be built."
  scripts/images load || give_up "The images could not be loaded."
  # shellcheck disable=SC2034  # read by scripts/test
  entrance=(scripts/cluster exec)
}

prepare_given_cluster() {
  step "Cluster of KUBECONFIG"
  command -v kubectl >/dev/null || give_up "kubectl is missing. The tests use it."
  kubectl get --raw=/readyz >/dev/null || give_up "The cluster of KUBECONFIG ($KUBECONFIG) does not answer."
  [[ -n ${REINS_IMAGE_PREFIX:-} ]] ||
    give_up "REINS_IMAGE_PREFIX is not set. Push the images of scripts/images, and of scripts/cluster probe-archive, to where this cluster pulls from, and name it: REINS_IMAGE_PREFIX=registry.example.com/reins/ stands for registry.example.com/reins/reins-harness:dev"
}

# Only what was started here: a cluster that was up before belongs to somebody.
release_cluster() {
  if [[ $started_cluster == yes ]]; then scripts/cluster down || true; fi
}
