// How an answer is to be made: what is left empty is as the model's publisher has it.

import { find } from "./dom.js";
import { keepParameters, parameters } from "./store.js";

const NUMBERS = ["temperature", "max_tokens", "top_p", "seed"];
const ALL = [...NUMBERS, "system"];

export function begin() {
  const kept = parameters();
  for (const name of ALL) {
    const field = find(name);
    field.value = kept[name] ?? "";
    field.addEventListener("change", () => keepParameters(Object.fromEntries(ALL.map((it) => [it, find(it).value]))));
  }
}

// Fields of a request. What the browser takes for no number is left to the server, which says what it expects.
export function chosen() {
  const fields = {};
  for (const name of NUMBERS) {
    const text = find(name).value.trim();
    if (text) fields[name] = Number(text);
  }
  return fields;
}

export const system = () => find("system").value.trim();
export const invalid = () => NUMBERS.map(find).find((field) => !field.checkValidity());
