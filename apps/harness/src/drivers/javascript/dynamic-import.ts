import { join } from 'node:path';
import { constants, Script } from 'node:vm';

const NAME = '__import__';

/**
 * V8 offers no way to load modules for code that comes through the inspector, so `import(x)` is called by another name
 * there. Installs that function; specifiers are relative to `folder`.
 */
export function installImport(folder: string): void {
  const script = new Script('(specifier, options) => import(specifier, options)', {
    filename: join(folder, 'prompt.js'),
    importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  });
  Object.defineProperty(globalThis, NAME, { value: script.runInThisContext() as unknown });
}

/** The source with every `import(` of its code renamed; strings, comments, templates' text and regular expressions stay. */
export function renameImports(source: string): string {
  if (!/\bimport\b/.test(source)) return source;
  let out = '';
  let at = 0;
  /** One entry per open template: -1 in its text, else how many braces are open inside its `${`. */
  const templates: number[] = [];
  while (at < source.length) {
    const open = templates.at(-1);
    const token = open === -1 ? nextTemplateText(source, at) : nextToken(source, at, out);
    at += token.length;
    if (open === -1) {
      if (token.endsWith('${')) templates[templates.length - 1] = 0;
      else if (token.endsWith('`')) templates.pop();
      out += token;
      continue;
    }
    if (token === '`') templates.push(-1);
    if (open !== undefined && token === '{') templates[templates.length - 1] = open + 1;
    // The brace that closes `${` makes it -1 again: back in the template's text.
    if (open !== undefined && token === '}') templates[templates.length - 1] = open - 1;
    const called = token === 'import' && /^\s*\(/.test(source.slice(at)) && !/\.\s*$/.test(out);
    out += called ? NAME : token;
  }
  return out;
}

const TEMPLATE_TEXT = /(?:[^`\\$]|\\[\s\S]|\$(?!\{))*(?:`|\$\{|$)/y;
const TOKEN =
  /\/\/[^\n]*|\/\*[\s\S]*?(?:\*\/|$)|"(?:[^"\\\n]|\\[\s\S])*"?|'(?:[^'\\\n]|\\[\s\S])*'?|[\w$]+|\s+|[\s\S]/y;
const REGEX = /\/(?![*/])(?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/\w*/y;
/** What a division cannot follow: after it a slash begins a regular expression. */
const BEFORE_REGEX =
  /(?:^|[([{,;=:?!&|+\-*%<>~^}]|\b(?:return|typeof|case|in|of|delete|void|throw|new|await|yield))\s*$/;

function nextTemplateText(source: string, at: number): string {
  return match(TEMPLATE_TEXT, source, at) || source.slice(at, at + 1);
}

function nextToken(source: string, at: number, before: string): string {
  if (source[at] === '/' && BEFORE_REGEX.test(before.slice(-40))) {
    const regex = match(REGEX, source, at);
    if (regex !== '') return regex;
  }
  return match(TOKEN, source, at) || source.slice(at, at + 1);
}

function match(pattern: RegExp, source: string, at: number): string {
  pattern.lastIndex = at;
  return pattern.exec(source)?.[0] ?? '';
}
