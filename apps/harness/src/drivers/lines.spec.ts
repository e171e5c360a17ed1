import { LineSplitter } from './lines';

describe('LineSplitter', () => {
  it('gives the same lines however the bytes are cut', () => {
    const text = 'one\n\nzwölf 🐙 €\r\nlast';
    const bytes = Buffer.from(text);
    for (let size = 1; size <= bytes.length; size++) {
      const splitter = new LineSplitter();
      const lines: string[] = [];
      for (let at = 0; at < bytes.length; at += size) lines.push(...splitter.push(bytes.subarray(at, at + size)));
      expect([...lines, splitter.rest()]).toEqual(['one', '', 'zwölf 🐙 €', 'last']);
    }
  });

  it('joins a line of 10 MB that comes in small chunks', () => {
    const splitter = new LineSplitter();
    const chunk = Buffer.alloc(64 * 1024, 'x');
    for (let count = 0; count < 160; count++) expect(splitter.push(chunk)).toEqual([]);
    expect(splitter.push(Buffer.from('\n'))[0]).toHaveLength(160 * 64 * 1024);
  });

  it('drops a line above the limit, says so once, and goes on with the next', () => {
    let dropped = 0;
    const splitter = new LineSplitter(10, () => dropped++);
    expect(splitter.push(Buffer.from('12345678'))).toEqual([]);
    expect(splitter.push(Buffer.from('9abcdef'))).toEqual([]);
    expect(splitter.push(Buffer.from('more\nnext\n'))).toEqual(['next']);
    expect(dropped).toBe(1);
  });

  it('has no rest after a line end', () => {
    const splitter = new LineSplitter();
    splitter.push(Buffer.from('a\n'));
    expect(splitter.rest()).toBeUndefined();
  });
});
