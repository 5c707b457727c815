// Conversations and parameters, in this browser alone. Each conversation has a place of its own, so that two tabs that
// write in different ones take nothing from each other.

import { notice } from "./dom.js";

const PREFIX = "trillm.chat.";
const PARAMETERS = "trillm.parameters";

function read(place) {
  try {
    return JSON.parse(localStorage.getItem(place));
  } catch {
    // Somebody else wrote there, or the browser keeps nothing.
    return null;
  }
}

function write(place, value) {
  try {
    localStorage.setItem(place, JSON.stringify(value));
  } catch {
    notice("This browser keeps no more: export or delete conversations.");
  }
}

export function all() {
  const places = Object.keys(localStorage).filter((place) => place.startsWith(PREFIX));
  const found = places.map(read).filter((it) => it && Array.isArray(it.messages) && typeof it.id === "string");
  return found.sort((one, other) => other.updated - one.updated);
}

export const begin = () => ({ id: crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`, title: "", updated: 0, messages: [] });

export function keep(conversation) {
  conversation.updated = Date.now();
  const first = conversation.messages.find((message) => message.role === "user");
  conversation.title = first ? first.content.trim().split("\n")[0].slice(0, 60) : "";
  write(PREFIX + conversation.id, conversation);
}

export const forget = (conversation) => localStorage.removeItem(PREFIX + conversation.id);

export const parameters = () => read(PARAMETERS) ?? {};
export const keepParameters = (values) => write(PARAMETERS, values);
