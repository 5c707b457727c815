// One answer: asked for, read as it comes, and measured.

import { ask, events } from "./api.js";

// Calls `piece` with all text so far whenever there is more. Returns what is known of the answer at its end.
export async function answer({ model, messages, parameters, signal, piece }) {
  const start = performance.now();
  let first = 0;
  let text = "";
  let usage = null;
  let finish = null;
  const body = { ...parameters, model, messages, stream: true, stream_options: { include_usage: true } };
  for await (const event of events(await ask("v1/chat/completions", { body, signal }))) {
    usage = event.usage ?? usage;
    const choice = event.choices[0];
    finish = choice?.finish_reason ?? finish;
    if (choice?.delta?.content) {
      first ||= performance.now();
      text += choice.delta.content;
      piece(text);
    }
  }
  const end = performance.now();
  return { text, finish, figures: usage && figures(usage, start, first || end, end) };
}

function figures(usage, start, first, end) {
  const { prompt_tokens: prompt, completion_tokens: tokens } = usage;
  // The first token comes with the prompt; what follows says how fast the model generates.
  const seconds = (end - first) / 1000;
  return {
    prompt,
    cached: usage.prompt_tokens_details?.cached_tokens ?? 0,
    tokens,
    first: (first - start) / 1000,
    speed: tokens > 1 && seconds > 0 ? (tokens - 1) / seconds : null,
  };
}
