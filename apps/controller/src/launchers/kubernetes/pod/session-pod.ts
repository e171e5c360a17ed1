import { type PodSettings } from '@reins/shared/api/pods';
import { type SessionPod } from '../../launcher.port';

interface Images {
  baseImage: string;
  vwImage?: string;
}

/** How a pod is made: as the worker says, else its runtime, else the defaults. */
export function sessionPod(
  { vwImage, baseImage }: Images,
  own: PodSettings,
  defaults: PodSettings,
  clusterOf: (name: string | undefined) => string,
): SessionPod {
  const settings = merged(defaults, own);
  return { cluster: clusterOf(settings.cluster), image: own.image ?? vwImage ?? baseImage, settings };
}

/** What is said of one resource leaves the others as they are. */
function merged(defaults: PodSettings, own: PodSettings): PodSettings {
  const resources = {
    requests: { ...defaults.resources?.requests, ...own.resources?.requests },
    limits: { ...defaults.resources?.limits, ...own.resources?.limits },
  };
  return { ...defaults, ...own, resources };
}
