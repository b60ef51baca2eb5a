/**
 * What a simulated shard is made of, as the checks see it: the tape, the stream, the tables, a reader.
 * It must hold types only.
 */
import type { Quote, Trade } from '@wickstream/shared/tick';
import type { DatabaseModel } from './database-model.ts';
import type { LiveReaderModel } from './live-reader-model.ts';
import type { StreamModel } from './stream-model.ts';

/** What the checks look at. */
export type World = {
  readonly tape: readonly (Trade | Quote)[];
  readonly stream: StreamModel;
  readonly database: DatabaseModel;
  readonly reader: LiveReaderModel;
};
