// Puts the parts of the page together: views, the key, the list that small screens hide.

import { key } from "./api.js";
import * as chat from "./chat.js";
import * as dashboard from "./dashboard.js";
import { find, notice } from "./dom.js";
import * as models from "./models.js";
import * as parameters from "./parameters.js";

function view() {
  const isDashboard = location.hash === "#dashboard";
  find("chat").hidden = isDashboard;
  find("dashboard").hidden = !isDashboard;
  find(isDashboard ? "to-dashboard" : "to-chat").setAttribute("aria-current", "page");
  find(isDashboard ? "to-chat" : "to-dashboard").removeAttribute("aria-current");
  dashboard.show(isDashboard);
  if (!isDashboard) models.refresh().catch((error) => notice(error.message));
}

function wanted() {
  const dialog = find("key-dialog");
  if (dialog.open) return;
  find("key").value = key.get();
  dialog.showModal();
}

find("key-dialog").addEventListener("close", () => {
  if (find("key-dialog").returnValue !== "use") return;
  key.set(find("key").value.trim());
  notice("");
  view();
});
find("to-key").addEventListener("click", wanted);
document.addEventListener("key-wanted", wanted);

find("menu").addEventListener("click", ({ currentTarget: menu }) => {
  const isOpen = menu.getAttribute("aria-expanded") !== "true";
  menu.setAttribute("aria-expanded", isOpen);
  find("side").classList.toggle("open", isOpen);
});

parameters.begin();
models.begin();
chat.begin();
addEventListener("hashchange", view);
view();
find("text").focus();
