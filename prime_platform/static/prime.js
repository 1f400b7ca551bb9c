// Keys and small comforts. Every page works without this file: it only moves the focus and asks the server what it understood.
"use strict";

(() => {
  const keysOn = document.documentElement.dataset.keys !== "off";
  const inField = (element) => element.matches("input, select, textarea, [contenteditable]");
  const rows = () => [...document.querySelectorAll("tr[data-row]")];

  function step(by) {
    const all = rows();
    if (!all.length) return;
    const now = all.findIndex((row) => row.classList.contains("sel"));
    const next = all[Math.min(Math.max(now + by, 0), all.length - 1)];
    all.forEach((row) => row.classList.toggle("sel", row === next));
    next.querySelector("a, button")?.focus();
    next.scrollIntoView({ block: "nearest" });
  }

  function choose(event) {
    const group = document.activeElement.closest("[data-choices]");
    const option = group?.querySelectorAll("input[type=radio]")[Number(event.key) - 1];
    if (!option) return;
    event.preventDefault();
    option.checked = true;
    option.dispatchEvent(new Event("change", { bubbles: true }));
    const fields = [...option.form.querySelectorAll("input:not([type=hidden]), select, textarea, button")];
    const next = fields.slice(fields.indexOf(option) + 1).find((field) => !group.contains(field));
    const following = next?.closest("[data-choices]");
    (following?.querySelector("input:checked") ?? next ?? option).focus();
  }

  document.addEventListener("keydown", (event) => {
    if (!keysOn || event.ctrlKey || event.metaKey || event.altKey) return;
    const radio = event.target.matches("input[type=radio]");
    if (/^[1-9]$/.test(event.key) && radio) return choose(event);
    if (inField(event.target) && !radio) return;
    if (event.key === "/") { event.preventDefault(); document.getElementById("search")?.focus(); }
    else if (event.key === "?") { location.hash = "keys"; document.getElementById("keys")?.focus(); }
    else if (event.key === "j" || event.key === "J") step(1);
    else if (event.key === "k" || event.key === "K") step(-1);
    else if (/^[a-z]$/i.test(event.key)) document.querySelector(`[data-key="${event.key.toLowerCase()}"]`)?.click();
  });

  // What the server understands of a typed date stands beside the field as soon as it is left.
  document.querySelectorAll("input[data-understand]").forEach((field) => {
    const place = document.getElementById(`${field.id}_understood`);
    field.addEventListener("change", async () => {
      const answer = await fetch(`${field.dataset.understand}?text=${encodeURIComponent(field.value)}`, { headers: { Accept: "application/json" } });
      const said = await answer.json();
      place.textContent = said.sentence;
      place.classList.toggle("tone-bad", !said.understood);
    });
  });

  document.querySelectorAll("button[data-copy]").forEach((button) => {
    button.addEventListener("click", async () => {
      const source = document.getElementById(button.dataset.copy);
      getSelection().selectAllChildren(source);
      await navigator.clipboard?.writeText(source.textContent);
      button.querySelector("[data-done]").hidden = false;
    });
  });

  // Long work: the part that changes is asked for every 2 s; when the work is done the page is loaded once more, unless somebody types in it.
  async function poll(part) {
    const answer = await fetch(part.dataset.poll).catch(() => null);
    if (answer?.ok) {
      const next = document.createRange().createContextualFragment(await answer.text()).firstElementChild;
      part.replaceWith(next);
      part = next;
      if (!part.dataset.poll) return inField(document.activeElement) ? undefined : location.reload();
    }
    setTimeout(poll, 2000, part);
  }
  document.querySelectorAll("[data-poll]").forEach((part) => setTimeout(poll, 2000, part));

  document.querySelector("[autofocus]")?.focus();
})();
