// The toolbar above the plot and the legend beside it.

const TOOLS = [
  ["lasso", "Lasso", "Draw around points to select them (L); hold Shift to add"],
  ["box", "Box", "Draw a box to select points (B); hold Shift to add"],
  ["pan", "Pan", "Drag to move the plot (P); the wheel zooms"],
];
const ZOOMS = [
  ["in", "Zoom in (+)"],
  ["out", "Zoom out (−)"],
  ["fit", "Show everything (0)"],
];

class Toolbar {
  constructor(node, act) {
    const button = (name, text, title) =>
      element(
        "button",
        { type: "button", title, "aria-label": title, "data-act": name, onclick: () => act(name) },
        icon(name),
        text && element("span", { class: "text" }, text),
      );
    this.tools = TOOLS.map(([name, text, title]) => button(name, text, title));
    this.clear = button("clear", "Clear", "Select nothing (Esc)");
    this.status = element("span", { class: "status", role: "status" });
    node.replaceChildren(
      element("span", { class: "set" }, ...this.tools),
      element("span", { class: "set" }, ...ZOOMS.map(([name, title]) => button(name, null, title))),
      this.clear,
      this.status,
    );
  }

  mark(tool) {
    this.tools.forEach((node) => node.setAttribute("aria-pressed", node.dataset.act === tool));
  }

  report(count, total, partial, one) {
    const noun = total === 1 ? one : `${one}s`;
    const counted = partial ? `${spell(count)} of ${spell(total)}` : spell(total);
    const said = element("span", { class: "text" }, partial ? " selected" : ` ${noun}`);
    if (this.status.textContent !== counted + said.textContent) {
      this.status.replaceChildren(counted, said);
    }
    this.clear.style.visibility = partial ? "visible" : "hidden";
  }
}

class Legend {
  constructor(node, scatter) {
    this.node = node;
    this.scatter = scatter;
    this.buttons = new Map();
  }

  update(data, sizes) {
    const shown = [...data.names.keys(), -1].filter((c) => sizes.has(c));
    const look = JSON.stringify([data.names, data.colours, data.outlines, [...sizes]]);
    if (look !== this.look) {
      this.look = look;
      // Rebuilding takes the focus away, so it waits for a real change.
      this.buttons = new Map(shown.map((c) => [c, this.createButton(data, c, sizes.get(c))]));
      this.node.replaceChildren(...this.buttons.values());
    }
    this.mark();
  }

  createButton(data, c, size) {
    const { scatter } = this;
    return element(
      "button",
      {
        type: "button",
        title: `Select “${clusterName(data, c)}”; hold Shift to add`,
        onclick: (event) => this.choose(c, event.shiftKey),
        onpointerenter: () => scatter.stress(c),
        onpointerleave: () => scatter.stress(null),
      },
      swatch(data, c),
      element("span", { class: "name" }, clusterName(data, c)),
      element("span", { class: "size" }, spell(size)),
    );
  }

  choose(c, add) {
    const { scatter } = this;
    scatter.stress(null);
    const pressed = this.buttons.get(c).getAttribute("aria-pressed") === "true";
    if (pressed && !add) scatter.clear();
    else scatter.select(Uint8Array.from(scatter.cluster, (value) => Number(value === c)), add);
  }

  // An entry is pressed when all its points are selected and the plot shows a selection.
  mark() {
    const { mask, cluster, sizes } = this.scatter;
    const selected = new Map();
    if (mask) cluster.forEach((c, i) => selected.set(c, (selected.get(c) || 0) + mask[i]));
    for (const [c, node] of this.buttons) {
      node.setAttribute("aria-pressed", Boolean(mask) && selected.get(c) === sizes.get(c));
      node.toggleAttribute("data-off", Boolean(mask) && !selected.get(c));
    }
  }
}

function spell(count) {
  return count.toLocaleString("en-US");
}

function clusterName(data, c) {
  return c < 0 ? "no cluster" : data.names[c];
}

function swatch(data, c) {
  const fill = c < 0 ? LEFT_OUT : data.colours[c];
  const rim = (c >= 0 && data.outlines?.[c]) || "var(--rim)";
  return element("span", { class: "swatch", style: `background:${fill};border-color:${rim}` });
}
