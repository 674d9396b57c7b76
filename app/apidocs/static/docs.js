// Shows the OpenAPI document with Swagger UI, in the layout and in the theme of the site.
(() => {
  "use strict";

  const root = document.documentElement;
  const place = document.getElementById("swagger-ui");
  const system = matchMedia("(prefers-color-scheme: dark)");

  function followTheme() {
    const isDark = root.dataset.bsTheme ? root.dataset.bsTheme === "dark" : system.matches;
    root.classList.toggle("dark-mode", isDark);
  }

  // Swagger UI's own layout brings a <main>, a title and a choice of servers: the page has the first two,
  // and there is one server. Its deep link puts a link into a button.
  function pageLayout({ React }) {
    const PageLayout = ({ getComponent, specSelectors }) => {
      if (!specSelectors.specStr()) {
        return null;
      }
      const make = (name) => React.createElement(getComponent(name, true));
      const heading = (tag, text) => React.createElement(tag, { className: "visually-hidden" }, text);
      return React.createElement(
        "div",
        { className: "swagger-ui" },
        React.createElement(getComponent("SvgAssets")),
        make("errors"),
        React.createElement("div", { className: "docs-actions" }, make("AuthorizeBtnContainer")),
        heading("h2", "Operations"),
        make("operations"),
        heading("h3", "All schemas"),
        make("Models"),
      );
    };
    const DeepLink = ({ text }) => React.createElement("span", null, text);
    return { components: { PageLayout, DeepLink } };
  }

  // Swagger UI leaves these without a name for screen readers, or out of reach of the keyboard.
  const NAMES = {
    "textarea.body-param__text": "Request body",
    ".body-param-content-type select, .opblock-section-request-body select.content-type": "Content type",
    ".examples-select-element": "Example",
    ".parameters select": "Value",
  };

  function nameControls() {
    for (const [selector, name] of Object.entries(NAMES)) {
      for (const control of place.querySelectorAll(`:is(${selector}):not([aria-label])`)) {
        control.setAttribute("aria-label", name);
      }
    }
    for (const code of place.querySelectorAll("pre:not([tabindex])")) {
      code.tabIndex = 0;
    }
  }

  function show() {
    document.getElementById("contents").hidden = true;
    place.hidden = false;
  }

  followTheme();
  system.addEventListener("change", followTheme);
  new MutationObserver(followTheme).observe(root, { attributeFilter: ["data-bs-theme"] });

  new MutationObserver(nameControls).observe(place, { childList: true, subtree: true });

  SwaggerUIBundle({
    domNode: place,
    url: place.dataset.document,
    presets: [SwaggerUIBundle.presets.apis],
    plugins: [pageLayout],
    layout: "PageLayout",
    deepLinking: true,
    docExpansion: "list",
    defaultModelsExpandDepth: 0,
    displayRequestDuration: true,
    tryItOutEnabled: true,
    syntaxHighlight: { theme: "obsidian" },
    // Nothing is sent to another machine.
    validatorUrl: null,
    onComplete: show,
  });
})();
