// Elements, made one by one: no text of a model, a user or the server is ever read as HTML.

export const find = (id) => document.getElementById(id);

// An element with properties (`on…` are listeners, names with a dash or `role` attributes) and what is in it.
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name.includes("-") || name === "role") element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children);
  return element;
}

// A button that says what it does, also to those who do not see what it stands beside.
export const button = (text, onclick, about = "") =>
  make("button", { type: "button", onclick, "aria-label": about ? `${text}: ${about}` : text }, text);

export function bytes(count) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  for (; count >= 1000 && unit < units.length - 1; unit++) count /= 1000;
  return `${count.toFixed(unit && count < 100 ? 1 : 0)} ${units[unit]}`;
}

export const number = (value, digits = 1) => value.toLocaleString("en", { maximumFractionDigits: digits });

// What went wrong, for everybody to see and hear; nothing takes it away again.
export function notice(text) {
  find("notice").textContent = text;
  find("notice").hidden = !text;
}

// What a screen reader says when it has time for it.
export const say = (text) => (find("status").textContent = text);
