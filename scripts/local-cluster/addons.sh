# shellcheck shell=bash
# What makes a node useful: names, storage, and the two images everything else starts from.

start_dns() {
  fill_in Corefile >"$RUN/Corefile"
  run_part dns "$RUN/bin/coredns" -conf "$RUN/Corefile"
}
ready_dns() { in_namespace "$RUN/bin/probe" dns kubernetes.default.svc.cluster.local "$NODE_IP:53"; }

start_storage() {
  run_part storage "$RUN/bin/local-storage" -kubeconfig "$RUN/pki/storage.kubeconfig" -node "$NODE_NAME" -root "$RUN/volumes"
}
ready_storage() { cluster_kubectl get storageclass local; }

apply_addons() { cluster_kubectl apply -f "$PARTS_DIR/config/addons.yaml" >/dev/null; }

# write_image PROGRAM IMAGE FILE: a docker-archive of one layer with one static program.
write_image() {
  local program=${1##*/} folder layer
  folder=$(mktemp -d)
  cp "$1" "$folder/$program"
  tar -C "$folder" --owner=0 --group=0 --numeric-owner --mtime=@0 -cf "$folder/layer.tar" "$program"
  layer=$(sha256sum "$folder/layer.tar" | cut -d' ' -f1)
  printf '{"architecture":"%s","os":"linux","config":{"Entrypoint":["/%s"],"User":"65534:65534"},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \
    "$(go_architecture)" "$program" "$layer" >"$folder/config.json"
  printf '[{"Config":"config.json","RepoTags":["%s"],"Layers":["layer.tar"]}]' "$2" >"$folder/manifest.json"
  tar -C "$folder" -cf "$3" manifest.json config.json layer.tar
  rm -rf "$folder"
}

go_architecture() { case $(uname -m) in x86_64) echo amd64 ;; aarch64) echo arm64 ;; *) uname -m ;; esac; }

load_own_images() {
  local program name
  for program in pause:localhost/pause:1 probe:localhost/reins-probe:dev; do
    name=${program#*:}
    if [[ -n $(node_ctr images ls -q "name==$name") ]]; then continue; fi
    progress "loading $name"
    write_image "$RUN/bin/${program%%:*}" "$name" "$RUN/image.tar"
    node_ctr images import "$RUN/image.tar" >/dev/null
    rm -f "$RUN/image.tar"
  done
}

# load_image FILE|NAME: an oci-archive or docker-archive, or what buildah, docker or podman has under that name.
load_image() {
  local image=$1 file
  if [[ -f $image ]]; then
    node_ctr images import "$image" >&2 || give_up "$image could not be loaded. Is it an oci-archive or a docker-archive?"
    return
  fi
  file=$(mktemp -u "$RUN/image.XXXXXX.tar")
  save_image "$image" "$file" || { rm -f "$file"; give_up "No file $image, and neither buildah, docker nor podman has an image of that name."; }
  node_ctr images import "$file" >&2 || { rm -f "$file"; give_up "$image could not be loaded."; }
  rm -f "$file"
}

save_image() {
  local policy=$RUN/signature-policy.json program
  # Debian ships no policy file; the image was built here.
  printf '{"default":[{"type":"insecureAcceptAnything"}]}' >"$policy"
  if command -v buildah >/dev/null && buildah --storage-driver vfs inspect --type image "$1" >/dev/null 2>&1; then
    buildah --storage-driver vfs push --signature-policy "$policy" "$1" "oci-archive:$2:$1" >&2
    return
  fi
  for program in docker podman; do
    if command -v "$program" >/dev/null && "$program" image inspect "$1" >/dev/null 2>&1; then
      "$program" save -o "$2" "$1" >&2
      return
    fi
  done
  return 1
}
