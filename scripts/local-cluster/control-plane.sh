# shellcheck shell=bash
# etcd, API server, controller manager, scheduler.

start_etcd() {
  # Nothing here outlives the machine: waiting for the disk would only slow the tests.
  run_part etcd etcd --name "$NAME" --data-dir "$RUN/etcd" --unsafe-no-fsync --logger zap \
    --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
    --listen-peer-urls http://127.0.0.1:2380 --initial-advertise-peer-urls http://127.0.0.1:2380 \
    --initial-cluster "$NAME=http://127.0.0.1:2380"
}
ready_etcd() { listens 127.0.0.1 2379; }

start_apiserver() {
  # The default admission plugins are on: PodSecurity, ResourceQuota, LimitRanger, ServiceAccount, Priority,
  # DefaultStorageClass among them.
  run_part apiserver "$RUN/bin/kube-apiserver" --etcd-servers=http://127.0.0.1:2379 \
    --advertise-address="$NODE_IP" --bind-address=0.0.0.0 --secure-port=6443 --service-cluster-ip-range="$SERVICE_RANGE" \
    --authorization-mode=Node,RBAC --client-ca-file="$RUN/pki/ca.crt" \
    --tls-cert-file="$RUN/pki/apiserver.crt" --tls-private-key-file="$RUN/pki/apiserver.key" \
    --kubelet-client-certificate="$RUN/pki/kubelet-caller.crt" --kubelet-client-key="$RUN/pki/kubelet-caller.key" \
    --kubelet-preferred-address-types=InternalIP \
    --service-account-issuer=https://kubernetes.default.svc.cluster.local \
    --service-account-key-file="$RUN/pki/service-account.pub" --service-account-signing-key-file="$RUN/pki/service-account.key"
}
ready_apiserver() { cluster_kubectl get --raw=/readyz; }

start_controller_manager() {
  # A node that is gone is noticed in 20 s instead of 50 s, so that tests of it stay short.
  run_part controller-manager "$RUN/bin/kube-controller-manager" --kubeconfig="$RUN/pki/controller-manager.kubeconfig" \
    --authentication-kubeconfig="$RUN/pki/controller-manager.kubeconfig" \
    --authorization-kubeconfig="$RUN/pki/controller-manager.kubeconfig" --bind-address=127.0.0.1 --leader-elect=false \
    --use-service-account-credentials --root-ca-file="$RUN/pki/ca.crt" \
    --service-account-private-key-file="$RUN/pki/service-account.key" --node-monitor-grace-period=20s
}
ready_controller_manager() { listens 127.0.0.1 10257; }

start_scheduler() {
  run_part scheduler "$RUN/bin/kube-scheduler" --kubeconfig="$RUN/pki/scheduler.kubeconfig" \
    --authentication-kubeconfig="$RUN/pki/scheduler.kubeconfig" --authorization-kubeconfig="$RUN/pki/scheduler.kubeconfig" \
    --bind-address=127.0.0.1 --leader-elect=false
}
ready_scheduler() { listens 127.0.0.1 10259; }
