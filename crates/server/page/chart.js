// A line over the last minutes, drawn as SVG.

import { make, number } from "./dom.js";

const WIDTH = 300;
const HEIGHT = 80;

const drawn = (tag, attributes) => {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
};

// `values` are the newest last; where there is none yet (null) there is no line.
export function chart(title, unit, values, most) {
  const top = Math.max(...values.filter((value) => value !== null), 0);
  const last = values.findLast((value) => value !== null) ?? 0;
  const said = `${number(last, 2)} ${unit} now, ${number(top, 2)} at the most`;
  const step = WIDTH / Math.max(most - 1, 1);
  const height = (value) => HEIGHT - 2 - (top ? (value / top) * (HEIGHT - 6) : 0);
  let path = "";
  values.forEach((value, index) => {
    if (value === null) return;
    const x = WIDTH - (values.length - 1 - index) * step;
    const isNew = index === 0 || values[index - 1] === null;
    path += `${isNew ? "M" : "L"}${x.toFixed(1)} ${height(value).toFixed(1)}`;
  });
  const picture = drawn("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `${title}: ${said}` });
  picture.append(
    drawn("line", { x1: 0, y1: HEIGHT - 2, x2: WIDTH, y2: HEIGHT - 2, class: "axis" }),
    drawn("path", { d: path, class: "line" }),
  );
  return make("figure", {}, make("figcaption", {}, make("strong", {}, title), ` ${said}`), picture);
}
