// Where WebGL is: the viewer's panes as three planes of one volume, both phases at one place. Without it, or without the library, slices stay.
"use strict";

(() => {
  const COLOURS = [[255, 210, 63], [79, 209, 255], [255, 138, 216], [142, 245, 142]];  // of readers, as over the slices
  const panes = new Map();  // by the address of the volume: frame, the instance that draws in it, and what it shows
  let on = false, library, turn = Promise.resolve();

  const button = () => document.querySelector("#viewer [data-volumes]");
  const able = () => { try { return Boolean(document.createElement("canvas").getContext("webgl2")); } catch { return false; } };
  const say = (word) => document.querySelectorAll("#viewer [data-volume-says]").forEach((part) => { part.hidden = part.dataset.volumeSays !== word; });

  function load(address) {
    library ??= new Promise((done, failed) => {
      const script = Object.assign(document.createElement("script"), { src: address, onload: () => done(window.niivue), onerror: failed });
      document.head.append(script);
    });
    return library;
  }

  async function begin(niivue, section) {
    const canvas = Object.assign(document.createElement("canvas"), { tabIndex: 0 });
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", section.getAttribute("aria-label"));
    const frame = Object.assign(document.createElement("div"), { className: "volume" });
    frame.append(canvas);
    section.querySelector("figure").after(frame);
    const drawing = new niivue.Niivue({ isRadiologicalConvention: true, dragAndDropEnabled: false, logLevel: "error", backColor: [0, 0, 0, 1], crosshairWidth: 1, crosshairColor: [0.45, 0.75, 1, 0.8], fontColor: [1, 1, 1, 1], sagittalNoseLeft: true });
    await drawing.attachToCanvas(canvas, false);
    COLOURS.forEach(([r, g, b], i) => drawing.addColormap(`reader${i}`, { R: [0, r], G: [0, g], B: [0, b], A: [0, 110], I: [0, 255] }));
    drawing.setSliceType(drawing.sliceTypeMultiplanar);
    return { frame, drawing, outlines: null };
  }

  // Bring a pane to what its section says: which outlines, through which window, at which height.
  async function show(niivue, section) {
    const address = section.dataset.volume;
    const pane = panes.get(address) ?? await begin(niivue, section);
    panes.set(address, pane);
    section.querySelector("figure").after(pane.frame);
    const [low, high] = section.dataset.window.split(" ").map(Number);
    if (pane.outlines !== section.dataset.outlines) {
      const masks = section.dataset.outlines.split(" ").filter(Boolean).map((one) => one.split("#"));
      await pane.drawing.loadVolumes([
        { url: address, name: "volume.nii", colormap: "gray", cal_min: low, cal_max: high },
        ...masks.map(([url, number]) => ({ url, name: `reader${number}.nii`, colormap: `reader${number}`, cal_min: 0, cal_max: 1, opacity: 0.6 })),
      ]);
      pane.outlines = section.dataset.outlines;
    }
    Object.assign(pane.drawing.volumes[0], { cal_min: low, cal_max: high });
    pane.drawing.updateGLVolume();
    // The stack's own direction is the third column of its affine; the cross hair counts along the body's axes.
    const along = pane.drawing.volumes[0].hdr.affine.slice(0, 3).map((row) => row[2]), size = along.map(Math.abs);
    const axis = size.indexOf(Math.max(...size)), share = Number(section.dataset.height), place = [...pane.drawing.scene.crosshairPos];
    place[axis] = along[axis] > 0 ? share : 1 - share;
    pane.drawing.scene.crosshairPos = place;
    pane.drawing.drawScene();
    section.dataset.drawn = pane.drawing.volumes.length;
  }

  async function draw() {
    const press = button();
    if (!press) return;
    press.hidden = false;
    press.setAttribute("aria-pressed", String(on));
    document.getElementById("viewer").toggleAttribute("data-on-volumes", on);
    if (!on) return say("");
    say("loading");
    try {
      const niivue = await load(press.dataset.volumes);
      const sections = [...document.querySelectorAll("#viewer [data-volume]")];
      for (const section of sections) await show(niivue, section);
      const drawings = sections.map((section) => panes.get(section.dataset.volume).drawing);
      drawings.forEach((one) => one.broadcastTo(drawings.filter((other) => other !== one), { "2d": true, "3d": true }));
      say("");
    } catch (fault) {
      console.warn(`the volume could not be drawn: ${fault?.message ?? fault}`);
      on = false;
      press.setAttribute("aria-pressed", "false");
      document.getElementById("viewer").removeAttribute("data-on-volumes");
      say("failed");
    }
  }

  if (!button() || !able()) return;
  document.addEventListener("click", (event) => {
    if (!event.target.closest?.("#viewer [data-volumes]")) return;
    on = !on;
    turn = turn.then(draw);
  });
  document.addEventListener("viewer-swapped", () => { turn = turn.then(draw); });
  draw();
})();
