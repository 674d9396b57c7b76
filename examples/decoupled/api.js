// Requests of this page to its API. Nothing here touches the page.

const SECONDS = 1000;
const TIMEOUT = 10 * SECONDS;

/** How long a write waits before each further attempt. */
const WAITS = [0.5 * SECONDS, 1.5 * SECONDS, 4 * SECONDS];
const LONGEST_WAIT = 15 * SECONDS;

const NO_TOKEN = { title: "This cannot be sent", detail: "This is not a token: copy all of it, and nothing else." };

/** The origin of the API: what ?api= says, else the page's meta element. */
export const API = readAddress();

function readAddress() {
  const text = new URLSearchParams(location.search).get("api") || document.querySelector("meta[name=api]").content;
  // Which addresses may be asked at all is not decided here but by connect-src: a link with another ?api= cannot
  // send what the visitor enters to a stranger.
  return URL.canParse(text) ? new URL(text).origin : "http://127.0.0.1:5000";
}

/** Dispatches every answer, as "answered". */
export const traffic = new EventTarget();

/** No answer came: the network, the timeout, or the API does not let this origin read it. */
export class Unreachable extends Error {}

/** The API refuses, with a problem document (RFC 9457). */
export class Problem extends Error {
  constructor(status, document, retryAfter) {
    super(document.detail || document.title || `The API answered ${status}.`);
    this.status = status;
    this.title = document.title || `The API answered ${status}.`;
    this.errors = Array.isArray(document.errors) ? document.errors : [];
    this.requestId = document.request_id;
    this.retryAfter = retryAfter;
  }
}

/** Get a list or an item; `query` is left out where a value is empty. */
export async function get(path, query = {}, signal = undefined) {
  const url = new URL(path, API);
  for (const [name, value] of Object.entries(query)) {
    if (value !== "") url.searchParams.set(name, value);
  }
  return (await send(url, { signal })).json();
}

/** Get all pages of a list, by the links that each answer gives. */
export async function getAll(path, query) {
  const found = [];
  for (let page = await get(path, query); ; page = await get(page.links.next)) {
    found.push(...page.items);
    if (!page.links.next) return found;
  }
}

/** Call a method (JSON-RPC 2.0) and give its result. */
export async function call(method, params, signal) {
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
  const answer = await (await send(new URL("/rpc", API), post(body, { signal }))).json();
  if (answer.error) throw new Problem(200, { title: answer.error.message });
  return answer.result;
}

/**
 * Create an item, again and again with the same key until the API has answered, and call `onWait` before each pause.
 *
 * Whether an attempt without an answer was done cannot be known here. The key lets the API know: it does the work
 * once and repeats its answer.
 */
export async function create(path, body, { key, token }, onWait) {
  const headers = { "Idempotency-Key": key, ...authorization(token) };
  for (let attempt = 0; ; attempt += 1) {
    try {
      const response = await send(new URL(path, API), post(body, { headers }));
      return { item: await response.json(), replayed: response.headers.get("Idempotency-Replayed") === "true" };
    } catch (error) {
      const pause = waitFor(error, attempt);
      if (pause === null) throw error;
      onWait(error, pause);
      await new Promise((resume) => setTimeout(resume, pause));
    }
  }
}

/** Return the current identity. The token is entered on the page; it is never part of an address. */
function authorization(token) {
  if (!token) return {};
  // A browser refuses to send anything else, and says so as if the API were away.
  if (!/^[!-~]+$/.test(token)) throw new Problem(401, NO_TOKEN);
  return { Authorization: `Bearer ${token}` };
}

/** Return how many milliseconds to wait before trying again; null if that would not help. */
function waitFor(error, attempt) {
  const pause = error.retryAfter ? error.retryAfter * SECONDS : WAITS[attempt];
  const passes = error instanceof Unreachable || error.retryAfter || [502, 504].includes(error.status);
  return passes && attempt < WAITS.length && pause <= LONGEST_WAIT ? pause : null;
}

/**
 * Send events without waiting for an answer, even while the page goes away.
 *
 * A text is sent as text/plain, which needs no preflight: there would be no time for one.
 */
export function report(events) {
  return navigator.sendBeacon(new URL("/events", API), JSON.stringify(events));
}

/** Make a random UUID; crypto.randomUUID is there on https and loopback addresses only. */
export function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const text = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return text.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

function post(body, { headers = {}, signal } = {}) {
  return { method: "POST", body, signal, headers: { "Content-Type": "application/json", ...headers } };
}

async function send(url, { headers = {}, signal, ...options }) {
  const ends = AbortSignal.timeout(TIMEOUT);
  const begin = performance.now();
  let response;
  try {
    response = await fetch(url, {
      ...options,
      headers: { Accept: "application/json", ...headers },
      credentials: "omit",
      signal: signal ? AbortSignal.any([signal, ends]) : ends,
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Unreachable(`${API} does not answer this page: it is away, or does not let in ${location.origin}.`, { cause: error });
  }
  const detail = { method: options.method || "GET", url, status: response.status, key: headers["Idempotency-Key"] };
  detail.milliseconds = Math.round(performance.now() - begin);
  traffic.dispatchEvent(new CustomEvent("answered", { detail }));
  if (response.ok) return response;
  const document = await response.json().catch(() => ({}));
  throw new Problem(response.status, document, Number(response.headers.get("Retry-After")) || null);
}
