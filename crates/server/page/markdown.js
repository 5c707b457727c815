// Markdown as models write it, made into elements. It reads what it knows and leaves the rest as text: HTML is text,
// pictures are links, links lead to http and https alone. Each line is looked at once, and a mark that is not closed
// is searched for once in its block, so that no text takes long.

import { make } from "./dom.js";

const FENCE = /^ {0,3}(`{3,}|~{3,})\s*([\w+#.-]*)/;
const HEADING = /^ {0,3}(#{1,6})\s+(.*)$/;
const RULE = /^ {0,3}([-*_])(?:\s*\1){2,}\s*$/;
const ITEM = /^(\s*)([-*+]|\d{1,9}[.)])\s+(.*)$/;
const QUOTE = /^ {0,3}> ?(.*)$/;
const DIVIDER = /^\s*\|?(?:\s*:?-+:?\s*\|)+\s*(?::?-+:?\s*)?$/;
// Deeper than anybody writes; a list of lists of lists must not fill the stack.
const DEPTH = 8;

export function render(text) {
  const fragment = document.createDocumentFragment();
  fragment.append(...blocks(text.replaceAll("\r\n", "\n").split("\n"), 0));
  return fragment;
}

function blocks(lines, depth) {
  const made = [];
  let at = 0;
  while (at < lines.length) {
    const line = lines[at];
    let found;
    if (!line.trim()) at++;
    else if ((found = FENCE.exec(line))) at = code(lines, at + 1, found, made);
    else if ((found = HEADING.exec(line))) {
      // The page has the first two levels to itself.
      const level = Math.min(found[1].length + 2, 6);
      made.push(make(`h${level}`, {}, ...inline(untailed(found[2]))));
      at++;
    } else if (RULE.test(line)) {
      made.push(make("hr"));
      at++;
    } else if (depth < DEPTH && QUOTE.test(line)) {
      const inner = [];
      for (; at < lines.length && (found = QUOTE.exec(lines[at])); at++) inner.push(found[1]);
      made.push(make("blockquote", {}, ...blocks(inner, depth + 1)));
    } else if (depth < DEPTH && ITEM.test(line)) at = list(lines, at, made, depth);
    else if (line.includes("|") && DIVIDER.test(lines[at + 1] ?? "")) at = table(lines, at, made);
    else {
      const inner = [line];
      for (at++; at < lines.length && lines[at].trim() && !begins(lines[at], depth); at++) inner.push(lines[at]);
      made.push(make("p", {}, ...inline(inner.join("\n"))));
    }
  }
  return made;
}

// A heading may end with the marks that it begins with. By hand: a pattern would look for its end from every space.
function untailed(heading) {
  const text = heading.trimEnd();
  let end = text.length;
  while (text[end - 1] === "#") end--;
  return end < text.length && text[end - 1] === " " ? text.slice(0, end).trimEnd() : text;
}

const begins = (line, depth) =>
  FENCE.test(line) || HEADING.test(line) || (depth < DEPTH && (QUOTE.test(line) || ITEM.test(line)));

function code(lines, at, [, fence, language], made) {
  const inner = [];
  const isEnd = (line) => line.trimStart().startsWith(fence) && !line.trim().replaceAll(fence[0], "");
  for (; at < lines.length && !isEnd(lines[at]); at++) inner.push(lines[at]);
  const copy = () => navigator.clipboard?.writeText(inner.join("\n"));
  const head = make("div", { className: "code-head" }, language || "code");
  if (navigator.clipboard) head.append(make("button", { type: "button", onclick: copy }, "Copy"));
  made.push(make("div", { className: "code" }, head, make("pre", { tabIndex: 0 }, make("code", {}, inner.join("\n")))));
  return at + 1;
}

function list(lines, at, made, depth) {
  const first = ITEM.exec(lines[at]);
  const isOrdered = (mark) => mark.length > 1;
  const items = [];
  for (; at < lines.length; at++) {
    const found = ITEM.exec(lines[at]);
    const indent = lines[at].length - lines[at].trimStart().length;
    if (found && indent < first[1].length + 2) {
      if (isOrdered(found[2]) !== isOrdered(first[2])) break;
      items.push([found[3]]);
    } else if (lines[at].trim() && indent >= first[1].length + 2) {
      items.at(-1).push(lines[at].slice(Math.min(indent, first[1].length + first[2].length + 1)));
    } else if (!lines[at].trim()) {
      const next = lines[at + 1] ?? "";
      const goesOn = ITEM.test(next) || (next.trim() && next.length - next.trimStart().length >= first[1].length + 2);
      if (!goesOn) break;
      items.at(-1).push("");
    } else break;
  }
  const rows = items.map((inner) => {
    const content = blocks(inner, depth + 1);
    // One paragraph alone stands on the line of its mark.
    if (content.length && content[0].tagName === "P") content.splice(0, 1, ...content[0].childNodes);
    return make("li", {}, ...content);
  });
  const start = Number.parseInt(first[2], 10);
  const begun = start === 1 ? {} : { start };
  made.push(isOrdered(first[2]) ? make("ol", begun, ...rows) : make("ul", {}, ...rows));
  return at;
}

function table(lines, at, made) {
  const cells = (line) => line.trim().replace(/^\|/, "").replace(/\|$/, "").split("|").map((cell) => cell.trim());
  const row = (tag, line) => make("tr", {}, ...cells(line).map((cell) => make(tag, {}, ...inline(cell))));
  const head = make("thead", {}, row("th", lines[at]));
  const body = make("tbody");
  for (at += 2; at < lines.length && lines[at].includes("|"); at++) body.append(row("td", lines[at]));
  made.push(make("div", { className: "scroll", tabIndex: 0 }, make("table", {}, head, body)));
  return at;
}

const MARKS = [
  ["**", "strong"],
  ["__", "strong"],
  ["~~", "s"],
  ["*", "em"],
  ["_", "em"],
];
const LINK = /!?\[([^\[\]\n]{0,500})\]\((https?:\/\/[^\s()<>]{1,2000}(?:\([^\s()<>]{0,500}\)[^\s()<>]{0,500})?)\)/iy;
const ADDRESS = /https?:\/\/[^\s<>"'`|]{1,2000}/iy;

function link(address, ...children) {
  let found;
  try {
    found = new URL(address);
  } catch {
    return null;
  }
  // The scheme is read by whoever will follow it, not by a pattern.
  if (found.protocol !== "http:" && found.protocol !== "https:") return null;
  return make("a", { href: found.href, rel: "noopener noreferrer nofollow", target: "_blank" }, ...children);
}

function inline(text, depth = 0) {
  const made = [];
  const missing = new Set();
  let plain = "";
  let at = 0;
  const put = (element, end) => {
    if (plain) made.push(plain);
    plain = "";
    made.push(element);
    at = end;
  };
  while (at < text.length) {
    const sign = text[at];
    if (sign === "\\" && /[\\`*_~[\]()#>.!|-]/.test(text[at + 1] ?? "")) {
      plain += text[at + 1];
      at += 2;
      continue;
    }
    if (sign === "`") {
      let run = at;
      while (text[run] === "`") run++;
      const mark = text.slice(at, run);
      const end = missing.has(mark) ? -1 : text.indexOf(mark, run);
      if (end >= 0) put(make("code", {}, text.slice(run, end).trim()), end + mark.length);
      else {
        missing.add(mark);
        plain += mark;
        at = run;
      }
      continue;
    }
    if (sign === "[" || (sign === "!" && text[at + 1] === "[")) {
      LINK.lastIndex = at;
      const found = LINK.exec(text);
      const element = found && link(found[2], found[1] || found[2]);
      if (element) {
        put(element, LINK.lastIndex);
        continue;
      }
    }
    if ((sign === "h" || sign === "H") && !/\w/.test(text[at - 1] ?? "")) {
      ADDRESS.lastIndex = at;
      const address = ADDRESS.exec(text)?.[0].replace(/[.,;:!?)\]*_]+$/, "");
      const element = address && link(address, address);
      if (element) {
        put(element, at + address.length);
        continue;
      }
    }
    const mark = depth < DEPTH && MARKS.find(([it]) => text.startsWith(it, at) && !missing.has(it));
    if (mark) {
      const [it, tag] = mark;
      const from = at + it.length;
      const end = /\s/.test(text[from] ?? " ") ? -1 : closing(text, it, from);
      if (end > from && !(it[0] === "_" && (/\w/.test(text[at - 1] ?? "") || /\w/.test(text[end + it.length] ?? "")))) {
        put(make(tag, {}, ...inline(text.slice(from, end), depth + 1)), end + it.length);
        continue;
      }
      if (end < 0 && !/\s/.test(text[from] ?? " ")) missing.add(it);
      plain += it;
      at = from;
      continue;
    }
    if (sign === "\n") {
      put(make("br"), at + 1);
      continue;
    }
    plain += sign;
    at++;
  }
  if (plain) made.push(plain);
  return made;
}

// Where a mark ends what it began: not after a space, and not in the middle of a longer one.
function closing(text, mark, from) {
  for (let end = text.indexOf(mark, from); end >= 0; end = text.indexOf(mark, end + mark.length)) {
    const isLonger = mark.length === 1 && (text[end + 1] === mark || text[end - 1] === mark);
    if (!/\s/.test(text[end - 1]) && !isLonger) return end;
  }
  return -1;
}
