// Requests to the server that this page came from, with the key that its user gave if the server wants one.
// Paths are taken from where this file lies, so that the page works below another path of a proxy, too.

const BASE = new URL("..", import.meta.url);
const PLACE = "trillm.key";

// Kept for the tab alone: a key that outlives it would be there for whoever uses the machine next.
export const key = {
  get: () => sessionStorage.getItem(PLACE) ?? "",
  set: (secret) => (secret ? sessionStorage.setItem(PLACE, secret) : sessionStorage.removeItem(PLACE)),
};

// What the server says when it does not do what it was asked.
export class Refused extends Error {
  constructor(status, message, after) {
    super(message);
    this.status = status;
    this.after = after;
  }
}

async function refusal(response) {
  const body = await response.json().catch(() => null);
  // The guide's routes say a text where OpenAI's have an object.
  const said = body?.error?.message ?? body?.error;
  const message = typeof said === "string" ? said : `the server answered ${response.status}`;
  return new Refused(response.status, message, Number(response.headers.get("retry-after")) || 0);
}

export async function ask(path, { body, signal } = {}) {
  const headers = {};
  if (key.get()) headers.authorization = `Bearer ${key.get()}`;
  if (body !== undefined) headers["content-type"] = "application/json";
  let response;
  try {
    response = await fetch(new URL(path, BASE), {
      method: body === undefined ? "GET" : "POST",
      body: body === undefined ? undefined : JSON.stringify(body),
      headers,
      signal,
      cache: "no-store",
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0, "the server does not answer");
  }
  if (response.ok) return response;
  if (response.status === 401) document.dispatchEvent(new CustomEvent("key-wanted"));
  throw await refusal(response);
}

export const json = async (path, options) => (await ask(path, options)).json();

// The events of a stream, read; it ends after the last one, and with an error if that never came.
export async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) throw new Refused(0, "the answer broke off");
      rest += value;
      const parts = rest.split("\n\n");
      rest = parts.pop();
      for (const part of parts) {
        for (const line of part.split("\n")) {
          if (line === "data: [DONE]") return;
          if (!line.startsWith("data: ")) continue;
          const event = JSON.parse(line.slice(6));
          if (event.error) throw new Refused(0, event.error.message);
          yield event;
        }
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}
