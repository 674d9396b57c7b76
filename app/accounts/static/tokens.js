// Copies the token that is shown; where the browser does not let it, the token is there to be selected.
(() => {
  "use strict";

  const token = document.getElementById("token");
  const button = document.getElementById("copy");
  const said = document.getElementById("copied");

  async function copy() {
    try {
      await navigator.clipboard.writeText(token.value);
      said.textContent = said.dataset.copied;
    } catch {
      token.select();
      said.textContent = said.dataset.press;
    }
  }

  button.hidden = false;
  button.addEventListener("click", copy);
  token.addEventListener("focus", () => token.select());
})();
