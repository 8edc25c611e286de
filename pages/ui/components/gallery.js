// Pictures as buttons, in a grid or in a strip that scrolls sideways. Sends the id of the picture
// that was opened.

const BROKEN = `<svg viewBox="0 0 24 24" width="26" height="26" fill="none" stroke="currentColor"
  stroke-width="1.4" stroke-linejoin="round" stroke-linecap="round"><rect x="3" y="4.5" width="18"
  height="15" rx="2"/><path d="M3 16l5-4.5 4 3.5M15 13l6 4M4 3l16 18"/></svg>`;

class Gallery {
  constructor(host) {
    this.host = host;
    this.list = host.querySelector(".list");
    this.choice = new Choice();
    this.cells = new Map();
    this.order = [];
    this.active = 0;
    this.list.addEventListener("keydown", (event) => this.press(event));
  }

  update(data) {
    this.data = data;
    this.choice.receive(data.selected);
    this.host.classList.toggle("strip", data.layout === "strip");
    this.host.classList.toggle("contain", data.fit === "contain");
    this.list.style.setProperty("--size", `${data.size}px`);
    this.list.style.setProperty("--lines", data.caption_lines);
    this.list.style.setProperty("--tokens", data.token_rows);
    this.list.setAttribute("aria-label", data.label);
    const kept = new Map();
    for (const item of data.items) kept.set(item.id, this.cells.get(item.id) || createCell(this, item.id));
    const nodes = data.items.map((item) => kept.get(item.id).node);
    for (const [id, cell] of this.cells) if (!kept.has(id)) cell.node.remove();
    // Moving a node that is already in its place would take the focus from it.
    nodes.forEach((node, i) => {
      if (this.list.children[i] !== node) this.list.insertBefore(node, this.list.children[i] || null);
    });
    this.cells = kept;
    this.order = data.items.map((item) => item.id);
    data.items.forEach((item) => fillCell(kept.get(item.id), item));
    this.mark();
    this.load();
  }

  // The pictures that are not there yet, many with one request: one by one a page of them took more
  // than twice as long.
  load() {
    const missing = [...this.cells.values()].filter((cell) => cell.wanted && !cell.isLoading);
    const { together } = this.data; // as many as the server gives in one answer
    for (let at = 0; at < missing.length; at += together) {
      this.fetchTogether(missing.slice(at, at + together));
    }
  }

  async fetchTogether(cells) {
    const digests = cells.map((cell) => cell.wanted);
    for (const cell of cells) cell.isLoading = true;
    let found = [];
    try {
      const answer = await fetch(`${this.data.thumbnails}?digests=${digests}`);
      if (answer.ok) found = await answer.json();
    } catch {
      // The server is gone: the pictures are shown as missing.
    }
    cells.forEach((cell, i) => {
      cell.isLoading = false;
      if (cell.wanted !== digests[i]) return;
      cell.wanted = null;
      if (found[i]) cell.image.src = `data:image/webp;base64,${found[i]}`;
      else cell.picture.toggleAttribute("data-broken", true);
    });
    this.load();
  }

  // Selection, and the one picture that Tab reaches.
  mark() {
    const chosen = this.order.indexOf(this.choice.value);
    this.active = chosen >= 0 ? chosen : Math.min(this.active, Math.max(0, this.order.length - 1));
    this.order.forEach((id, i) => {
      const { button } = this.cells.get(id);
      button.tabIndex = i === this.active ? 0 : -1;
      button.toggleAttribute("data-chosen", i === chosen);
      button.setAttribute("aria-current", i === chosen);
    });
  }

  open(id) {
    this.choice.choose(id);
    this.mark();
    this.send("open", id);
  }

  press(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const columns = this.countColumns();
    const steps = {
      ArrowLeft: -1,
      ArrowRight: 1,
      ArrowUp: -columns,
      ArrowDown: columns,
      Home: -Infinity,
      End: Infinity,
    };
    const step = steps[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const focused = this.order.findIndex((id) => this.cells.get(id).button === event.target);
    const last = this.order.length - 1;
    let next = (focused < 0 ? this.active : focused) + step;
    if (Math.abs(step) === Infinity) next = step < 0 ? 0 : last;
    if (next < 0 || next > last) return;
    this.active = next;
    this.order.forEach((id, i) => {
      this.cells.get(id).button.tabIndex = i === next ? 0 : -1;
    });
    this.cells.get(this.order[next]).button.focus();
  }

  countColumns() {
    const tops = this.order.map((id) => this.cells.get(id).node.offsetTop);
    const second = tops.findIndex((top) => top !== tops[0]);
    return second < 0 ? tops.length : second;
  }

  destroy() {
    this.cells.clear();
  }
}

function createCell(gallery, id) {
  const image = element("img", { decoding: "async", alt: "", draggable: "false" });
  const broken = element("span", { class: "broken", "aria-hidden": "true" });
  broken.innerHTML = BROKEN;
  const badge = element("span", { class: "badge" });
  const name = element("span", { class: "name" });
  const colour = element("span", { class: "colour" });
  const picture = element("span", { class: "picture" }, image, broken, badge, name);
  const caption = element("span", { class: "caption" });
  const tokens = element("span", { class: "tokens" });
  const button = element(
    "button",
    { type: "button", onclick: () => gallery.open(id) },
    picture,
    colour,
    caption,
    tokens,
  );
  image.addEventListener("error", () => picture.toggleAttribute("data-broken", true));
  image.addEventListener("load", () => picture.toggleAttribute("data-broken", false));
  const node = element("li", {}, button);
  return { node, button, picture, image, badge, name, colour, caption, tokens };
}

function fillCell(cell, item) {
  const text = JSON.stringify(item);
  if (cell.text === text) return;
  cell.text = text;
  if (cell.digest !== item.digest) {
    cell.digest = item.digest;
    cell.wanted = item.digest;
    cell.picture.toggleAttribute("data-broken", false);
  }
  cell.badge.textContent = item.badge || "";
  cell.name.textContent = item.title;
  cell.caption.textContent = item.caption || "";
  cell.colour.toggleAttribute("data-empty", !item.colour);
  cell.colour.style.backgroundColor = item.colour || "";
  cell.tokens.replaceChildren(...tokenBars(item.tokens || []));
  const words = (item.tokens || []).map(([word, p]) => `${plainToken(word)} ${percent(p)}`);
  const parts = [item.title, item.caption, item.badge, words.join(", ")];
  cell.button.setAttribute("aria-label", parts.filter(Boolean).join(". "));
}

export default function (component) {
  return mountOnce(component, (host) => new Gallery(host));
}
