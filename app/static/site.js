// The theme: as the system says, until the visitor chooses. Every page works without this file.
(() => {
  "use strict";

  const root = document.documentElement;
  const order = ["auto", "light", "dark"];

  function stored() {
    // Storage may be forbidden; then the choice lasts for the page.
    try {
      const choice = localStorage.getItem("theme");
      return order.includes(choice) ? choice : "auto";
    } catch {
      return "auto";
    }
  }

  function store(choice) {
    try {
      localStorage.setItem("theme", choice);
    } catch {
      // See above.
    }
  }

  function apply(choice) {
    root.dataset.theme = choice;
    if (choice === "auto") {
      delete root.dataset.bsTheme;
    } else {
      root.dataset.bsTheme = choice;
    }
  }

  function label(button) {
    const text = button.dataset[root.dataset.theme];
    button.setAttribute("aria-label", text);
    button.title = text;
  }

  function showThemeButton() {
    const button = document.querySelector(".theme-button");
    if (!button) {
      return;
    }
    label(button);
    button.hidden = false;
    button.addEventListener("click", () => {
      const next = order[(order.indexOf(root.dataset.theme) + 1) % order.length];
      store(next);
      apply(next);
      label(button);
    });
    // Another tab has changed it.
    addEventListener("storage", () => {
      apply(stored());
      label(button);
    });
  }

  // The server writes times in the zone of the browser, unless another one was chosen.
  function rememberTimeZone() {
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    const cookie = `timezone=${zone}`;
    if (zone && !document.cookie.split("; ").includes(cookie)) {
      document.cookie = `${cookie}; path=/; max-age=31536000; samesite=lax`;
    }
  }

  rememberTimeZone();
  apply(stored());
  addEventListener("beforeprint", () => apply("light"));
  addEventListener("afterprint", () => apply(stored()));
  document.addEventListener("DOMContentLoaded", () => {
    showThemeButton();
    // Enter in a search comes back without the fragment that its button has.
    const searched = location.hash ? null : document.querySelector("[data-searched]");
    (document.querySelector(".error-summary") ?? searched)?.focus();
  });
})();
