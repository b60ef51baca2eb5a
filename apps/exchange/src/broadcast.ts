/**
 * Who gets which stream: topics with their receivers, each frame serialised once per form.
 * It must not know what streams mean, nor open or close sockets.
 */
import { createFrameEncoder } from './frame-codec.ts';
import type { Outbox } from './outbox.ts';
import type { TimeUnit } from './payloads.ts';

/** A connection as the broadcast sees it. */
export type Receiver = { readonly outbox: Outbox; readonly unit: TimeUnit; combined: boolean };

/** The receivers of one stream in one time unit. */
export type Topic = { readonly name: string; readonly unit: TimeUnit; readonly receivers: Set<Receiver> };

/** The broadcast. Order: each receiver gets frames in the order of the calls. */
export type Broadcast = {
  join(name: string, receiver: Receiver): void;
  leave(name: string, receiver: Receiver): void;
  /** The topic, if anybody receives it. */
  topic(name: string, unit: TimeUnit): Topic | undefined;
  topics(): Iterable<Topic>;
  /** Sends a raw payload; `extra` is added inside the combined wrapper, e.g. `,"receivedAtNs":1`. */
  publish(topic: Topic, payload: string, extra?: string): void;
  /** Sends one text as it is to one receiver, in order with its frames. */
  sendText(receiver: Receiver, text: string): void;
  flush(): void;
  /** Called after each change of the joined streams. */
  onChange(listener: (joined: boolean) => void): void;
  sentFrames(): number;
};

const keyOf = (name: string, unit: TimeUnit): string => (unit === 'us' ? `${name} us` : name);

/** A broadcast without receivers. */
export function createBroadcast(): Broadcast {
  const topics = new Map<string, Topic>();
  const dirty = new Set<Receiver>();
  const listeners: ((joined: boolean) => void)[] = [];
  const encoder = createFrameEncoder();
  let sent = 0;

  function deliver(receiver: Receiver, frame: Uint8Array): void {
    receiver.outbox.append(frame);
    dirty.add(receiver);
    sent++;
  }

  function publish(topic: Topic, payload: string, extra = ''): void {
    sendForm(topic, false, () => payload);
    sendForm(topic, true, () => `{"stream":"${topic.name}","data":${payload}${extra}}`);
  }

  // Both forms share one scratch buffer, so each is made only when wanted and delivered before the next.
  function sendForm(topic: Topic, combined: boolean, text: () => string): void {
    let frame: Uint8Array | undefined;
    for (const receiver of topic.receivers) {
      if (receiver.combined !== combined) continue;
      frame ??= encoder.encode(text());
      deliver(receiver, frame);
    }
  }

  return {
    join(name, receiver) {
      const key = keyOf(name, receiver.unit);
      const topic = topics.get(key) ?? { name, unit: receiver.unit, receivers: new Set() };
      topics.set(key, topic);
      topic.receivers.add(receiver);
      for (const listener of listeners) listener(true);
    },
    leave(name, receiver) {
      const key = keyOf(name, receiver.unit);
      const topic = topics.get(key);
      if (topic === undefined) return;
      topic.receivers.delete(receiver);
      dirty.delete(receiver);
      if (topic.receivers.size === 0) topics.delete(key);
      for (const listener of listeners) listener(false);
    },
    topic: (name, unit) => topics.get(keyOf(name, unit)),
    topics: () => topics.values(),
    publish,
    sendText: (receiver, text) => deliver(receiver, encoder.encode(text)),
    flush() {
      for (const receiver of dirty) receiver.outbox.flush();
      dirty.clear();
    },
    onChange: (listener) => void listeners.push(listener),
    sentFrames: () => sent,
  };
}
