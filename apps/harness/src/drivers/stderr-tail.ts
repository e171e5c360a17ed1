const TAIL_CHARACTERS = 4096;
const SECRET_NAME = /(KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL)/i;
const SECRET_SHAPES = /\b(sk-[\w-]{8,}|Bearer\s+[\w.~+/-]{8,}|eyJ[\w-]{8,}\.[\w-]+\.[\w-]+)/g;

/** Keeps the end of what a child wrote to stderr, without the secrets of its environment. */
export class StderrTail {
  private text = '';
  private readonly secrets: string[];

  constructor(env: Readonly<Record<string, string>>) {
    this.secrets = Object.entries(env)
      .filter(([name, value]) => SECRET_NAME.test(name) && value.length >= 8)
      .map(([, value]) => value);
  }

  push(text: string): void {
    // Twice the tail is kept: a secret that the cut goes through is then still found whole.
    this.text = (this.text + text).slice(-2 * TAIL_CHARACTERS);
  }

  /** The last 4 KiB; undefined where nothing was written. */
  read(): string | undefined {
    let text = this.text;
    for (const secret of this.secrets) text = text.replaceAll(secret, '[redacted]');
    return text.replace(SECRET_SHAPES, '[redacted]').slice(-TAIL_CHARACTERS).trim() || undefined;
  }
}
