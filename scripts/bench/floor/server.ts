/**
 * The floor of B1 to B3 and B14: the same steps with nothing around them. Plain node:http, socket.io and the MongoDB driver, the
 * same transport options and the same database as the controller has.
 */
import { createServer, type ServerResponse } from 'node:http';
import { MongoClient } from 'mongodb';
import { Server } from 'socket.io';
import { type FloorAgent, type FloorEvents, type FloorJob } from './messages';

async function main([uri, name]: string[]): Promise<void> {
  const client = await new MongoClient(uri ?? '', { noDelay: true }).connect();
  const database = client.db(name);
  const jobs = database.collection<FloorJob>('jobs');
  const segments = database.collection<{ _id: string }>('segments');
  const agents = database.collection<FloorAgent>('agents');
  const instructions = database.collection<{ _id: string }>('instructions');
  await jobs.createIndex({ status: 1, order: 1 });
  const viewers = new Map<string, ServerResponse>();
  let order = 0;

  const http = createServer((request, response) => {
    if (request.method === 'GET') {
      response.socket?.setNoDelay(true);
      response.writeHead(200, { 'Content-Type': 'text/event-stream' });
      response.flushHeaders();
      viewers.set(request.url ?? '', response);
      return;
    }
    let body = '';
    request.setEncoding('utf8');
    request.on('data', (chunk: string) => (body += chunk));
    request.on('end', () => {
      if (request.url === '/connect') {
        void hello(JSON.parse(body) as { id: string }).then((text) => {
          response.writeHead(200, { 'Content-Type': 'application/json' }).end(text);
        });
        return;
      }
      const { id, prompt } = JSON.parse(body) as { id: string; prompt: string };
      void jobs.insertOne({ _id: id, order: ++order, status: 'queued', prompt, createdAt: new Date() }).then(() => {
        io.emit('wake');
        response.writeHead(202).end();
      });
    });
  });

  /** The second find needs what the first one found. */
  const hello = async ({ id }: { id: string }): Promise<string> => {
    const agent = await agents.findOne({ _id: id });
    const instruction = await instructions.findOne({ _id: agent?.instructionId ?? '' });
    return JSON.stringify({ agent, instruction });
  };

  const io = new Server(http, { transports: ['websocket'], perMessageDeflate: false, serveClient: false });
  io.on('connection', (socket) => {
    socket.on('pull', (ack: (job: FloorJob | null) => void) => {
      const lease = { $set: { status: 'leased' as const, leasedAt: new Date() } };
      void jobs
        .findOneAndUpdate({ status: 'queued' }, lease, { sort: { order: 1 }, returnDocument: 'after' })
        .then(ack);
    });
    socket.on('events', ({ sessionId, from, items }: FloorEvents, ack: (answer: object) => void) => {
      const lines = items.map((item) => JSON.stringify(item));
      const seqTo = from + items.length - 1;
      const document = {
        _id: `${sessionId}/${String(from).padStart(12, '0')}`,
        sessionId,
        seqFrom: from,
        seqTo,
        lines,
      };
      void segments.insertMany([document]).then(() => {
        viewers
          .get(`/${sessionId}`)
          ?.write(lines.map((line, index) => `id: ${from + index}\ndata: ${line}\n\n`).join(''));
        ack({ acked: seqTo });
      });
    });
  });
  http.listen(0, '127.0.0.1', () => {
    const { port } = http.address() as { port: number };
    process.stdout.write(`listening on http://127.0.0.1:${port}\n`);
  });
}

void main(process.argv.slice(2));
