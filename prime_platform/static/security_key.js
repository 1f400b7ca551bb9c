// Asks a security key (WebAuthn) where a code may be typed. Without it, or without a key, the codes serve as before.
"use strict";

(() => {
  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (sign) => sign.charCodeAt(0));
  const text = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const known = (list) => (list ?? []).map((each) => ({ ...each, id: bytes(each.id) }));

  async function asked(address, form) {
    const token = form.querySelector("[name=csrfmiddlewaretoken]").value;
    const answer = await fetch(address, { method: "POST", headers: { "X-CSRFToken": token } });
    const said = await answer.json();
    if (!answer.ok) throw new Error(said.detail);
    return said.publicKey;
  }

  const common = (credential) => ({ id: credential.id, rawId: text(credential.rawId), type: credential.type, clientExtensionResults: {} });

  async function answered(options) {
    const publicKey = { ...options, challenge: bytes(options.challenge), allowCredentials: known(options.allowCredentials) };
    const credential = await navigator.credentials.get({ publicKey });
    const { authenticatorData, clientDataJSON, signature } = credential.response;
    const response = { authenticatorData: text(authenticatorData), clientDataJSON: text(clientDataJSON), signature: text(signature) };
    return JSON.stringify({ ...common(credential), response });
  }

  async function made(options) {
    const publicKey = {
      ...options,
      challenge: bytes(options.challenge),
      user: { ...options.user, id: bytes(options.user.id) },
      excludeCredentials: known(options.excludeCredentials),
    };
    const credential = await navigator.credentials.create({ publicKey });
    const { attestationObject, clientDataJSON } = credential.response;
    const response = { attestationObject: text(attestationObject), clientDataJSON: text(clientDataJSON) };
    return JSON.stringify({ ...common(credential), response });
  }

  // What the browser says itself is in its own words and often empty; ours says what to do.
  async function tell(told, work) {
    told.textContent = told.dataset.asked;
    try {
      await work();
      told.textContent = told.dataset.done;
      return true;
    } catch (error) {
      told.textContent = error instanceof DOMException || !error.message ? told.dataset.failed : error.message;
      return false;
    }
  }

  for (const field of document.querySelectorAll("[data-key-challenge]")) {
    const offer = field.form.querySelector("[data-key-offer]");
    if (!window.PublicKeyCredential || !offer) continue;
    offer.hidden = false;
    offer.querySelector("[data-key-use]").addEventListener("click", async () => {
      const work = async () => { field.value = await answered(await asked(field.dataset.keyChallenge, field.form)); };
      if (!(await tell(offer.querySelector("[data-key-told]"), work))) return;
      field.readOnly = true;
      field.type = "password";
      if ("keyAlone" in field.dataset) field.form.requestSubmit();
    });
  }

  for (const form of document.querySelectorAll("form[data-key-new]")) {
    const told = form.querySelector("[data-key-told]");
    if (!window.PublicKeyCredential) told.textContent = told.dataset.none;
    form.addEventListener("submit", async (event) => {
      if (form.elements.answer.value) return;
      event.preventDefault();
      if (!window.PublicKeyCredential) return;
      const work = async () => { form.elements.answer.value = await made(await asked(form.dataset.keyNew, form)); };
      if (await tell(told, work)) form.requestSubmit();
    });
  }
})();
