/**
 * A Fastify server with one route that returns the same bytes each time: what the api could do at most.
 * It must use Fastify as the api does and nothing of the api.
 */
import type { AddressInfo } from 'node:net';
import Fastify from 'fastify';

/** What the bench says: the bytes to answer with; and what it is told. */
export type BareApiRequest = { readonly kind: 'body'; readonly text: string };

/** The server listens. */
export type BareApiReply = { readonly kind: 'listening'; readonly port: number };

let body = '';
const app = Fastify({ logger: false });
app.get('/v1/candles', (_request, reply) => reply.type('application/json; charset=utf-8').send(body));
process.on('message', (request: BareApiRequest) => {
  body = request.text;
});
process.on('disconnect', () => process.exit());
await app.listen({ host: '127.0.0.1', port: 0 });
process.send?.({ kind: 'listening', port: (app.server.address() as AddressInfo).port } satisfies BareApiReply);
