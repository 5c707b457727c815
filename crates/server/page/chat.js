// The conversation: its messages, what can be done with each, and the answer that is being written.

import { answer } from "./answering.js";
import { button, find, make, notice, number, say } from "./dom.js";
import { asJson, asMarkdown } from "./exporting.js";
import { render } from "./markdown.js";
import * as models from "./models.js";
import * as parameters from "./parameters.js";
import * as store from "./store.js";

// Milliseconds between two looks of an answer that grows: reading it anew for every token would take all the time.
const LOOK = 80;

let conversation = store.begin();
// What stops the answer that is being written; none is if this is null.
let running = null;

const log = () => find("log");

export function begin() {
  find("form").addEventListener("submit", (event) => {
    event.preventDefault();
    send();
  });
  find("text").addEventListener("keydown", (event) => {
    // The Enter that ends the input of a character in another script sends nothing.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    send();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !find("key-dialog").open) stop();
  });
  find("stop").addEventListener("click", stop);
  find("new").addEventListener("click", () => {
    stop();
    open(store.begin());
    find("text").focus();
  });
  const latest = store.all()[0];
  open(latest ?? conversation);
}

const stop = () => running?.abort();

function open(other) {
  conversation = other;
  show();
  list();
}

function list() {
  const entry = (it) => {
    const name = it.title || "Untitled";
    const isThis = it.id === conversation.id;
    const pick = make("button", { type: "button", className: "pick", onclick: () => (stop(), open(it)) }, name);
    if (isThis) pick.setAttribute("aria-current", "true");
    const forget = () => {
      if (!confirm(`Delete "${name}"?`)) return;
      if (isThis) stop();
      store.forget(it);
      if (isThis) open(store.begin());
      else list();
      find("new").focus();
    };
    const more = make(
      "span",
      { className: "row" },
      button("JSON", () => asJson(it), name),
      button("Markdown", () => asMarkdown(it), name),
      button("Delete", forget, name),
    );
    return make("li", {}, pick, more);
  };
  find("conversations").replaceChildren(...store.all().map(entry));
}

function show() {
  log().replaceChildren(...conversation.messages.map((message, index) => shown(message, index)));
  log().scrollTop = log().scrollHeight;
}

// A message with what can be done with it.
function shown(message, index) {
  const isUser = message.role === "user";
  const body = make("div", { className: "body" });
  if (isUser) body.textContent = message.content;
  else body.append(render(message.content));
  const tools = make("div", { className: "row tools" });
  const article = make("article", { className: message.role }, make("h2", {}, isUser ? "You" : message.model), body);
  if (message.figures) article.append(make("p", { className: "fine" }, told(message)));
  if (message.error) article.append(make("p", { className: "notice" }, message.error));
  if (isUser) tools.append(button("Edit", () => edit(index, article), `message ${index + 1}`));
  if (!isUser && index === conversation.messages.length - 1) tools.append(button("Regenerate", () => regenerate(index)));
  article.append(tools);
  return article;
}

function told({ figures, finish }) {
  const speed = figures.speed === null ? "" : `, ${number(figures.speed)} tokens/s`;
  const cached = figures.cached ? `, ${figures.cached} of them kept` : "";
  const end = finish === "length" ? "; it ended at the limit" : "";
  return `${figures.tokens} tokens${speed}, first after ${number(figures.first, 2)} s; prompt ${figures.prompt} tokens${cached}${end}`;
}

function send() {
  const text = find("text").value;
  if (!text.trim() || running) return;
  find("text").value = "";
  replace({ role: "user", content: text }, conversation.messages.length);
}

function regenerate(index) {
  if (running) return;
  conversation.messages.length = index;
  reply();
}

// A message in the place of another one; what followed that goes.
function replace(message, index) {
  conversation.messages.length = index;
  conversation.messages.push(message);
  reply();
}

function edit(index, article) {
  if (running) return;
  const text = make("textarea", { value: conversation.messages[index].content, rows: 4, "aria-label": "Edited message" });
  const done = () => text.value.trim() && replace({ role: "user", content: text.value }, index);
  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      done();
    } else if (event.key === "Escape") show();
  });
  const tools = make("div", { className: "row tools" }, button("Send edited", done), button("Cancel", show));
  article.replaceChildren(make("h2", {}, "You"), text, tools);
  text.focus();
}

async function reply() {
  const model = models.chosen();
  const wrong = parameters.invalid();
  show();
  if (wrong) {
    find("parameters").open = true;
    wrong.reportValidity();
    return;
  }
  if (!model) {
    notice("There is no model to answer.");
    return;
  }
  notice("");
  const talk = conversation;
  const given = talk.messages.filter((message) => message.content).map(({ role, content }) => ({ role, content }));
  const system = parameters.system();
  const messages = system ? [{ role: "system", content: system }, ...given] : given;
  const message = { role: "assistant", model, content: "" };
  talk.model = model;
  talk.messages.push(message);
  show();
  store.keep(talk);
  list();
  const article = log().lastElementChild;
  article.setAttribute("aria-busy", "true");
  running = new AbortController();
  busy(true);
  say("The model answers");
  const look = looking(article.querySelector(".body"), message);
  try {
    const done = await answer({ model, messages, parameters: parameters.chosen(), signal: running.signal, piece: look.piece });
    Object.assign(message, { figures: done.figures, finish: done.finish });
    say(`The answer is complete: ${message.content.slice(0, 500)}`);
  } catch (error) {
    message.error = error.name === "AbortError" ? "Stopped." : error.message;
    say(message.error);
  } finally {
    running = null;
    look.end();
    store.keep(talk);
    busy(false);
  }
  // Its user may look at another one by now.
  if (talk === conversation) show();
  list();
  await models.refresh().catch(() => {});
}

function busy(is) {
  find("stop").hidden = !is;
  find("send").hidden = is;
  // What had the focus may be gone now.
  if (document.activeElement === document.body) find("text").focus();
}

// Shows an answer as it grows, not more often than can be seen.
function looking(body, message) {
  let timer = 0;
  const draw = () => {
    timer = 0;
    // Whoever reads further up is left there.
    const isAtEnd = log().scrollHeight - log().scrollTop - log().clientHeight < 40;
    body.replaceChildren(render(message.content));
    if (isAtEnd) log().scrollTop = log().scrollHeight;
  };
  const piece = (text) => {
    message.content = text;
    timer ||= setTimeout(draw, LOOK);
  };
  return { piece, end: () => clearTimeout(timer) };
}
