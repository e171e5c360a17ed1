import { messageCounter } from './counting-proxy';

function message(length: number): Buffer {
  const bytes = Buffer.alloc(length, 7);
  bytes.writeInt32LE(length, 0);
  return bytes;
}

describe('messageCounter', () => {
  const stream = Buffer.concat([message(16), message(100), message(17), message(5000)]);

  it.each([1, 3, 16, 99, 10_000])('counts every message once in chunks of %d bytes', (size) => {
    let count = 0;
    const feed = messageCounter(() => count++);
    for (let at = 0; at < stream.length; at += size) feed(stream.subarray(at, at + size));
    expect(count).toBe(4);
  });
});
