/** A fenced block of a document. */
export interface Fence {
  readonly document: string;
  /** Line of the opening fence, from 1 on. */
  readonly line: number;
  readonly language: string;
  /** What follows the language: how the block is tested. */
  readonly marker: string;
  readonly text: string;
}

/** Every fenced block of a Markdown text. */
export function fencesOf(document: string, markdown: string): readonly Fence[] {
  const fences: Fence[] = [];
  let open: { line: number; indent: string; info: string; lines: string[] } | undefined;
  for (const [index, line] of markdown.split('\n').entries()) {
    const [, indent = '', info] = /^(\s*)```(.*)$/.exec(line) ?? [];
    if (open === undefined) {
      if (info !== undefined) open = { line: index + 1, indent, info, lines: [] };
    } else if (info === undefined) {
      open.lines.push(line.startsWith(open.indent) ? line.slice(open.indent.length) : line);
    } else {
      const [language = '', ...marker] = open.info.trim().split(/\s+/);
      fences.push({
        document,
        line: open.line,
        language,
        marker: marker.join(' '),
        text: `${open.lines.join('\n')}\n`,
      });
      open = undefined;
    }
  }
  if (open !== undefined) throw new Error(`${document}:${open.line}: a fence without an end`);
  return fences;
}

/** A program of one block, and of those that continue it. */
export interface DocumentedProgram {
  readonly document: string;
  readonly line: number;
  /** It is compiled, and not run: it needs what only its reader has. */
  readonly isSketch: boolean;
  readonly text: string;
}

/** The programs of the `ts` blocks: `continues` adds a block to the one before, `sketch` is not run. */
export function programsOf(fences: readonly Fence[]): readonly DocumentedProgram[] {
  const programs: DocumentedProgram[] = [];
  for (const { document, line, language, marker, text } of fences) {
    if (language !== 'ts') continue;
    const before = programs.at(-1);
    if (marker === 'continues' && before?.document === document && !before.isSketch)
      programs[programs.length - 1] = { ...before, text: before.text + text };
    else programs.push({ document, line, isSketch: marker === 'sketch', text });
  }
  return programs;
}

/** Comments that say what a constant is: `const bytes = …; // Uint8Array [1, 2]`. */
export function promisedValues(text: string): readonly { readonly name: string; readonly value: string }[] {
  return [
    ...text.matchAll(/^\s*const (\w+) = .*; \/\/ (\w*\s?\[.*\]|\{.*\}|-?[0-9_.]+|'.*'|true|false)$/gm),
  ].map(([, name = '', value = '']) => ({ name, value }));
}

/** A command of a `console` block, and what the document shows of its output. */
export interface DocumentedCommand {
  readonly command: string;
  readonly shown: string;
}

export function commandsOf(text: string): readonly DocumentedCommand[] {
  const commands: { command: string; shown: string }[] = [];
  for (const line of text.split('\n').slice(0, -1)) {
    const last = commands.at(-1);
    if (line.startsWith('$ ')) commands.push({ command: line.slice(2), shown: '' });
    else if (last === undefined) throw new Error(`a console block begins with its output: ${line}`);
    else last.shown += `${line}\n`;
  }
  return commands;
}
