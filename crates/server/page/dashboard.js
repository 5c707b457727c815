// How the server does: its models, memory, speed over the last minutes, and what went wrong.

import { json } from "./api.js";
import { chart } from "./chart.js";
import { button, bytes, find, make, notice, number } from "./dom.js";
import * as metrics from "./metrics.js";
import * as models from "./models.js";

// Seconds between two looks. A client of another machine has sixty requests a minute for all that it does.
const EVERY = 5;
// Looks that are kept: ten minutes.
const KEPT = 120;
// Looks between two at models and errors, which change less often.
const SELDOM = 3;

const history = [];
let timer = 0;
let looks = 0;
let before = null;

export function show(isShown) {
  clearTimeout(timer);
  timer = 0;
  looks = 0;
  // The time in between was not looked at.
  before = null;
  if (isShown) look();
}

async function look() {
  timer = setTimeout(look, EVERY * 1000);
  if (document.hidden) return;
  try {
    const isDue = looks++ % SELDOM === 0;
    const [now, there, journal] = await Promise.all([
      metrics.read(),
      isDue ? json("models") : null,
      isDue ? errors() : null,
    ]);
    take(now);
    draw();
    summary(now);
    if (there) table(there, now);
    if (journal) told(journal);
    notice("");
  } catch (error) {
    notice(`The dashboard: ${error.message}`);
    if (error.after && timer) {
      clearTimeout(timer);
      timer = setTimeout(look, error.after * 1000);
    }
  }
}

// A look at once, after something was done.
async function again() {
  clearTimeout(timer);
  looks = 0;
  await look();
}

function take(now) {
  const at = performance.now() / 1000;
  const tokens = metrics.sum(now, "generated_tokens_total");
  const requests = metrics.sum(now, "http_requests_total");
  const rate = (value, of) => (before && value >= before[of] ? (value - before[of]) / (at - before.at) : null);
  history.push({
    speed: rate(tokens, "tokens"),
    requests: rate(requests, "requests"),
    first: metrics.slowest(now, "first_token_seconds", "0.5"),
    running: metrics.sum(now, "requests_running"),
    waiting: metrics.sum(now, "requests_waiting"),
  });
  if (history.length > KEPT) history.shift();
  before = { at, tokens, requests };
}

function draw() {
  const line = (title, unit, name) => chart(title, unit, history.map((it) => it[name]), KEPT);
  find("charts").replaceChildren(
    line("Throughput", "tokens/s", "speed"),
    line("First token, median", "s", "first"),
    line("Requests", "a second", "requests"),
    line("Running", "requests", "running"),
    line("Waiting", "requests", "waiting"),
  );
}

function summary(now) {
  const up = metrics.sum(now, "uptime_seconds");
  const requests = metrics.sum(now, "http_requests_total");
  const failed = metrics.sum(now, "http_errors_total");
  const hours = up >= 3600 ? `${number(up / 3600)} hours` : `${number(up / 60)} minutes`;
  find("summary").textContent = `Up for ${hours}; ${requests} requests, ${failed} of them refused or failed.`;
  const planned = metrics.sum(now, "model_memory_bytes");
  const used = metrics.sum(now, "process_memory_bytes");
  const own = used ? ` The process has ${bytes(used)} of memory now.` : "";
  find("memory").textContent = `By plan the models take ${bytes(planned)} at the most.${own}`;
}

function table({ loaded, coming, available }, now) {
  const here = new Map(loaded.map((model) => [model.name, model]));
  const onTheWay = new Map((coming ?? []).map((model) => [model.name, model.phase]));
  const names = [...new Set([...here.keys(), ...onTheWay.keys(), ...available.map((model) => model.name)])];
  const row = (name) => {
    const model = here.get(name);
    const state = onTheWay.get(name) ?? (model ? (model.pinned ? "loaded, pinned" : "loaded") : "not loaded");
    const does = (text, what) => button(text, async () => (await models.manage(name, what), await again()), name);
    const actions = model
      ? [does("Unload", "unload"), model.pinned ? does("Unpin", "unpin") : does("Pin", "pin")]
      : onTheWay.has(name)
        ? []
        : [does("Load", "load")];
    const cells = [
      state,
      model ? bytes(model.bytes) : "",
      model ? `${model.in_use}` : "",
      model ? `${metrics.of(now, "generated_tokens_total", name)}` : "",
    ];
    return make(
      "tr",
      {},
      make("th", { scope: "row" }, name),
      ...cells.map((text) => make("td", {}, text)),
      make("td", { className: "row" }, ...actions),
    );
  };
  // The focus stays where it was.
  const focused = document.activeElement?.getAttribute("aria-label");
  find("models").replaceChildren(...names.map(row));
  if (focused) [...find("models").querySelectorAll("button")].find((it) => it.getAttribute("aria-label") === focused)?.focus();
}

async function errors() {
  try {
    return (await json("errors")).errors;
  } catch (error) {
    if (error.status === 403) return null;
    throw error;
  }
}

function told(journal) {
  const entry = (error) =>
    make(
      "li",
      {},
      make("strong", {}, error.code),
      ` ${error.message}`,
      make("span", { className: "fine" }, ` ${error.time}; ${error.hint ?? error.suggestion}`),
    );
  const all = journal.length ? journal.toReversed().map(entry) : [make("li", {}, "None.")];
  find("errors").replaceChildren(...all);
}
