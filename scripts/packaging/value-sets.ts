/** Values that the chart is rendered, linted and shown to an API server with; together they turn every part on. */
export const VALUE_SETS: Readonly<Record<string, object>> = {
  defaults: {},
  'one controller on a MongoDB server': {
    mongodb: { uri: 'mongodb://db.example/reins' },
    sessions: { pod: { image: 'reins-harness:0.1.0', resources: { requests: { cpu: '100m' } } } },
    config: { LOG_LEVEL: 'debug', EVENTS_MAX_BYTES_PER_SESSION: 4_194_304 },
  },
  'several controllers, everything made': {
    replicas: 3,
    mongodb: { uri: 'mongodb+srv://db.example/reins' },
    redis: { url: 'rediss://cache.example:6380' },
    ingress: {
      enabled: true,
      className: 'nginx',
      annotations: { 'nginx.ingress.kubernetes.io/proxy-buffering': 'off' },
      hosts: [{ host: 'reins.example.com' }],
      tls: [{ secretName: 'reins-tls', hosts: ['reins.example.com'] }],
    },
    clusters: [
      {
        name: 'west',
        kubeconfigSecret: { name: 'reins-west' },
        namespace: 'work',
        baseUrl: 'https://reins.example.com',
      },
      { name: 'east', kubeconfigSecret: { name: 'reins-east', key: 'config' }, context: 'admin' },
    ],
    networkPolicy: {
      ingressFrom: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'ingress' } } }],
    },
    tolerations: [{ key: 'reins', operator: 'Exists', effect: 'NoSchedule' }],
    nodeSelector: { 'kubernetes.io/os': 'linux' },
    podAnnotations: { 'example.com/team': 'reins' },
    extraVolumes: [{ name: 'ca', configMap: { name: 'ca', optional: true } }],
    extraVolumeMounts: [{ name: 'ca', mountPath: '/etc/ca', readOnly: true }],
    envFrom: [{ secretRef: { name: 'provider-keys', optional: true } }],
  },
  'existing secrets, scaled by load': {
    autoscaling: { enabled: true, minReplicas: 2, maxReplicas: 5, targetMemoryUtilizationPercentage: 80 },
    auth: { existingSecret: 'given', secretKey: 'jwt', previousSecretKey: 'jwt-before' },
    mongodb: { existingSecret: 'given', secretKey: 'mongo' },
    redis: { existingSecret: 'given', secretKey: 'redis' },
    serviceMonitor: { enabled: true, labels: { release: 'prometheus' }, tokenSecret: { name: 'scrape' } },
    imagePullSecrets: [{ name: 'registry' }],
  },
  'no sessions in this cluster': { sessions: { launcher: 'external' }, persistence: { enabled: false } },
};
