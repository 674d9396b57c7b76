// Passkeys: hands the server's options to the browser, and the browser's answer back in the form.
(() => {
  "use strict";

  // WebAuthn speaks in bytes, JSON in base64url (RFC 4648, section 5).
  function bytes(text) {
    const plain = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
    return Uint8Array.from(plain, (letter) => letter.charCodeAt(0));
  }

  function words(buffer) {
    const plain = String.fromCharCode(...new Uint8Array(buffer));
    return btoa(plain).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  }

  function withBytes(credentials) {
    return (credentials ?? []).map((one) => ({ ...one, id: bytes(one.id) }));
  }

  async function create(options) {
    const made = await navigator.credentials.create({
      publicKey: {
        ...options,
        challenge: bytes(options.challenge),
        user: { ...options.user, id: bytes(options.user.id) },
        excludeCredentials: withBytes(options.excludeCredentials),
      },
    });
    return answer(made, {
      attestationObject: words(made.response.attestationObject),
      transports: made.response.getTransports?.() ?? [],
    });
  }

  async function use(options) {
    const used = await navigator.credentials.get({
      publicKey: {
        ...options,
        challenge: bytes(options.challenge),
        allowCredentials: withBytes(options.allowCredentials),
      },
    });
    const { authenticatorData, signature, userHandle } = used.response;
    return answer(used, {
      authenticatorData: words(authenticatorData),
      signature: words(signature),
      userHandle: userHandle?.byteLength ? words(userHandle) : null,
    });
  }

  function answer(credential, response) {
    return {
      id: credential.id,
      rawId: words(credential.rawId),
      type: credential.type,
      response: { clientDataJSON: words(credential.response.clientDataJSON), ...response },
    };
  }

  async function ask(form) {
    const fault = form.querySelector(".passkey-fault");
    const again = form.querySelector(".passkey-again");
    fault.textContent = "";
    again.hidden = true;
    try {
      if (!window.PublicKeyCredential) {
        throw new Error(fault.dataset.noPasskeys);
      }
      const options = JSON.parse(form.dataset.options);
      const credential = await (form.dataset.passkey === "create" ? create(options) : use(options));
      form.elements.credential.value = JSON.stringify(credential);
      form.submit();
    } catch (error) {
      fault.textContent = fault.dataset[error.name[0].toLowerCase() + error.name.slice(1)] ?? error.message;
      again.hidden = false;
    }
  }

  document.addEventListener("DOMContentLoaded", () => {
    const form = document.querySelector("form[data-passkey]");
    if (form) {
      // Some browsers want a click first, and refuse until there was one.
      form.querySelector(".passkey-again").addEventListener("click", () => ask(form));
      ask(form);
    }
  });
})();
