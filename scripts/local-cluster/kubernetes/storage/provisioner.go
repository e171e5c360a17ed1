package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/kubernetes"
	listers "k8s.io/client-go/listers/core/v1"
)

const (
	provisionerName     = "reins.dev/local"
	className           = "local"
	provisionedBy       = "pv.kubernetes.io/provisioned-by"
	selectedNode        = "volume.kubernetes.io/selected-node"
	responsibleForClaim = "volume.kubernetes.io/storage-provisioner"
	hostnameOfNode      = "kubernetes.io/hostname"
	folderMode          = 0o755
)

type provisioner struct {
	client     kubernetes.Interface
	node, root string
	claims     listers.PersistentVolumeClaimLister
	volumes    listers.PersistentVolumeLister
}

func (p provisioner) reconcile(ctx context.Context) {
	claims, err := p.claims.List(labels.Everything())
	if err != nil {
		log.Print(err)
	}
	for _, claim := range claims {
		if p.isWaiting(claim) {
			report(p.provide(ctx, claim))
		}
	}
	volumes, err := p.volumes.List(labels.Everything())
	if err != nil {
		log.Print(err)
	}
	for _, volume := range volumes {
		if isReleased(volume) {
			report(p.remove(ctx, volume))
		}
	}
}

// isWaiting: the class binds late, so the scheduler has chosen the node before.
func (p provisioner) isWaiting(claim *core.PersistentVolumeClaim) bool {
	return claim.DeletionTimestamp == nil && claim.Spec.VolumeName == "" &&
		claim.Annotations[responsibleForClaim] == provisionerName && claim.Annotations[selectedNode] == p.node
}

func isReleased(volume *core.PersistentVolume) bool {
	return volume.DeletionTimestamp == nil && volume.Annotations[provisionedBy] == provisionerName &&
		volume.Status.Phase == core.VolumeReleased && volume.Spec.PersistentVolumeReclaimPolicy == core.PersistentVolumeReclaimDelete
}

func (p provisioner) provide(ctx context.Context, claim *core.PersistentVolumeClaim) error {
	volume := p.volumeFor(claim)
	// Only the root user's own: the kubelet gives it to the pod's fsGroup.
	if err := os.MkdirAll(volume.Spec.Local.Path, folderMode); err != nil {
		return err
	}
	_, err := p.client.CoreV1().PersistentVolumes().Create(ctx, volume, meta.CreateOptions{})
	if errors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

func (p provisioner) remove(ctx context.Context, volume *core.PersistentVolume) error {
	path := filepath.Join(p.root, volume.Name)
	if volume.Spec.Local == nil || volume.Spec.Local.Path != path {
		return fmt.Errorf("%s is not a folder of ours", volume.Name)
	}
	if err := os.RemoveAll(path); err != nil {
		return err
	}
	err := p.client.CoreV1().PersistentVolumes().Delete(ctx, volume.Name, meta.DeleteOptions{})
	if errors.IsNotFound(err) {
		return nil
	}
	return err
}

func (p provisioner) volumeFor(claim *core.PersistentVolumeClaim) *core.PersistentVolume {
	name := "local-" + string(claim.UID)
	return &core.PersistentVolume{
		ObjectMeta: meta.ObjectMeta{Name: name, Annotations: map[string]string{provisionedBy: provisionerName}},
		Spec: core.PersistentVolumeSpec{
			Capacity:                      core.ResourceList{core.ResourceStorage: claim.Spec.Resources.Requests[core.ResourceStorage]},
			AccessModes:                   claim.Spec.AccessModes,
			PersistentVolumeReclaimPolicy: core.PersistentVolumeReclaimDelete,
			StorageClassName:              className,
			ClaimRef: &core.ObjectReference{
				APIVersion: "v1", Kind: "PersistentVolumeClaim", Namespace: claim.Namespace, Name: claim.Name, UID: claim.UID,
			},
			PersistentVolumeSource: core.PersistentVolumeSource{
				Local: &core.LocalVolumeSource{Path: filepath.Join(p.root, name)},
			},
			NodeAffinity: &core.VolumeNodeAffinity{Required: &core.NodeSelector{NodeSelectorTerms: []core.NodeSelectorTerm{{
				MatchExpressions: []core.NodeSelectorRequirement{
					{Key: hostnameOfNode, Operator: core.NodeSelectorOpIn, Values: []string{p.node}},
				},
			}}}},
		},
	}
}

func report(err error) {
	if err != nil {
		log.Print(err)
	}
}
