import { AppError, toAppError } from "@whittle/contracts";
import type { Question, ToChild } from "./supervisor/messages.ts";

type Answer = Extract<ToChild, { type: "answer" }>;

/** Asks the worker, which alone knows whether this run is still the job's latest. */
export interface Asker {
  /** @returns the names in the answer. @throws AppError that the worker refused it with. */
  ask(question: Question): Promise<string[]>;
  /** Takes an answer that has come. */
  answered(answer: Answer): void;
}

export function createAsker(send: (message: { type: "ask"; id: number; question: Question }) => void): Asker {
  const waiting = new Map<number, (answer: Answer) => void>();
  let asked = 0;
  return {
    ask: (question) =>
      new Promise((resolve, reject) => {
        const id = asked++;
        waiting.set(id, ({ names = [], error }) => {
          if (error) reject(toAppError(error));
          else resolve(names);
        });
        send({ type: "ask", id, question });
      }),
    answered: (answer) => {
      const resolve = waiting.get(answer.id);
      if (!resolve) throw new AppError("internal", `nothing was asked under ${answer.id}`);
      waiting.delete(answer.id);
      resolve(answer);
    },
  };
}
