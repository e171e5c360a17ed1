/** Tables of a page that a marker comment such as `<!-- schema: Hello -->` names; each row as its cells. */
export function markedTables(page: string, kind: string): Map<string, string[][]> {
  const tables = new Map<string, string[][]>();
  const marker = new RegExp(`^<!-- ${kind}(?:: (\\S+))? -->\\n+((?:\\|.*\\n)+)`, 'gm');
  for (const [, name = '', table = ''] of page.matchAll(marker)) {
    if (tables.has(name)) throw new Error(`the page has two tables for ${name}`);
    tables.set(name, table.trimEnd().split('\n').slice(2).map(cells));
  }
  return tables;
}

/** Every `code` of a cell. */
export function codes(cell: string | undefined): string[] {
  return [...(cell ?? '').matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? '');
}

function cells(row: string): string[] {
  return row
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim());
}
