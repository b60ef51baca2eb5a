/**
 * All topics that clients are subscribed to: made on demand, told of each commit, and dropped some time after their last client.
 * It must not know sockets or candles.
 */
import { createTurns } from '@wickstream/shared/turns';
import type { CandleAnswers } from './candle-answer.ts';
import { type CandleTopic, createCandleTopic, type TopicName } from './candle-topic.ts';
import { symbolKey } from './live-base.ts';
import type { LiveChange, LiveMemory } from './live-memory.ts';

/** Most topics at once; a subscription that needs one more is refused. */
export const TOPICS_MAX = 5_000;

/** A topic without clients is kept this long, so that a client that lost its connection can resume. Units: ms. */
export const TOPIC_LINGER_MS = 60_000;

/** Topics that ask the database at a time, of those that have been answered once: it may be busy with what the memory waits for. */
const ASKING_MAX = 2;

/** All topics. */
export type CandleTopics = ReturnType<typeof createCandleTopics>;

/** Creates the set of topics. Limits: TOPICS_MAX. */
export function createCandleTopics(memory: LiveMemory, answers: CandleAnswers, nowMs = () => performance.now()) {
  const topics = new Map<string, CandleTopic>();
  const askingTurn = createTurns(ASKING_MAX);
  const lingering = new Map<CandleTopic, NodeJS.Timeout>();
  const drop = (key: string, topic: CandleTopic): void => {
    if (topic.listeners > 0) return;
    clearTimeout(lingering.get(topic));
    lingering.delete(topic);
    topics.delete(key);
    topic.close();
  };
  const keyOf = (name: TopicName): string =>
    [
      symbolKey(name.venue, name.symbol),
      name.source,
      name.windowing.interval.text,
      name.windowing.hopText,
      name.limit,
    ].join(' ');
  const each = (shard: number, act: (topic: CandleTopic) => void): void => {
    for (const topic of topics.values()) if (topic.shard === shard) act(topic);
  };
  return {
    /** The topic of a name, or undefined when there are too many. Errors: ApiError 404 for an unknown symbol. */
    open(name: TopicName): CandleTopic | undefined {
      const key = keyOf(name);
      const known = topics.get(key);
      if (known !== undefined) return known;
      const findOne = () => answers.knownSymbol(name.venue, name.symbol);
      if (topics.size >= TOPICS_MAX) return undefined;
      const topic = createCandleTopic({ name, findOne, memory, answers, askingTurn, nowMs });
      topics.set(key, topic);
      // A topic that could not be read at first is no topic: the next client tries anew.
      topic.ready.catch(() => topics.delete(key));
      return topic;
    },
    /** Says that a client of a topic has gone. */
    release(topic: CandleTopic): void {
      if (topic.listeners > 0 || lingering.has(topic)) return;
      const timer = setTimeout(() => {
        lingering.delete(topic);
        drop(keyOf(topic.name), topic);
      }, TOPIC_LINGER_MS);
      lingering.set(topic, timer.unref());
    },
    /** Tells the topics of a shard what a commit changed. */
    notice(change: LiveChange): void {
      each(change.shard, (topic) => {
        const symbol = change.symbols.get(symbolKey(topic.name.venue, topic.name.symbol));
        topic.notice(symbol?.[topic.name.source]);
      });
    },
    /** Tells the topics of a shard that its base was loaded: anything may have changed. */
    refresh(shard: number): void {
      each(shard, (topic) => topic.reload());
    },
    get size() {
      return topics.size;
    },
    close(): void {
      for (const timer of lingering.values()) clearTimeout(timer);
      for (const topic of topics.values()) topic.close();
      topics.clear();
    },
  };
}
