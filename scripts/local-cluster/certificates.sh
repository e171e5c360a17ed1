# shellcheck shell=bash
# One authority for the cluster's life, a certificate for every caller, a kubeconfig for each of them.

CERTIFICATE_DAYS=365

create_authority() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days "$CERTIFICATE_DAYS" -subj "/CN=$NAME" \
    -keyout "$RUN/pki/ca.key" -out "$RUN/pki/ca.crt" 2>/dev/null
}

# create_certificate FILE SUBJECT [SUBJECT-ALTERNATIVE-NAMES]
create_certificate() {
  local file=$RUN/pki/$1 usage=clientAuth extensions
  if [[ -n ${3:-} ]]; then usage=serverAuth; fi
  extensions="extendedKeyUsage=$usage"
  if [[ -n ${3:-} ]]; then extensions+=$'\n'"subjectAltName=$3"; fi
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "$2" -keyout "$file.key" -out "$file.csr" 2>/dev/null
  openssl x509 -req -in "$file.csr" -CA "$RUN/pki/ca.crt" -CAkey "$RUN/pki/ca.key" -CAcreateserial \
    -days "$CERTIFICATE_DAYS" -extfile <(printf '%s\n' "$extensions") -out "$file.crt" 2>/dev/null
  rm -f "$file.csr"
}

# create_kubeconfig CERTIFICATE FILE
create_kubeconfig() {
  local certificate
  certificate=$(base64 -w0 <"$RUN/pki/$1.crt")
  (umask 077 && fill_in kubeconfig.yaml "CERTIFICATE=$certificate" "KEY=$(base64 -w0 <"$RUN/pki/$1.key")" \
    "AUTHORITY=$(base64 -w0 <"$RUN/pki/ca.crt")" >"$2")
}

# fill_in TEMPLATE NAME=VALUE…: every @NAME@ of a file in config/; the cluster's own settings are known to all.
fill_in() {
  local text pair
  text=$(cat "$PARTS_DIR/config/$1")
  shift
  for pair in "$@" "RUN=$RUN" "NAME=$NAME" "NODE_NAME=$NODE_NAME" "NODE_IP=$NODE_IP" "API_URL=$API_URL" \
    "SERVICE_RANGE=$SERVICE_RANGE" "POD_RANGE=$POD_RANGE" "CONTAINERD_SOCKET=$CONTAINERD_SOCKET"; do
    text=${text//"@${pair%%=*}@"/"${pair#*=}"}
  done
  printf '%s\n' "$text"
}

create_certificates() {
  if [[ -f $RUN/pki/complete ]]; then return; fi
  progress "creating certificates"
  (umask 077 && mkdir -p "$RUN/pki")
  create_authority
  create_certificate apiserver "/CN=kube-apiserver" \
    "IP:127.0.0.1,IP:$NODE_IP,IP:$SERVICE_IP,DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local"
  create_certificate kubelet-caller "/O=system:masters/CN=kube-apiserver-kubelet-client"
  create_certificate admin "/O=system:masters/CN=admin"
  create_certificate controller-manager "/CN=system:kube-controller-manager"
  create_certificate scheduler "/CN=system:kube-scheduler"
  create_certificate kubelet "/O=system:nodes/CN=system:node:$NODE_NAME"
  create_certificate proxy "/CN=system:kube-proxy"
  create_certificate dns "/CN=local-cluster:dns"
  create_certificate storage "/CN=local-cluster:storage"
  openssl genrsa -out "$RUN/pki/service-account.key" 2048 2>/dev/null
  openssl rsa -in "$RUN/pki/service-account.key" -pubout -out "$RUN/pki/service-account.pub" 2>/dev/null

  local part
  for part in controller-manager scheduler kubelet proxy dns storage; do create_kubeconfig "$part" "$RUN/pki/$part.kubeconfig"; done
  create_kubeconfig admin "$ADMIN_KUBECONFIG"
  touch "$RUN/pki/complete"
}
