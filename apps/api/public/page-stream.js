/**
 * The page's connection to WS /v1/stream: one subscription at a time, connected again with growing pauses, resumed where it was.
 * It must not know the chart.
 */

const PAUSE_MS = [250, 500, 1000, 2000, 4000];

/** Opens the connection. `on` has snapshot(candles), update(candles), state(name, text) and error(message). */
export function openStream(on) {
  let socket;
  let wanted;
  let attempts = 0;
  let seq;
  let number = 0;

  const connect = () => {
    const url = new URL('/v1/stream', location.href);
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    socket = new WebSocket(url);
    socket.onopen = () => {
      attempts = 0;
      if (wanted) subscribe();
    };
    socket.onmessage = ({ data }) => take(JSON.parse(data));
    socket.onclose = () => {
      on.state('lost', 'connection lost, trying again');
      setTimeout(connect, PAUSE_MS[Math.min(attempts++, PAUSE_MS.length - 1)] * (0.75 + Math.random() / 2));
    };
  };

  const subscribe = () => {
    number += 1;
    const since = seq === undefined ? {} : { since: seq };
    socket.send(JSON.stringify({ op: 'subscribe', id: number, channel: 'candles', ...wanted, ...since }));
  };

  const take = (message) => {
    if (message.id !== undefined && message.id !== number) return;
    if (message.type === 'snapshot' || message.type === 'update') {
      seq = message.seq;
      on.state('live', 'live');
      on[message.type](message.candles);
    } else if (message.type === 'stale') {
      on.state(
        'stale',
        { silent: 'feed is silent', lost: 'feed is lost', not_listening: 'not listening' }[message.reason],
      );
    } else if (message.type === 'fresh') on.state('live', 'live');
    else if (message.type === 'error') on.error(message.message);
  };

  connect();
  return {
    /** Shows something else: symbol, interval, hop, source, limit. */
    show(subscription) {
      const open = socket.readyState === WebSocket.OPEN;
      if (open && wanted) socket.send(JSON.stringify({ op: 'unsubscribe', id: number }));
      wanted = subscription;
      seq = undefined;
      if (open) subscribe();
    },
  };
}
