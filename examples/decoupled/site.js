// The page: a city is chosen, its surroundings are shown, a place is added.

import { API, call, get, getAll, newId, report, traffic } from "./api.js";
import { makeForm } from "./form.js";
import { drawAround, drawWorld, position, showOnWorld } from "./maps.js";
import { makePicker } from "./picker.js";

const CITIES = "/api/v1/cities";
const SHOWN = { fields: "id,name,country_code,latitude,longitude,population,timezone", include: "country" };
const NEIGHBOURS = 10;
const CALLS = 5;
const MOST_EVENTS = 50;

const number = new Intl.NumberFormat(undefined);
const regions = new Intl.DisplayNames(undefined, { type: "region" });
const part = (id) => document.getElementById(id);

let current = null;
let choosing = new AbortController();
let events = [];
const suggested = {};

start();

async function start() {
  drawWorld(part("world"));
  makePicker({ input: part("city"), status: part("found"), find, describe, onChoose: choose });
  makeForm(part("add"), (place) => choose(place));
  part("tokens").href = new URL("/accounts/tokens", API).href;
  whenNear(part("add"), fillForm);
  addEventListener("hashchange", chooseNamed);
  traffic.addEventListener("answered", (event) => showCall(event.detail));
  sendEvents();
  await Promise.all([offerLargest(), chooseNamed()]);
}

// --- asking ---------------------------------------------------------------------------------------

async function find(text, signal) {
  return (await get(CITIES, { ...SHOWN, q: text, limit: 8 }, signal)).items;
}

function describe(city) {
  return [city.name, `${country(city)} · ${people(city)}`];
}

async function offerLargest() {
  try {
    const cities = (await get(CITIES, { ...SHOWN, limit: 6 })).items;
    part("chips").replaceChildren(...cities.map((city) => button(city.name, () => choose(city))));
    part("chips").hidden = !cities.length;
    tellServer("up", new URL(API).host);
    if (!location.hash && cities.length) show(cities[0]);
  } catch (error) {
    tellServer("down", "No answer");
    complain(error);
  }
}

function tellServer(state, text) {
  part("server").dataset.state = state;
  part("server-text").textContent = text;
}

// --- choosing -------------------------------------------------------------------------------------

/** Show a city and name it in the address, so that it can be linked to. */
function choose(city) {
  note("city_chosen", `/cities/${city.id}`);
  history.pushState(null, "", `#city=${city.id}`);
  return show(city);
}

/** Go on to a neighbour. What was pressed is gone then: the focus goes to where the new surroundings begin. */
function moveTo(city) {
  part("around-title").focus();
  return choose(city);
}

async function chooseNamed() {
  const id = /^#city=(\d{1,10})$/.exec(location.hash)?.[1];
  if (!id) return;
  try {
    await show(await get(`${CITIES}/${id}`, SHOWN));
  } catch (error) {
    complain(error);
  }
}

async function show(city) {
  current = city;
  choosing.abort();
  choosing = new AbortController();
  const { signal } = choosing;
  part("around-fault").hidden = true;
  part("around-title").textContent = `Around ${city.name}`;
  part("facts").replaceChildren(...facts(city));
  showOnWorld(part("world"), city);
  suggest();
  try {
    const { latitude, longitude } = city;
    const found = await call("api.nearest_cities", { latitude, longitude, limit: NEIGHBOURS + 1 }, signal);
    showAround(city, found.filter((place) => place.id !== city.id).slice(0, NEIGHBOURS));
  } catch (error) {
    if (!signal.aborted) complain(error);
  }
}

function complain(error) {
  part("around-fault").textContent = error.message;
  part("around-fault").hidden = false;
  part("surroundings").hidden = true;
}

// --- showing --------------------------------------------------------------------------------------

function facts(city) {
  const pairs = [
    ["Country", country(city)],
    ["People", people(city)],
    ["Position", `${degrees(city.latitude, "N", "S")}, ${degrees(city.longitude, "E", "W")}`],
    ["Time there", clock(city.timezone)],
  ];
  return pairs.map(([name, value]) => {
    const pair = document.createElement("div");
    pair.append(element("dt", name), element("dd", value));
    return pair;
  });
}

function showAround(city, neighbours) {
  drawAround(part("map"), city, neighbours, moveTo);
  const most = Math.max(...neighbours.map((place) => place.population), 1);
  part("nearest").replaceChildren(...neighbours.map((place) => row(city, place, most)));
  part("surroundings").hidden = false;
}

function row(city, place, most) {
  const { km, bearing } = position(city, place);
  const item = document.createElement("li");
  const bar = document.createElement("meter");
  Object.assign(bar, { max: most, value: place.population });
  bar.setAttribute("aria-hidden", "true");
  item.append(
    button(place.name, () => moveTo(place)),
    element("span", `${number.format(Math.round(km))} km ${compass(bearing)}`),
    bar,
    element("span", people(place), "muted"),
  );
  return item;
}

/** List what was asked last, so that one sees how a page and an API on two origins talk. */
function showCall({ method, url, status, key, milliseconds }) {
  const item = document.createElement("li");
  item.append(element("span", `${method} ${decodeURIComponent(url.pathname)}`), element("span", `${status} · ${milliseconds} ms`));
  const more = key ? `Idempotency-Key: ${key}` : decodeURIComponent(url.search);
  if (more) item.append(element("span", more, "muted"));
  part("traffic").prepend(item);
  part("traffic").children[CALLS]?.remove();
}

function compass(bearing) {
  const winds = ["N", "NE", "E", "SE", "S", "SW", "W", "NW"];
  return winds[(Math.round(bearing / (Math.PI / 4)) + 8) % 8];
}

function country(city) {
  return city.country?.name || regions.of(city.country_code);
}

function people(city) {
  return `${number.format(city.population)} people`;
}

function degrees(value, positive, negative) {
  return `${Math.abs(value).toFixed(2)}° ${value < 0 ? negative : positive}`;
}

function clock(timezone) {
  try {
    return new Intl.DateTimeFormat(undefined, { timeZone: timezone, weekday: "short", hour: "2-digit", minute: "2-digit" }).format();
  } catch {
    return timezone || "unknown";
  }
}

function button(text, onClick) {
  const made = element("button", text);
  made.type = "button";
  made.addEventListener("click", onClick);
  return made;
}

function element(tag, text, name = "") {
  const made = document.createElement(tag);
  made.textContent = text;
  if (name) made.className = name;
  return made;
}

// --- the form's choices ---------------------------------------------------------------------------

function whenNear(element, then) {
  const observer = new IntersectionObserver((entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    observer.disconnect();
    then();
  });
  observer.observe(element);
}

/** Fetch what the form offers, when the visitor comes near it. */
async function fillForm() {
  part("timezones").replaceChildren(...Intl.supportedValuesOf("timeZone").map((name) => new Option(name)));
  try {
    const countries = await getAll("/api/v1/countries", { fields: "code,name", sort: "name", limit: 100 });
    part("country_code").append(...countries.map(({ code, name }) => new Option(name, code)));
    suggest();
  } catch {
    part("add").addEventListener("focusin", fillForm, { once: true }); // once more, with the next touch
  }
}

/** Suggest what the city on show has; what the visitor entered stays. */
function suggest() {
  for (const name of ["country_code", "timezone"]) {
    const input = part(name);
    if (input.value && input.value !== suggested[name]) continue;
    input.value = current?.[name] || "";
    suggested[name] = input.value;
  }
}

// --- what is counted ------------------------------------------------------------------------------

/** Note what happened, unless the visitor asked not to be counted. */
function note(name, subject) {
  if (navigator.globalPrivacyControl || events.length >= MOST_EVENTS) return;
  // The id lets the API store it once. Without a moment that of arrival counts: a visitor's clock may be wrong.
  events.push({ id: newId(), kind: "page", name, subject });
}

/** Send what was noted in one go, whenever the page is left or put aside. */
function sendEvents() {
  note("page_viewed", location.pathname);
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState !== "hidden" || !events.length) return;
    if (report(events)) events = [];
  });
}
