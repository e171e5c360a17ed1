/** prom-client samples every 10 ms, and an idle loop shows just that. */
const RESOLUTION_MS = 10;

/**
 * 99th percentile of a controller's event-loop delay since the last call, in ms; asking starts a new measurement. The
 * sampling interval itself is taken off, so an idle process shows about 0.
 */
export async function loopDelayP99Ms(url: string): Promise<number> {
  const response = await fetch(`${url}/metrics`);
  if (!response.ok) throw new Error(`${url}/metrics answered ${response.status}`);
  const seconds = /^nodejs_eventloop_lag_p99_seconds ([\d.e+-]+)$/m.exec(await response.text())?.[1];
  if (seconds === undefined) throw new Error('the metrics have no nodejs_eventloop_lag_p99_seconds');
  return Math.max(0, Number(seconds) * 1000 - RESOLUTION_MS);
}
