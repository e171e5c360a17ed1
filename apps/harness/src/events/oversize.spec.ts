import fc from 'fast-check';
import { beginning, fitData } from './oversize';

const INLINE = 2048;

function collecting(fails = false): { uploads: Buffer[]; losses: string[]; options: Parameters<typeof fitData>[2] } {
  const uploads: Buffer[] = [];
  const losses: string[] = [];
  return {
    uploads,
    losses,
    options: {
      inlineBytes: INLINE,
      onLoss: (message) => losses.push(message),
      upload: async (content) => {
        if (fails) throw new Error('unreachable');
        uploads.push(content);
        return { blobId: `blob-${uploads.length}` };
      },
    },
  };
}

describe('fitData', () => {
  it('leaves small data as it is', async () => {
    const { uploads, options } = collecting();
    const data = { id: '1', output: 'small' };
    await expect(fitData('tool_result', data, options)).resolves.toEqual([data]);
    expect(uploads).toEqual([]);
  });

  it('stores large data and leaves its beginning, size, hash and reference', async () => {
    const { uploads, options } = collecting();
    const data = { id: '1', output: 'x'.repeat(10_000) };
    const [fitted] = await fitData('tool_result', data, options);
    expect(JSON.parse(uploads[0]?.toString() ?? '')).toEqual(data);
    expect(fitted).toMatchObject({ blobId: 'blob-1', sizeBytes: uploads[0]?.length });
    expect(fitted?.sha256).toMatch(/^[0-9a-f]{64}$/);
    expect(JSON.stringify(data).startsWith(String(fitted?.preview))).toBe(true);
  });

  it('keeps the shape of the type and says so where it cannot be stored', async () => {
    const { losses, options } = collecting(true);
    const [fitted] = await fitData('tool_result', { id: '1', output: 'x'.repeat(10_000), isError: false }, options);
    expect(fitted).toMatchObject({ id: '1', isError: false });
    expect(String(fitted?.output)).toMatch(/^x{4096}$/);
    expect(losses[0]).toContain('tool_result');
  });

  it('divides text without losing or breaking a character', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary', minLength: 1000, maxLength: 6000 }), async (text) => {
        const { uploads, options } = collecting();
        const fitted = await fitData('text', { text }, options);
        expect(fitted.map((data) => data.text).join('')).toBe(text);
        for (const data of fitted) expect(Buffer.byteLength(JSON.stringify(data))).toBeLessThanOrEqual(INLINE);
        expect(uploads).toEqual([]);
      }),
      { numRuns: 50 },
    );
  });
});

describe('beginning', () => {
  it('never ends in half a character', () => {
    expect(beginning('aé', 2)).toBe('a');
    expect(beginning('😀😀', 5)).toBe('😀');
    expect(beginning('short', 100)).toBe('short');
  });
});
