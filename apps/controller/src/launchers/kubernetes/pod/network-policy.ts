import {
  type V1NetworkPolicy,
  type V1NetworkPolicyEgressRule,
  type V1NetworkPolicyPeer,
  type V1NetworkPolicyPort,
} from '@kubernetes/client-node';
import { isIP } from 'node:net';
import { type EgressRule } from '@reins/shared/api/pods';
import { type AnyPodRequest, podNames } from './pod-request';

/** Models and repositories on the internet; nothing inside the network, and no cloud's metadata. */
const INTERNET: EgressRule[] = [
  {
    cidr: '0.0.0.0/0',
    except: ['10.0.0.0/8', '100.64.0.0/10', '169.254.0.0/16', '172.16.0.0/12', '192.168.0.0/16'],
    ports: [22, 443],
  },
];

const DNS_PORTS: V1NetworkPolicyPort[] = [
  { protocol: 'UDP', port: 53 },
  { protocol: 'TCP', port: 53 },
];

/**
 * Nobody may connect to the pod; it may reach names, the controller and what its worker allows. A policy knows addresses
 * only, so a controller known by a name outside the cluster is allowed by its port alone.
 */
export function sessionPolicy(request: AnyPodRequest): V1NetworkPolicy {
  const { settings } = request;
  const { name, labels, podSelector } = podNames(request);
  return {
    metadata: { name, labels },
    spec: {
      podSelector: { matchLabels: podSelector },
      policyTypes: ['Ingress', 'Egress'],
      ingress: [],
      egress: [{ ports: DNS_PORTS }, toController(request.baseUrl), ...(settings.egress ?? INTERNET).map(allow)],
    },
  };
}

function toController(baseUrl: string): V1NetworkPolicyEgressRule {
  const { hostname, port, protocol } = new URL(baseUrl);
  const host = hostname.replace(/^\[|\]$/g, '');
  const number = port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port);
  const to = peerOf(host);
  return { ports: [{ protocol: 'TCP', port: number }], ...(to && { to: [to] }) };
}

/** An address is one peer; a Service is the pods of its namespace; another name may be anywhere. */
function peerOf(host: string): V1NetworkPolicyPeer | undefined {
  const version = isIP(host);
  if (version !== 0) return { ipBlock: { cidr: `${host}/${version === 4 ? 32 : 128}` } };
  const [, namespace] = /^[^.]+\.([^.]+)\.svc(?:\.|$)/.exec(host) ?? [];
  if (namespace === undefined) return undefined;
  return { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } } };
}

function allow({ cidr, except, ports }: EgressRule): V1NetworkPolicyEgressRule {
  return {
    to: [{ ipBlock: { cidr, ...(except && { except }) } }],
    ...(ports && { ports: ports.map((port) => ({ protocol: 'TCP', port })) }),
  };
}
