// Calls the methods from the page's forms.
(() => {
  "use strict";

  const access = document.getElementById("access");
  let calls = 0;

  // A value as JSON. A number stays as it was written: beyond 53 bits JavaScript would round it.
  function json(control) {
    const text = control.value;
    const isNumber = /^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$/.test(text.trim());
    if (control.dataset.control === "number" && isNumber) {
      return text.trim();
    }
    if (control.dataset.control === "choice" && control.dataset.text === "false") {
      return text;
    }
    if (control.dataset.control === "json") {
      JSON.parse(text);
      return text;
    }
    // A value that is not a number is sent as it is: the server reports what is wrong with it.
    return JSON.stringify(text);
  }

  function params(form) {
    const given = [...form.elements].filter((control) => control.name && control.value !== "");
    if (form.dataset.structure !== "by-position") {
      return `{${given.map((control) => `${JSON.stringify(control.name)}: ${json(control)}`).join(", ")}}`;
    }
    // Any number of values are entered as an array, and sent one by one.
    const values = given.map((control) => ("rest" in control.dataset ? json(control).trim().slice(1, -1) : json(control)));
    return `[${values.join(", ")}]`;
  }

  function request(form) {
    calls += 1;
    return `{"jsonrpc": "2.0", "method": ${JSON.stringify(form.dataset.method)}, "params": ${params(form)}, "id": ${calls}}`;
  }

  // Indents JSON without reading its numbers.
  function indented(text) {
    let depth = 0;
    return text.replace(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^"{}[\],:]+/g, (part, at) => {
      if (part === "{" || part === "[") {
        const isEmpty = "}]".includes(text[at + 1]);
        depth += 1;
        return isEmpty ? part : `${part}\n${"  ".repeat(depth)}`;
      }
      if (part === "}" || part === "]") {
        depth -= 1;
        return "{[".includes(text[at - 1]) ? part : `\n${"  ".repeat(depth)}${part}`;
      }
      if (part === ",") {
        return `,\n${"  ".repeat(depth)}`;
      }
      return part === ":" ? ": " : part;
    });
  }

  function show(form, words, text) {
    const place = form.querySelector(".outcome");
    const line = document.createElement("p");
    line.textContent = words;
    place.replaceChildren(line);
    if (text) {
      const block = document.createElement("pre");
      block.tabIndex = 0;
      block.append(Object.assign(document.createElement("code"), { textContent: text }));
      place.append(block);
    }
  }

  async function call(form) {
    const headers = { "Content-Type": "application/json" };
    const token = document.getElementById("token").value.trim();
    if (token) {
      headers.Authorization = `Bearer ${token}`;
    }
    const started = performance.now();
    // Without the cookies of the browser's session: a method is called as a program calls it.
    const answer = await fetch(access.dataset.endpoint, { method: "POST", headers, body: request(form), credentials: "omit" });
    const text = await answer.text();
    const took = Math.round(performance.now() - started);
    if (!/json/.test(answer.headers.get("Content-Type"))) {
      throw new Error(`${answer.status} ${answer.statusText}`);
    }
    const outcome = text.startsWith('{"jsonrpc":"2.0","result"') ? access.dataset.result : access.dataset.failure;
    show(form, outcome.replace("{ms}", took), indented(text));
  }

  async function submit(event) {
    event.preventDefault();
    const form = event.target;
    const button = form.querySelector("button");
    button.disabled = true;
    try {
      await call(form);
    } catch (error) {
      const words = error instanceof SyntaxError ? access.dataset.noJson : access.dataset.noAnswer;
      show(form, `${words}: ${error.message}`);
    } finally {
      button.disabled = false;
      button.focus();
    }
  }

  // A link to a method opens it.
  function openLinked() {
    const method = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (method && method.matches("details")) {
      method.open = true;
      method.scrollIntoView();
    }
  }

  for (const form of document.querySelectorAll("form.call")) {
    form.hidden = false;
    form.addEventListener("submit", submit);
  }
  access.hidden = false;
  addEventListener("hashchange", openLinked);
  openLinked();
})();
