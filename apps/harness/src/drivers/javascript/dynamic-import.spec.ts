import { renameImports } from './dynamic-import';

describe('renameImports', () => {
  it.each([
    ['import("x")', '__import__("x")'],
    ['await import ("x")', 'await __import__ ("x")'],
    ['a ? import("x") : b / import("y") / 2', 'a ? __import__("x") : b / __import__("y") / 2'],
    [
      '`a ${import("x")} import("y") ${`${{ a: import("z") }}`}`',
      '`a ${__import__("x")} import("y") ${`${{ a: __import__("z") }}`}`',
    ],
    ['const r = /import("x")[/"]/; import("y")', 'const r = /import("x")[/"]/; __import__("y")'],
  ])('renames in %s', (source, expected) => {
    expect(renameImports(source)).toBe(expected);
  });

  it.each([
    '"import(1)"',
    "'it\\'s import(1)'",
    '// import(1)',
    '/* import(1) */',
    'o.import(1)',
    'importX(1); Ximport(1); $import(1)',
    '`import(1)',
    '"import(1)',
    'import x from "y"',
  ])('leaves %s as it is', (source) => {
    expect(renameImports(source)).toBe(source);
  });
});
