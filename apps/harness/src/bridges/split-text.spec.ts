import fc from 'fast-check';
import { splitText } from './split-text';

/** Whether the piece ends inside a code block, as Markdown reads it: a block ends with at least as many ticks as it began. */
function endsInCode(piece: string): boolean {
  let open = 0;
  for (const line of piece.split('\n')) {
    const ticks = /^`{3,}/.exec(line)?.[0].length ?? 0;
    if (open === 0) open = ticks;
    else if (ticks >= open && /^`+ *$/.test(line)) open = 0;
  }
  return open > 0;
}

describe('splitText', () => {
  it('leaves a short text as it is, and has nothing to say for a blank one', () => {
    expect(splitText('one\ntwo', 100)).toEqual(['one\ntwo']);
    expect([splitText('', 100), splitText(' \n\n ', 100)]).toEqual([[], []]);
  });

  it('splits on line borders', () => {
    expect(splitText('aaaa\nbbbb\ncccc\ndddd', 10)).toEqual(['aaaa\nbbbb', 'cccc\ndddd']);
  });

  it('splits a long line at a blank, or inside a word where there is none', () => {
    expect(splitText('aaa bbb ccc ddd', 9)).toEqual(['aaa bbb ', 'ccc ddd']);
    expect(splitText('a'.repeat(25), 10)).toEqual(['a'.repeat(10), 'a'.repeat(10), 'a'.repeat(5)]);
  });

  it('never splits a character in two', () => {
    const pieces = splitText('😀'.repeat(20), 7);
    expect(pieces.join('')).toBe('😀'.repeat(20));
    expect(pieces.every((piece) => piece.length <= 7 && !/\p{Surrogate}/u.test(piece))).toBe(true);
  });

  it('closes a code block at the end of a piece and opens it again in the next', () => {
    const pieces = splitText('look:\n```ts\nconst a = 1;\nconst b = 2;\n```\ndone', 32);
    expect(pieces).toEqual(['look:\n```ts\nconst a = 1;\n```', '```ts\nconst b = 2;\n```\ndone']);
  });

  it('closes a code block nobody closed', () => {
    expect(splitText('```\ncode', 100)).toEqual(['```\ncode\n```']);
  });

  it('stops after ten pieces and says so', () => {
    const pieces = splitText(Array.from({ length: 100 }, (_, i) => `line ${i} ${'x'.repeat(80)}`).join('\n'), 100);
    expect(pieces).toHaveLength(10);
    expect(pieces[9]).toContain('too long for a chat');
    expect(Math.max(...pieces.map(({ length }) => length))).toBeLessThanOrEqual(100);
  });

  it('whatever the text: no piece is too long or blank, blocks are balanced, and every line is there in its order', () => {
    const line = fc.oneof(
      fc.constantFrom('```', '```ts', '````', 'short', ''),
      fc.string({ maxLength: 30 }).filter((text) => !/[`\r\n]/.test(text)),
      fc.integer({ min: 1, max: 120 }).map((length) => 'w'.repeat(length)),
    );
    fc.assert(
      fc.property(fc.array(line, { maxLength: 12 }), fc.integer({ min: 70, max: 200 }), (lines, limit) => {
        const text = lines.join('\n');
        const pieces = splitText(text, limit);
        for (const piece of pieces) {
          expect(piece.length).toBeLessThanOrEqual(limit);
          expect(piece.trim()).not.toBe('');
          expect(endsInCode(piece)).toBe(false);
        }
        const plain = (from: string): string => from.replace(/^ {0,3}`{3,}.*$/gm, '').replace(/\s/g, '');
        const [said, cut] = pieces.join('\n').split('[the rest of the answer');
        if (cut === undefined) expect(plain(said ?? '')).toBe(plain(text));
        else expect(plain(text).startsWith(plain(said ?? ''))).toBe(true);
      }),
      { numRuns: 500 },
    );
  });
});
