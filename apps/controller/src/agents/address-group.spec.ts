import { addressGroup } from './address-group';

describe('addressGroup', () => {
  it('leaves IPv4 as it is, however it is written', () => {
    expect(addressGroup('192.0.2.7')).toBe('192.0.2.7');
    expect(addressGroup('::ffff:192.0.2.7')).toBe('192.0.2.7');
    expect(addressGroup('::FFFF:192.0.2.8')).toBe('192.0.2.8');
  });

  it('takes the /64 of IPv6 for one address', () => {
    const group = '2001:db8:1:2::/64';
    for (const address of [
      '2001:db8:1:2::1',
      '2001:0DB8:0001:0002:ffff:ffff:ffff:ffff',
      '2001:db8:1:2:3:4:192.0.2.7',
      '2001:db8:1:2::7%eth0',
    ]) {
      expect(addressGroup(address)).toBe(group);
    }
    expect(addressGroup('2001:db8:1:3::1')).not.toBe(group);
    expect(addressGroup('2001:db8::1:2:3:4')).toBe('2001:db8:0:0::/64');
    expect(addressGroup('::1')).toBe('0:0:0:0::/64');
    expect(addressGroup('2001:db8:1::')).toBe('2001:db8:1:0::/64');
  });

  it('takes what is no address as it is', () => {
    expect(addressGroup('unknown')).toBe('unknown');
  });
});
