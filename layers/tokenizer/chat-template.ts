import { Template } from "@huggingface/jinja";
import { ModelFileError } from "../model-file-error.ts";
import type { ChatMessage } from "./chat-message.ts";
import { withinTime } from "./time-limit.ts";

/** The longest templates of today have some 20 000 characters. */
const MAX_TEMPLATE_LENGTH = 1 << 18;

/** A template takes milliseconds; one that loops for long is stopped. */
const TIME_LIMIT_MS = 5000;

/** A model's own way to write a conversation, in Jinja. */
export interface ChatTemplate {
  readonly source: string;
  /** Throws ModelFileError where the template refuses the messages (an unknown role, say). */
  render(messages: readonly ChatMessage[], addGenerationPrompt: boolean): string;
}

/**
 * Compiles a chat template; `specials` are the names that it may use (bos_token, eos_token, ...).
 * @throws ModelFileError where it isn't Jinja that the library knows.
 */
export function compileChatTemplate(
  source: string,
  specials: Readonly<Record<string, string>>,
  file: string,
): ChatTemplate {
  if (source.length > MAX_TEMPLATE_LENGTH) {
    throw new ModelFileError(
      file,
      `chat_template: expected at most ${MAX_TEMPLATE_LENGTH} characters, got ${source.length}`,
    );
  }
  const attempt = <T>(what: string, work: () => T): T => {
    try {
      return withinTime(TIME_LIMIT_MS, work);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new ModelFileError(file, `chat_template: expected ${what}, got the error: ${reason}`, { cause });
    }
  };
  const template = attempt("Jinja that can be parsed", () => new Template(source));
  return {
    source,
    render: (messages, addGenerationPrompt) =>
      attempt("a conversation that the template takes", () => {
        const turns = messages.map(({ role, content }) => ({ role, content }));
        return template.render({ ...specials, messages: turns, add_generation_prompt: addGenerationPrompt });
      }),
  };
}
