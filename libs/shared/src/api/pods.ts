import { isIP } from 'node:net';
import { z } from 'zod';

const QUANTITY = /^\d+(\.\d+)?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$/;
const DNS_LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const DNS_NAME = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;
const LABEL_KEY = /^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const LABEL_VALUE = /^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/;

const Quantity = z.string().max(40).regex(QUANTITY, 'must be a quantity such as 500m or 2Gi');
const ObjectName = z.string().max(253).regex(DNS_NAME, 'must be a name of lower-case letters, digits, - and .');
const Port = z.number().int().min(1).max(65_535);

const Amounts = z.strictObject({ cpu: Quantity, memory: Quantity, 'ephemeral-storage': Quantity }).partial();

const Cidr = z.string().refine(isCidr, 'must be a network such as 10.1.0.0/16 or 2001:db8::/32');

/** Addresses a session may open connections to, beside the controller and the name service. */
export const EgressRule = z.strictObject({
  cidr: Cidr,
  except: z.array(Cidr).max(50).optional(),
  /** TCP ports; all of them where none is named. */
  ports: z.array(Port).max(50).optional(),
});
export type EgressRule = z.infer<typeof EgressRule>;

const Toleration = z.strictObject({
  key: z.string().max(317).regex(LABEL_KEY, 'is not a valid taint key').optional(),
  operator: z.enum(['Exists', 'Equal']).optional(),
  value: z.string().max(63).regex(LABEL_VALUE, 'is not a valid taint value').optional(),
  effect: z.enum(['NoSchedule', 'PreferNoSchedule', 'NoExecute']).optional(),
  tolerationSeconds: z.number().int().min(0).optional(),
});

/** How the pod of a session is made, as a worker says it; what it leaves out comes from KUBERNETES_POD. */
export const PodSettings = z
  .strictObject({
    /** One of LAUNCHER_CLUSTERS; without it the first. */
    cluster: z.string().max(63).regex(DNS_LABEL, 'must be the name of a cluster'),
    /** Instead of the image of the worker's runtime. */
    image: z.string().min(1).max(500),
    imagePullPolicy: z.enum(['Always', 'IfNotPresent', 'Never']),
    imagePullSecrets: z.array(ObjectName).max(10),
    resources: z.strictObject({ requests: Amounts, limits: Amounts }).partial(),
    workspace: z.strictObject({
      /** persistent: a claim that outlives the pod, so that the session can be suspended. ephemeral: gone with the pod. */
      type: z.enum(['persistent', 'ephemeral']).default('persistent'),
      size: Quantity.default('10Gi'),
      storageClassName: ObjectName.optional(),
    }),
    nodeSelector: z
      .record(z.string().max(317).regex(LABEL_KEY), z.string().max(63).regex(LABEL_VALUE))
      .refine((labels) => Object.keys(labels).length <= 20, 'must name at most 20 labels'),
    tolerations: z.array(Toleration).max(20),
    priorityClassName: ObjectName,
    runtimeClassName: ObjectName,
    egress: z.array(EgressRule).max(100),
    /** How long the harness has between the polite signal and the end. */
    terminationGracePeriodSeconds: z.number().int().min(1).max(3_600),
  })
  .partial();
export type PodSettings = z.infer<typeof PodSettings>;

function isCidr(text: string): boolean {
  const [address = '', bits, ...more] = text.split('/');
  const version = isIP(address);
  if (version === 0 || more.length > 0 || bits === undefined || !/^\d{1,3}$/.test(bits)) return false;
  return Number(bits) <= (version === 4 ? 32 : 128);
}
