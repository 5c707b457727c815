// Which model answers: all that the server has, with what loading one would take, before it is loaded.

import { ask, json } from "./api.js";
import { bytes, find, make, notice, say } from "./dom.js";

const CHOSEN = "trillm.model";

// By name: whether it is loaded, and the bytes of its files.
let known = new Map();

export const chosen = () => find("model").value;
export const path = (name) => `models/${encodeURIComponent(name)}`;

export async function refresh() {
  const { loaded, available } = await json("models");
  const here = new Set(loaded.map((model) => model.name));
  known = new Map(available.map((model) => [model.name, { isHere: here.has(model.name), bytes: model.bytes }]));
  const select = find("model");
  const talks = loaded.find((model) => model.capabilities?.includes("generate"));
  const wanted = select.value || localStorage.getItem(CHOSEN) || talks?.name;
  const option = ([name, { isHere, bytes: size }]) => {
    const state = isHere ? "loaded" : size ? bytes(size) : "not loaded";
    return make("option", { value: name }, `${name} (${state})`);
  };
  // One of these may be open just now; it is left alone unless something changed.
  const fresh = [...known].map(option);
  if (fresh.map((it) => it.textContent).join("\n") !== [...select.options].map((it) => it.textContent).join("\n")) {
    select.replaceChildren(...fresh);
    if (known.has(wanted)) select.value = wanted;
  }
  await show();
}

async function show() {
  const name = chosen();
  const isHere = known.get(name)?.isHere;
  find("load").hidden = !name || isHere;
  if (!name) find("plan").textContent = "There are no models on this machine yet: trillm pull NAME fetches one.";
  else if (isHere) find("plan").textContent = "Loaded.";
  else find("plan").textContent = await planned(name);
}

// What loading would take, for those who may know.
async function planned(name) {
  const rest = "It is loaded with the first message.";
  let plan;
  try {
    plan = await json(`${path(name)}/plan`);
  } catch (error) {
    return error.status === 403 || error.status === 404 ? rest : `${error.message}.`;
  }
  const there = plan.limit === null ? "" : ` of ${bytes(plan.limit)} that are free`;
  const verdicts = {
    fits: "it fits",
    tight: "it fits, but its files will be read again and again",
    refused: "it does not fit",
    unknown: "whether it fits is not known",
  };
  return `Takes ${bytes(plan.total)}${there}: ${verdicts[plan.verdict]}. ${plan.verdict === "refused" ? "" : rest}`;
}

// Does something with a model by name: load, unload, pin, unpin.
export async function manage(name, what) {
  say(`${name}: ${what}…`);
  try {
    await ask(`${path(name)}/${what}`, { body: {} });
    say(`${name}: ${what} is done`);
    notice("");
  } catch (error) {
    notice(`${name}: ${error.message}`);
  }
  await refresh().catch(() => {});
}

export function begin() {
  find("model").addEventListener("change", () => {
    localStorage.setItem(CHOSEN, chosen());
    show();
  });
  find("load").addEventListener("click", async ({ target }) => {
    target.disabled = true;
    find("plan").textContent = "Loading…";
    await manage(chosen(), "load");
    target.disabled = false;
  });
}
