// Conversations as files.

import { make } from "./dom.js";

function save(name, type, text) {
  const address = URL.createObjectURL(new Blob([text], { type }));
  make("a", { href: address, download: name }).click();
  // Once the browser has begun to save it.
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

const named = (conversation) => (conversation.title || "chat").replace(/[^\p{L}\p{N}]+/gu, "-").slice(0, 40);

export const asJson = (conversation) =>
  save(`${named(conversation)}.json`, "application/json", JSON.stringify(conversation, null, 2));

export function asMarkdown(conversation) {
  const who = { user: "You", assistant: conversation.model ?? "Model" };
  const parts = conversation.messages.map((message) => `## ${message.model ?? who[message.role]}\n\n${message.content}\n`);
  save(`${named(conversation)}.md`, "text/markdown", `# ${conversation.title || "Chat"}\n\n${parts.join("\n")}`);
}
