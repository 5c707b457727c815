// The server's metrics, as Prometheus reads them: names, labels, numbers.

import { ask } from "./api.js";

const LINE = /^trillm_(\w+)(?:\{(.*)\})? (\S+)$/;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;
const ESCAPED = { n: "\n" };

// All samples of a name, each with its labels and value.
export function parse(text) {
  const families = new Map();
  for (const line of text.split("\n")) {
    const found = LINE.exec(line);
    if (!found) continue;
    const labels = {};
    for (const [, name, value] of (found[2] ?? "").matchAll(LABEL)) {
      labels[name] = value.replace(/\\(.)/g, (_, sign) => ESCAPED[sign] ?? sign);
    }
    if (!families.has(found[1])) families.set(found[1], []);
    families.get(found[1]).push({ labels, value: Number(found[3]) });
  }
  return families;
}

export const read = async () => parse(await (await ask("metrics")).text());

export const sum = (families, name) => (families.get(name) ?? []).reduce((all, { value }) => all + value, 0);

export const of = (families, name, model) =>
  (families.get(name) ?? []).find(({ labels }) => labels.model === model)?.value ?? 0;

// The longest of all models' times.
export const slowest = (families, name, quantile) =>
  Math.max(0, ...(families.get(name) ?? []).filter(({ labels }) => labels.quantile === quantile).map(({ value }) => value));
