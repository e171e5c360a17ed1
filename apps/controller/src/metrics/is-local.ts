import { type IncomingMessage } from 'node:http';

const LOOPBACK = /^(?:::1|(?:::ffff:)?127\.\d+\.\d+\.\d+)$/;
const FORWARDED = ['forwarded', 'x-forwarded-for', 'x-real-ip', 'via'] as const;

/** Whether a process of this machine asks for itself: from the loopback, and not for somebody else as a proxy does. */
export function isLocal(request: Pick<IncomingMessage, 'headers'> & { socket: { remoteAddress?: string } }): boolean {
  if (FORWARDED.some((header) => request.headers[header] !== undefined)) return false;
  return LOOPBACK.test(request.socket.remoteAddress ?? '');
}
