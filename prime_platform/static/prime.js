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

  // A digit presses the button of that number for the selected row, where the page has such buttons and the row may be chosen.
  function close(event) {
    const pick = document.querySelector("tr.sel input[type=radio][form]");
    const button = pick?.form.querySelector(`[data-digit="${event.key}"]`);
    if (!button) return;
    event.preventDefault();
    pick.checked = true;
    button.click();
  }

  document.addEventListener("keydown", (event) => {
    if (!keysOn || event.ctrlKey || event.metaKey || event.altKey) return;
    const radio = event.target.matches("input[type=radio]");
    if (/^[1-9]$/.test(event.key) && radio && !event.target.form?.matches("[data-digits]")) return choose(event);
    if (/^[1-9]$/.test(event.key) && (radio || !inField(event.target))) return close(event);
    if (inField(event.target) && !radio) return;
    if (event.key === "/") { event.preventDefault(); document.getElementById("search")?.focus(); }
    else if (event.key === "?") { location.hash = "keys"; document.getElementById("keys")?.focus(); }
    else if (event.key === "j" || event.key === "J") step(1);
    else if (event.key === "k" || event.key === "K") step(-1);
    else if (/^[a-z]$/i.test(event.key)) document.querySelector(`[data-key="${event.key.toLowerCase()}"]`)?.click();
  });

  // The one button of a page that is confirmed as a whole, also from within a field.
  document.addEventListener("keydown", (event) => {
    const form = event.key === "Enter" && (event.ctrlKey || event.metaKey) && document.querySelector("form[data-ctrl-enter]");
    if (!form) return;
    event.preventDefault();  // in a field of one line the browser would press the first button besides
    form.requestSubmit(form.querySelector("button.pri"));
  });

  // Nothing on the page moves while a button of the mouse is down: a button that moved away would miss its click.
  let pressed = false;
  document.addEventListener("pointerdown", () => { pressed = true; }, true);
  ["pointerup", "pointercancel"].forEach((kind) => document.addEventListener(kind, () => { pressed = false; }, true));
  const released = async () => {
    if (pressed) await new Promise((done) => ["pointerup", "pointercancel"].forEach((kind) => document.addEventListener(kind, () => setTimeout(done), { once: true })));
  };

  // What the server understands of a typed date stands beside the field as soon as it is left.
  document.querySelectorAll("input[data-understand]").forEach((field) => {
    const place = document.getElementById(`${field.id}_understood`);
    field.addEventListener("change", async () => {
      const answer = await fetch(`${field.dataset.understand}?text=${encodeURIComponent(field.value)}`, { headers: { Accept: "application/json" } });
      const said = await answer.json();
      await released();
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

  // A form is kept as a draft whenever a field is left; the same answer says what was understood, asked and calculated.
  const sheet = document.querySelector("form[data-draft]");
  const place = (name) => document.getElementById(name);

  async function keep(again = true) {
    const answer = await fetch(sheet.dataset.draft, { method: "POST", body: new FormData(sheet), redirect: "manual" }).catch(() => null);
    if (answer?.status === 403 && again) {  // signed in anew elsewhere: this page's word is old
      const page = new DOMParser().parseFromString(await (await fetch(location.href)).text(), "text/html");
      const word = page.querySelector("form[data-draft] input[name=csrfmiddlewaretoken]")?.value;
      if (word) { sheet.elements.csrfmiddlewaretoken.value = word; return keep(false); }
    }
    await released();
    place("expired").hidden = !(answer && (answer.type === "opaqueredirect" || answer.status === 403));
    if (!answer?.ok) return;
    const told = await answer.json();
    await released();
    for (const [code, field] of Object.entries(told.fields)) {
      const said = place(`said_${code}`), odd = place(`odd_${code}`);
      if (said) { said.textContent = field.said; said.classList.toggle("tone-bad", field.tone === "bad"); }
      if (odd) { odd.hidden = !field.unusual; odd.querySelector("span").textContent = field.unusual; }
    }
    for (const [code, text] of Object.entries(told.calculated)) place(`said_${code}`).textContent = text;
    sheet.querySelectorAll("[data-item]").forEach((item) => item.classList.toggle("off", !told.asked.includes(item.dataset.item)));
    place("saved").textContent = told.saved ? `${place("saved").dataset.words} ${told.saved}` : "";
  }

  if (sheet) {
    let last = Promise.resolve();  // one after the other, so that an older answer never overwrites a newer one
    sheet.addEventListener("change", () => { last = last.then(() => keep()); });
    sheet.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || !sheet.contains(event.target) || event.target.matches("button")) return;
      event.preventDefault();  // Enter alone would press the first button there is: it goes on to the next item
      if (event.ctrlKey || event.metaKey) return sheet.requestSubmit(sheet.querySelector("[data-confirm]"));
      const items = [...sheet.querySelectorAll("[data-item]")];
      const following = items.slice(items.indexOf(event.target.closest("[data-item]")) + 1);
      const next = following.map((item) => item.querySelector("input:checked:not([type=checkbox]), input, select")).find((field) => field);
      (next ?? sheet.querySelector("[data-confirm]")).focus();
    });
  }

  // The viewer: its links exchange the part that shows the slices, arrow keys and the wheel press them; without scripts they are links.
  async function swap(address) {
    const answer = await fetch(address).catch(() => null);
    if (!answer?.ok) return location.assign(address);
    const next = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("viewer");
    const held = document.activeElement?.dataset?.arrow;
    const old = document.getElementById("viewer");
    old.querySelectorAll("[data-keep]").forEach((field) => { const same = next.querySelector(`#${field.id}`); if (same) same.value = field.value; });
    old.querySelectorAll("details").forEach((part, i) => { const same = next.querySelectorAll("details")[i]; if (same) same.open = part.open; });
    old.replaceWith(next);
    boxes(next);
    document.dispatchEvent(new Event("viewer-swapped"));
    history.replaceState(null, "", address);
    if (held) next.querySelector(`[data-arrow="${held}"]`)?.focus({ preventScroll: true });
  }
  const arrow = (key) => document.querySelector(`#viewer [data-arrow="${key}"]`);
  let moving = Promise.resolve();
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("#viewer a[data-swap]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    moving = moving.then(() => swap(link.href));
  });
  document.addEventListener("keydown", (event) => {
    if (!keysOn || event.ctrlKey || event.metaKey || event.altKey || inField(event.target) || !document.querySelector("#viewer [data-arrow]")) return;
    const link = arrow(event.key);
    if (!/^(Arrow(Up|Down)|Page(Up|Down)|Home|End)$/.test(event.key)) return;
    event.preventDefault();
    link?.click();
  });
  document.addEventListener("wheel", (event) => {
    if (!event.target.closest?.("#viewer figure") || event.ctrlKey) return;
    event.preventDefault();
    arrow(event.deltaY > 0 ? "ArrowDown" : "ArrowUp")?.click();
  }, { passive: false });

  // A box on a slice: drawn on the picture while its form is open, kept while paging, a rectangle on the slices that it spans.
  function boxes(part) {
    part.querySelectorAll("form[data-box]").forEach((form) => {
      const picture = form.closest("section").querySelector("figure > svg"), shape = picture?.querySelector("rect.box");
      if (!shape) return;
      const [columns, rows, aspect] = form.dataset.box.split(" ").map(Number), at = Number(form.dataset.place);
      const scale = 240 / Math.max(columns, rows * aspect), margin = [120 - (columns * scale) / 2, 120 - (rows * aspect * scale) / 2];
      const field = (name) => form.elements[name], number = (name) => Number(field(name).value);
      const show = () => {
        const [left, top, right, bottom] = ["left", "top", "right", "bottom"].map(number);
        const here = left && top && right >= left && bottom >= top && !(number("first") > at) && !(number("last") && number("last") < at);
        shape.toggleAttribute("hidden", !here);
        if (!here) return;
        Object.entries({ x: margin[0] + (left - 1) * scale, y: margin[1] + (top - 1) * aspect * scale, width: (right - left + 1) * scale, height: (bottom - top + 1) * aspect * scale })
          .forEach(([name, value]) => shape.setAttribute(name, value));
      };
      const pixel = (event) => {
        const to = new DOMPoint(event.clientX, event.clientY).matrixTransform(picture.getScreenCTM().inverse());
        const inside = (value, most) => Math.min(Math.max(Math.floor(value) + 1, 1), most);
        return [inside((to.x - margin[0]) / scale, columns), inside((to.y - margin[1]) / (aspect * scale), rows)];
      };
      let start;
      const open = () => form.closest("details").open;
      form.closest("details").addEventListener("toggle", () => picture.toggleAttribute("data-boxing", open()));
      picture.toggleAttribute("data-boxing", open());
      picture.addEventListener("pointerdown", (event) => { if (open()) { start = pixel(event); picture.setPointerCapture(event.pointerId); event.preventDefault(); } });
      picture.addEventListener("pointermove", (event) => {
        if (!start) return;
        const end = pixel(event);
        [["left", 0, Math.min], ["top", 1, Math.min], ["right", 0, Math.max], ["bottom", 1, Math.max]].forEach(([name, axis, pick]) => { field(name).value = pick(start[axis], end[axis]); });
        if (!(number("first") && number("first") <= at)) field("first").value = at;
        if (!(number("last") >= at)) field("last").value = at;
        show();
      });
      ["pointerup", "pointercancel"].forEach((kind) => picture.addEventListener(kind, () => { start = undefined; }));
      form.addEventListener("input", show);
      show();
    });
  }
  document.querySelectorAll("#viewer").forEach(boxes);

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

  // A picture to be masked: shown on a canvas before it is sent; a box that is drawn becomes a line of the field, which is what the server reads.
  document.querySelectorAll("form[data-mask]").forEach((form) => {
    const [file, lines] = [form.querySelector("[data-picture]"), form.querySelector("[data-boxes]")];
    const [part, canvas] = [form.querySelector("[data-canvas]"), form.querySelector("canvas")];
    const pen = canvas.getContext("2d");
    let picture, start;
    const boxes = () => lines.value.split("\n").map((line) => line.trim().split(/[\s,]+/).map(Number)).filter((box) => box.length === 4);
    const place = (event) => {
      const frame = canvas.getBoundingClientRect();
      return [(100 * (event.clientX - frame.left)) / frame.width, (100 * (event.clientY - frame.top)) / frame.height].map((at) => Math.min(Math.max(at, 0), 100));
    };
    const between = (one, other) => [...[0, 1].map((axis) => Math.min(one[axis], other[axis])), ...[0, 1].map((axis) => Math.max(one[axis], other[axis]))];
    function draw(more = []) {
      if (!picture) return;
      pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
      [...boxes(), ...more].forEach(([left, top, right, bottom]) => pen.fillRect((left * canvas.width) / 100, (top * canvas.height) / 100, ((right - left) * canvas.width) / 100, ((bottom - top) * canvas.height) / 100));
    }
    file.addEventListener("change", async () => {
      picture = await createImageBitmap(file.files[0]).catch(() => null);
      part.hidden = !picture;
      if (!picture) return;
      const scale = Math.min(1, 1600 / Math.max(picture.width, picture.height));
      [canvas.width, canvas.height] = [picture.width * scale, picture.height * scale];
      draw();
    });
    canvas.addEventListener("pointerdown", (event) => { start = place(event); canvas.setPointerCapture(event.pointerId); });
    canvas.addEventListener("pointermove", (event) => { if (start) draw([between(start, place(event))]); });
    canvas.addEventListener("pointerup", (event) => {
      const box = between(start, place(event)).map((at) => at.toFixed(1));
      start = null;
      if (box[2] - box[0] > 0.3 && box[3] - box[1] > 0.3) lines.value = [lines.value.trim(), box.join(" ")].filter(Boolean).join("\n");
      draw();
    });
    lines.addEventListener("input", () => draw());
    form.querySelector("[data-undo]").addEventListener("click", () => { lines.value = lines.value.trim().split("\n").slice(0, -1).join("\n"); draw(); });
  });

  document.querySelector("[autofocus]")?.focus();
})();
