import { type SessionPod } from '../../launcher.port';
import { poolKeyOf } from './pool-key';

const POD: SessionPod = {
  cluster: 'here',
  image: 'harness:1',
  settings: { resources: { requests: { cpu: '1', memory: '1Gi' }, limits: {} }, nodeSelector: { a: '1', b: '2' } },
};
const URL = 'http://reins:3305';

describe('the key of a warm pool', () => {
  it('is a label value, and the same however the settings were written', () => {
    const other: SessionPod = {
      settings: { nodeSelector: { b: '2', a: '1' }, resources: { requests: { memory: '1Gi', cpu: '1' } } },
      image: 'harness:1',
      cluster: 'here',
    };
    expect(poolKeyOf(other, URL)).toBe(poolKeyOf(POD, URL));
    expect(poolKeyOf(POD, URL)).toMatch(/^[0-9a-f]{20}$/);
  });

  it.each<[string, SessionPod, string]>([
    ['cluster', { ...POD, cluster: 'there' }, URL],
    ['image', { ...POD, image: 'harness:2' }, URL],
    ['a setting', { ...POD, settings: { ...POD.settings, priorityClassName: 'high' } }, URL],
    ['an amount', { ...POD, settings: { ...POD.settings, resources: { requests: { cpu: '2', memory: '1Gi' } } } }, URL],
    ['no egress at all', { ...POD, settings: { ...POD.settings, egress: [] } }, URL],
    ['address of the controller', POD, 'https://reins.example'],
  ])('is another one for another %s', (_what, pod, url) => {
    expect(poolKeyOf(pod, url)).not.toBe(poolKeyOf(POD, URL));
  });
});
