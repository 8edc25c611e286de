// Layers up, prompt tokens across, one colour a cell. Python sends the scores, this module draws
// them and sends back the chosen cell as [layer, position].

const AXIS = 40; // px for the layer numbers
const NARROWEST = 14; // px; narrower columns would be hard to hit, so the grid scrolls instead
const WIDEST = 140;
const LINE = "#14171a";
const NOISE = 1e-3; // of a unit; scores that differ by less get one colour
const VIRIDIS = (
  "440154470e61481a6c482575472f7d443a834144873d4e8a39568c35608d31688e2d708e2a788e27818e23888e21918d" +
  "1f988b1fa08822a8842ab07f35b77943bf7154c56866cc5d7ad1518fd744a5db36bcdf27d2e21be9e51afde725"
).match(/.{6}/g);
// 32 even steps of the published map; a straight line between two is as good to the eye.
const STOPS = VIRIDIS.map((hex) => channels(`#${hex}`));

function viridis(share) {
  const at = Math.max(0, Math.min(1, share)) * (STOPS.length - 1);
  const low = Math.min(STOPS.length - 2, Math.floor(at));
  const mixed = STOPS[low].map((value, i) => value + (STOPS[low + 1][i] - value) * (at - low));
  return `rgb(${mixed.map(Math.round).join(" ")})`;
}

class Heatmap {
  constructor(host) {
    this.host = host;
    this.choice = new Choice();
    this.hover = null;
    this.build();
    this.card = new HoverCard(host);
    this.unwatch = watchSize(host, () => this.draw());
  }

  build() {
    const q = (name) => this.host.querySelector(name);
    [this.title, this.low, this.high] = [q(".title"), q(".low"), q(".high")];
    [this.axis, this.scroller, this.canvas] = [q(".axis"), q(".scroller"), q(".cells")];
    [this.live, this.key] = [q(".live"), q(".suggested")];
    const stops = VIRIDIS.map((hex) => `#${hex}`).join(",");
    q(".ramp").style.background = `linear-gradient(to right, ${stops})`;
    this.canvas.addEventListener("pointermove", (event) => this.point(this.cellAt(event)));
    this.canvas.addEventListener("pointerleave", () => this.point(null));
    this.canvas.addEventListener("click", (event) => {
      const cell = this.cellAt(event);
      if (cell) this.pick(cell, 0);
    });
    this.scroller.addEventListener("keydown", (event) => this.press(event));
    this.scroller.addEventListener("blur", () => this.point(null));
  }

  update(data) {
    this.data = data;
    this.rows = data.scores.length;
    this.columns = data.tokens.length;
    const known = data.scores.flat().filter((score) => score !== null);
    this.range = known.length ? [Math.min(...known), Math.max(...known)] : [0, 0];
    const moved = this.choice.receive(data.selected);
    this.title.textContent = data.title;
    this.low.textContent = known.length ? brief(this.range[0]) : "";
    this.high.textContent = known.length ? `${brief(this.range[1])} ${data.unit}` : data.unit;
    this.key.style.visibility = data.suggested ? "visible" : "hidden";
    this.scroller.setAttribute(
      "aria-label",
      `${data.title}: ${this.rows} layers by ${this.columns} tokens. ` +
        "Arrow keys choose a cell, Page Up and Page Down move five layers, Enter confirms.",
    );
    if (this.hover && (this.hover[0] >= this.rows || this.hover[1] >= this.columns)) this.hover = null;
    this.draw();
    if (moved && this.choice.value) this.reveal(this.choice.value[1]);
    this.showCard();
  }

  // --- geometry -------------------------------------------------------------------------------

  // Columns and rows begin on whole pixels, which keeps every cell sharp.
  edge(column) {
    return Math.round(column * this.cellWidth);
  }

  ledge(row) {
    return Math.round(row * this.cellHeight);
  }

  box([layer, position]) {
    const [x, y] = [this.edge(position), this.ledge(this.rows - 1 - layer)];
    return { x, y, w: this.edge(position + 1) - x, h: this.ledge(this.rows - layer) - y };
  }

  cellAt(event) {
    const bounds = this.canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - bounds.left, event.clientY - bounds.top];
    // A pointer near a seam belongs to the cell that is drawn there, after rounding.
    const settle = (line, at, begin) => line + (at >= begin(line + 1)) - (at < begin(line));
    const row = settle(Math.floor(y / this.cellHeight), y, (line) => this.ledge(line));
    const column = settle(Math.floor(x / this.cellWidth), x, (line) => this.edge(line));
    const inside = row >= 0 && row < this.rows && column >= 0 && column < this.columns;
    return inside ? [this.rows - 1 - row, column] : null;
  }

  // --- what the user does -----------------------------------------------------------------------

  point(cell) {
    if (String(cell) === String(this.hover)) return;
    this.hover = cell;
    this.canvas.style.cursor = cell ? "pointer" : "default";
    this.draw();
    this.showCard();
  }

  pick(cell, delay) {
    this.choice.choose(cell);
    this.draw();
    this.live.textContent = this.describe(cell);
    clearTimeout(this.timer);
    // Held arrow keys end in one rerun, not in one for each cell on the way.
    this.timer = setTimeout(() => this.send("pick", cell), delay);
  }

  press(event) {
    const steps = {
      ArrowUp: [1, 0],
      ArrowDown: [-1, 0],
      ArrowLeft: [0, -1],
      ArrowRight: [0, 1],
      PageUp: [5, 0],
      PageDown: [-5, 0],
      Home: [0, -Infinity],
      End: [0, Infinity],
      Enter: [0, 0],
    };
    if (event.key === "Escape") return this.point(null);
    const step = steps[event.key];
    if (!step || event.altKey || event.ctrlKey || event.metaKey) return undefined;
    event.preventDefault();
    const start = this.choice.value || this.data.suggested || [this.rows - 1, this.columns - 1];
    const within = (value, size) => Math.max(0, Math.min(size - 1, value));
    const first = !this.choice.value;
    const cell = [
      within(start[0] + (first ? 0 : step[0]), this.rows),
      within(start[1] + (first ? 0 : step[1]), this.columns),
    ];
    this.pick(cell, event.key === "Enter" ? 0 : 150);
    this.reveal(cell[1]);
    return this.point(cell);
  }

  reveal(column) {
    const [left, right] = [this.edge(column), this.edge(column + 1)];
    const view = this.scroller;
    if (left < view.scrollLeft) view.scrollLeft = left - this.cellWidth;
    const over = right - view.scrollLeft - view.clientWidth;
    if (over > 0) view.scrollLeft += over + this.cellWidth;
  }

  // --- words ------------------------------------------------------------------------------------

  score([layer, position]) {
    return this.data.scores[layer][position];
  }

  topTokens([layer, position]) {
    const flat = this.data.top?.[layer * this.columns + position] || [];
    const pairs = [];
    for (let i = 0; i < flat.length; i += 2) pairs.push([this.data.words[flat[i]], flat[i + 1]]);
    return pairs;
  }

  describe(cell) {
    const score = this.score(cell);
    const said = score === null ? "no score yet" : `${brief(score)} ${this.data.unit}`;
    const top = this.topTokens(cell).map(([text, p]) => `${plainToken(text)} ${percent(p)}`);
    const suggested = String(cell) === String(this.data.suggested) ? ", suggested" : "";
    const token = visibleToken(this.data.tokens[cell[1]]);
    return `Layer ${cell[0]}, token ${token}, ${said}${suggested}. ${top.join(", ")}`;
  }

  showCard() {
    if (!this.hover) return this.card.hide();
    const [layer, position] = this.hover;
    const score = this.score(this.hover);
    const suggested = String(this.hover) === String(this.data.suggested);
    const { x, y, w, h } = this.box(this.hover);
    const bounds = this.canvas.getBoundingClientRect();
    const around = new DOMRect(bounds.left + x, bounds.top + y, w, h);
    const value = score === null ? "not computed yet" : `${brief(score)} ${this.data.unit}`;
    return this.card.show(
      around,
      element("div", { class: "big" }, value),
      element(
        "div",
        { class: "small where" },
        `layer ${layer}${layer === 0 ? " (embeddings)" : ""} · “`,
        element("b", {}, visibleToken(this.data.tokens[position])),
        `”${suggested ? " · ★ suggested" : ""}`,
      ),
      ...tokenBars(this.topTokens(this.hover)),
    );
  }

  // --- drawing ----------------------------------------------------------------------------------

  draw() {
    if (!this.data) return;
    const room = this.scroller.clientWidth;
    if (room === 0) return;
    this.theme = readTheme(this.host);
    this.cellWidth = Math.max(NARROWEST, Math.min(WIDEST, room / this.columns));
    const { height } = this.data;
    const labels = layLabels(this);
    // The whole has a fixed height: the grid gets what the token texts leave.
    this.cellHeight = (height - labels.room) / this.rows;
    const width = Math.max(1, this.edge(this.columns));
    const context = fitCanvas(this.canvas, width, height);
    context.clearRect(0, 0, width, height);
    this.drawCells(context);
    this.drawMarks(context);
    this.canvas.dataset.selected = this.choice.value ?? "";
    drawTokens(this, context, labels);
    drawLayers(this, fitCanvas(this.axis, AXIS, height));
  }

  drawCells(context) {
    const [low, high] = this.range;
    this.data.scores.forEach((row, layer) =>
      row.forEach((score, position) => {
        const { x, y, w, h } = this.box([layer, position]);
        const share = high - low > NOISE ? (score - low) / (high - low) : 0;
        context.fillStyle = score === null ? this.theme.panel : viridis(share);
        context.fillRect(x, y, w - 1, h - 1);
      }),
    );
  }

  drawMarks(context) {
    const frame = ({ x, y, w, h }, outer, inner) => {
      for (const [colour, width] of [[LINE, outer], ["#ffffff", inner]]) {
        context.strokeStyle = colour;
        context.lineWidth = width;
        // Kept inside the canvas, whose border cells would otherwise lose half of the line.
        const [left, top] = [Math.max(x, outer / 2), Math.max(y, outer / 2)];
        const right = Math.min(x + w - 1, this.edge(this.columns) - outer / 2);
        context.strokeRect(left, top, right - left, y + h - 1 - top);
      }
    };
    if (this.hover) frame(this.box(this.hover), 2.5, 1);
    if (this.choice.value) frame(this.box(this.choice.value), 5, 2.5);
    if (this.data.suggested) drawStar(context, this.box(this.data.suggested));
  }

  destroy() {
    clearTimeout(this.timer);
    this.unwatch();
    this.card.destroy();
  }
}

function brief(value) {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toFixed(digits).replace("-", "−");
}

export default function (component) {
  return mountOnce(component, (host) => new Heatmap(host));
}
