/**
 * Sends messages to a venue no faster than it allows: pongs first, then control messages in order.
 * It must count every message, pongs included; a venue cuts, then bans, who sends too many.
 */

/** Shortest time between two messages: four a second where the venue allows five. Units: ms. */
export const SEND_EVERY_MS = 260;

/** Paces one connection. */
export type SendPacer = {
  send(message: string): void;
  /** Answers the newest ping; one that still waits is replaced, so that a flood of pings costs no more. */
  pong(payload: Buffer): void;
  close(): void;
};

/** Creates a pacer. Limits: the queue is as long as its caller's unanswered requests. */
export function createSendPacer(
  sendMessage: (message: string) => void,
  sendPong: (payload: Buffer) => void,
): SendPacer {
  const messages: string[] = [];
  let payload: Buffer | undefined;
  let timer: NodeJS.Timeout | undefined;
  let closed = false;

  const sendNext = (): void => {
    timer = undefined;
    if (closed || (payload === undefined && messages.length === 0)) return;
    if (payload !== undefined) sendPong(payload);
    else sendMessage(messages.shift() as string);
    payload = undefined;
    timer = setTimeout(sendNext, SEND_EVERY_MS);
  };

  const wake = (): void => {
    if (timer === undefined) sendNext();
  };

  return {
    send: (message) => {
      messages.push(message);
      wake();
    },
    pong: (newest) => {
      payload = newest;
      wake();
    },
    close: () => {
      closed = true;
      clearTimeout(timer);
    },
  };
}
