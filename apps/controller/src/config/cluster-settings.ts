import { z } from 'zod';

/** One cluster sessions may run in. */
export const ClusterSettings = z.strictObject({
  /** Path of a kubeconfig; without it the pod's own service account, else KUBECONFIG or ~/.kube/config. */
  kubeconfig: z.string().min(1).optional(),
  /** A context of the kubeconfig other than its current one. */
  context: z.string().min(1).optional(),
  /** Namespace of the sessions; without it KUBERNETES_NAMESPACE, else that of the context or the controller's pod. */
  namespace: z.string().min(1).max(63).optional(),
  /** Where harnesses in this cluster reach the controller, if not at PUBLIC_URL. */
  baseUrl: z.url().optional(),
});
export type ClusterSettings = z.infer<typeof ClusterSettings>;

/** LAUNCHER_CLUSTERS: clusters by name. The first one takes sessions whose worker names none. */
export const ClusterList = z
  .record(z.string().regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/), ClusterSettings)
  .refine((clusters) => Object.keys(clusters).length > 0, 'must name at least one cluster');
