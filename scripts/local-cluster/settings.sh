# shellcheck shell=bash
# Names, addresses, versions and folders of the local cluster.
# shellcheck disable=SC2034  # every part below reads some of them

KUBERNETES_VERSION=v1.34.4
HELM_VERSION=v3.19.0
COREDNS_VERSION=v1.12.4

CACHE=${REINS_CLUSTER_CACHE:-$HOME/.cache/reins/cluster}
RUN=${REINS_CLUSTER_DIR:-/var/tmp/reins-cluster}
# The namespace, the cgroup and the pod network carry the folder's name: clusters in other folders do not meet.
NAME=$(basename "$RUN")

NETNS=/run/netns/$NAME
NODE_NAME=node-1
# Documentation addresses (RFC 5737): no route of the host is ever hidden by them.
NODE_IP=192.0.2.1
SERVICE_RANGE=10.96.0.0/16
SERVICE_IP=10.96.0.1
POD_RANGE=10.244.0.0/24
API_URL=https://$NODE_IP:6443
CONTAINERD_SOCKET=$RUN/containerd.sock
ADMIN_KUBECONFIG=$RUN/kubeconfig

# In the order in which they start; they stop in the opposite order.
PARTS=(etcd apiserver controller-manager scheduler containerd kubelet proxy dns storage)
