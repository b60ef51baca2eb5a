/**
 * Answers that were given from memory, kept by their question as long as what they rest on has not changed.
 * It must not give an answer whose basis has changed, nor grow with what clients ask.
 */
import type { Basis } from './candle-basis.ts';

/** Most questions whose answers are kept; beyond it the one that was not asked for longest is dropped and computed again when asked. */
export const QUESTIONS_MAX = 2_000;

/** Most memory for kept answers, the same holds beyond it; an answer above an eighth of it is not kept. Units: bytes. */
export const ANSWER_BYTES_MAX = 32 * 1024 * 1024;

// The question, the bases and the entry itself, about.
const OVERHEAD_BYTES = 1_024;

/** One answer. Shape: `write` gives its text and may put in what is not in the bases; `bytes` about what it holds. */
export type GivenAnswer = {
  readonly bases: readonly Basis[];
  readonly bytes: number;
  readonly write: () => string;
};

type Kept = { readonly answer: GivenAnswer; asked: boolean };

/** The kept answers of one call. */
export type AnswerMemo = ReturnType<typeof createAnswerMemo>;

/** Creates an empty memo; `holds` judges a basis. Limits: QUESTIONS_MAX and ANSWER_BYTES_MAX, unless others are given. */
export function createAnswerMemo(
  holds: (basis: Basis) => boolean,
  { questionsMax = QUESTIONS_MAX, bytesMax = ANSWER_BYTES_MAX } = {},
) {
  const answers = new Map<string, Kept>();
  let bytes = 0;
  const drop = (question: string, { answer }: Kept): void => {
    answers.delete(question);
    bytes -= sizeOf(question, answer);
  };
  // An answer that was asked for since it was last passed over is passed over once more; the others go, oldest first.
  const makeRoom = (): void => {
    for (const [question, kept] of answers) {
      if (answers.size <= questionsMax && bytes <= bytesMax) return;
      drop(question, kept);
      if (!kept.asked) continue;
      answers.set(question, { answer: kept.answer, asked: false });
      bytes += sizeOf(question, kept.answer);
    }
  };
  return {
    /** The answer to a question that was answered before, or undefined. */
    find(question: string): string | undefined {
      const kept = answers.get(question);
      if (kept === undefined) return undefined;
      for (const basis of kept.answer.bases) {
        if (holds(basis)) continue;
        drop(question, kept);
        return undefined;
      }
      kept.asked = true;
      return kept.answer.write();
    },
    /** Keeps an answer. Order: nothing may happen between reading the bases, computing, and keeping. */
    keep(question: string, answer: GivenAnswer): void {
      const known = answers.get(question);
      if (known !== undefined) drop(question, known);
      if (sizeOf(question, answer) > bytesMax / 8) return;
      answers.set(question, { answer, asked: false });
      bytes += sizeOf(question, answer);
      makeRoom();
    },
    /** Answers that are kept. */
    size: () => answers.size,
    bytes: () => bytes,
  };
}

function sizeOf(question: string, answer: GivenAnswer): number {
  return OVERHEAD_BYTES + question.length + answer.bytes;
}
