// The form that adds a place: sent once, however often it is pressed; what is wrong is said beside its field.

import { create, newId } from "./api.js";

const CITIES = "/api/v1/cities";
const NUMBERS = ["latitude", "longitude", "population"];
const KEPT = "pending-place";

/** Tie a form to the API; `onCreated` gets the new place. */
export function makeForm(form, onCreated) {
  let sending = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (sending) return;
    sending = true;
    begin(form);
    try {
      const body = JSON.stringify(read(form));
      const token = part("token").value.trim();
      const { item, replayed } = await create(CITIES, body, { key: keyFor(body), token }, tellWait);
      forget();
      succeed(form, item, replayed);
      onCreated(item);
    } catch (error) {
      // A refusal is an end: nothing was done. After anything else the same attempt may go on, with its key.
      if (error.status >= 400 && error.status < 500) forget();
      refuse(form, error);
    } finally {
      sending = false;
      end(form);
    }
  });
}

/**
 * Read the form: an empty field is left out, a number is one where it can be read as one.
 *
 * The token has no name, so that it is no part of the place. It lives in its field only, and goes with the page:
 * what a page stores, every script that ever runs on its origin can read.
 */
function read(form) {
  const data = {};
  for (const [name, value] of new FormData(form)) {
    const text = value.trim();
    if (text) data[name] = NUMBERS.includes(name) && Number.isFinite(Number(text)) ? Number(text) : text;
  }
  return data;
}

// --- the key --------------------------------------------------------------------------------------

/** Return the key of this attempt: the same for the same content, also after the page was reloaded. */
function keyFor(body) {
  const kept = recall();
  if (kept?.body === body) return kept.key;
  const key = newId();
  remember({ key, body });
  return key;
}

let pending = null;

function recall() {
  try {
    return JSON.parse(sessionStorage.getItem(KEPT)) || pending;
  } catch {
    return pending;
  }
}

function remember(attempt) {
  pending = attempt;
  try {
    sessionStorage.setItem(KEPT, JSON.stringify(attempt));
  } catch {
    // Where a browser keeps nothing, the key lives as long as the page.
  }
}

function forget() {
  remember(null);
}

// --- what is seen ---------------------------------------------------------------------------------

function begin(form) {
  for (const input of form.elements) unmark(input);
  part("summary").hidden = true;
  part("done").hidden = true;
  part("sending").textContent = "Sending …";
  // Not disabled: that would take the focus off it.
  form.querySelector("button").setAttribute("aria-disabled", "true");
}

function end(form) {
  part("sending").textContent = "";
  form.querySelector("button").removeAttribute("aria-disabled");
}

function tellWait(error, pause) {
  part("sending").textContent = `${error.message} Trying again in ${Math.ceil(pause / 1000)} s …`;
}

function succeed(form, item, replayed) {
  const token = part("token").value;
  form.reset();
  part("token").value = token; // for the next place
  const done = part("done");
  done.textContent = replayed ? `${item.name} had been added already, by your first attempt.` : `${item.name} is added.`;
  done.hidden = false;
}

function refuse(form, error) {
  const list = part("summary-list");
  list.replaceChildren();
  for (const { pointer, field, message } of error.errors || []) {
    const input = inputFor(form, pointer, field);
    if (input) mark(input, message);
    list.append(entry(input, message));
  }
  if ([401, 403].includes(error.status)) {
    const message = part("token").value ? error.message : "Enter a token: adding a place needs one.";
    mark(part("token"), message);
    list.append(entry(part("token"), message));
  }
  const lost = error.status ? "" : " What you entered is kept: send it again, it is added once.";
  part("summary-title").textContent = list.children.length ? error.title : error.message + lost;
  part("summary").hidden = false;
  part("summary").focus();
}

/** Find the field that an error points to: #/latitude is a JSON Pointer (RFC 6901) as a fragment. */
function inputFor(form, pointer, field) {
  const path = pointer?.startsWith("#/") ? decodeURIComponent(pointer.slice(2)).split("/") : [field];
  const name = path[0]?.replaceAll("~1", "/").replaceAll("~0", "~");
  return name ? form.elements.namedItem(name) : null;
}

function entry(input, message) {
  const item = document.createElement("li");
  if (!input) {
    item.textContent = message;
    return item;
  }
  const link = document.createElement("a");
  link.href = `#${input.id}`;
  link.textContent = `${input.labels[0].firstChild.textContent.trim()}: ${message}`;
  link.addEventListener("click", (event) => {
    event.preventDefault();
    input.focus();
  });
  item.append(link);
  return item;
}

function mark(input, message) {
  const id = `${input.id}-error`;
  const note = document.getElementById(id) || document.createElement("span");
  note.id = id;
  note.className = "field-error";
  note.textContent = note.textContent ? `${note.textContent} ${message}` : message;
  input.after(note);
  input.setAttribute("aria-invalid", "true");
  input.setAttribute("aria-describedby", id);
}

function unmark(input) {
  document.getElementById(`${input.id}-error`)?.remove();
  input.removeAttribute("aria-invalid");
  input.removeAttribute("aria-describedby");
}

function part(id) {
  return document.getElementById(id);
}
