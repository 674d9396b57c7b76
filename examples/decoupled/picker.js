// A text field that suggests while one types: the combobox of the ARIA Authoring Practices, with a list.

const QUIET = 150;

/**
 * Let a field suggest.
 *
 * @param input    the field; its aria-controls names the list
 * @param status   where screen readers hear how many there are
 * @param find     (text, signal) → promise of the items that match
 * @param describe item → [name, detail]
 * @param onChoose called with the item
 */
export function makePicker({ input, status, find, describe, onChoose }) {
  const list = document.getElementById(input.getAttribute("aria-controls"));
  let items = [];
  let active = -1;
  let timer;
  let asking = new AbortController();

  function ask() {
    clearTimeout(timer);
    // An answer to what is no longer asked must not overtake.
    asking.abort();
    asking = new AbortController();
    const text = input.value.trim();
    if (!text) return close();
    timer = setTimeout(() => answer(text, asking.signal), QUIET);
  }

  async function answer(text, signal) {
    try {
      items = await find(text, signal);
      show(items.length ? `${items.length} found. Down shows them.` : `Nothing is called “${text}”.`);
    } catch (error) {
      if (signal.aborted) return;
      items = [];
      show(error.message);
    }
  }

  function show(message) {
    list.replaceChildren(...(items.length ? items.map(option) : [note(message)]));
    status.textContent = message;
    list.hidden = false;
    input.setAttribute("aria-expanded", String(items.length > 0));
    move(-1);
  }

  function option(item, index) {
    const [name, detail] = describe(item);
    const element = document.createElement("li");
    element.id = `${list.id}-${index}`;
    element.role = "option";
    element.ariaSelected = "false";
    element.append(text("span", name), text("span", detail, "muted"));
    element.addEventListener("click", () => choose(index));
    return element;
  }

  function note(message) {
    const element = text("li", message, "note");
    element.role = "option";
    element.ariaDisabled = "true";
    return element;
  }

  function move(index) {
    list.children[active]?.setAttribute("aria-selected", "false");
    active = index;
    const element = items.length && index >= 0 ? list.children[index] : null;
    if (!element) return input.removeAttribute("aria-activedescendant");
    element.ariaSelected = "true";
    element.scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", element.id);
  }

  function choose(index) {
    const item = items[index];
    input.value = describe(item)[0];
    close();
    status.textContent = `${input.value} is chosen.`;
    onChoose(item);
  }

  function close() {
    clearTimeout(timer);
    asking.abort();
    list.hidden = true;
    items = [];
    active = -1;
    status.textContent = "";
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  }

  const keys = {
    ArrowDown: () => (list.hidden ? ask() : step(1)),
    ArrowUp: () => (list.hidden ? ask() : step(-1)),
    Enter: () => (items.length ? choose(Math.max(active, 0)) : undefined),
    Escape: () => (list.hidden ? (input.value = "") : close()),
  };

  function step(by) {
    // One place more than there are: the field itself, before the first and after the last.
    const places = items.length + 1;
    move(((active + 1 + by + places) % places) - 1);
  }

  input.addEventListener("input", ask);
  input.addEventListener("focus", () => input.select());
  input.addEventListener("blur", close);
  input.addEventListener("keydown", (event) => {
    // While an input method composes a character, its keys are its own.
    if (event.isComposing || !(event.key in keys) || event.ctrlKey || event.metaKey) return;
    if (event.key.startsWith("Arrow") || !list.hidden) event.preventDefault();
    keys[event.key]();
  });
  // A press on the list must not take the focus off the field, which would close the list before the click.
  list.addEventListener("mousedown", (event) => event.preventDefault());
}

function text(tag, content, name = "") {
  const element = document.createElement(tag);
  element.textContent = content;
  if (name) element.className = name;
  return element;
}
