import { type AgentAnswer } from './agent-runner';

/** What people read when there is no answer: plain, and nothing of the inside. */
export const REPLIES = {
  failed: 'Sorry, something went wrong and I could not answer that. Please try again.',
  timeout: 'Sorry, that took too long, so I stopped. Please try something smaller.',
  stopped: 'Sorry, I was stopped before I could answer that. Please send it again later.',
  silent: 'Done. There was nothing to say.',
  full: 'I am still busy with earlier messages here. Please send that again in a while.',
  onlyAttachment: 'Sorry, I can read text only, no attachments.',
} as const;

const ATTACHMENT_NOTE = '(I can read text only and left out what was attached.)';

/** The reply to a message, given what the agent made of its text. */
export function replyTo({ status, text }: AgentAnswer, attachments: number): string {
  if (status !== 'complete') return REPLIES[status];
  const said = text.trim() === '' ? REPLIES.silent : text.trimEnd();
  return attachments > 0 ? `${said}\n\n${ATTACHMENT_NOTE}` : said;
}
