// Pictures or texts as points: hover shows them, a lasso or a box selects them, a click opens one. Python
// keeps the selection; this module sends "select" with a mask (empty: all again)
// and "open" with an index. Two names, as only the last of several events of one name arrives.

const DRAG = 4; // px before a press becomes a drag
const MOVE_MS = 550;
const REST_MS = 40; // the pointer's stay on a point before its card is asked for

class Scatter {
  constructor(host) {
    this.host = host;
    this.choice = new Choice();
    this.view = new View();
    this.tool = "lasso";
    this.hovered = -1;
    this.emphasis = null;
    this.plot = host.querySelector(".plot");
    [this.canvas, this.marks] = host.querySelectorAll("canvas");
    this.painter = new Painter(this.canvas);
    this.toolbar = new Toolbar(host.querySelector(".tools"), (name) => this.act(name));
    this.legend = new Legend(host.querySelector(".legend"), this);
    this.card = new HoverCard(host);
    this.card.node.classList.add("picture");
    this.hand = new Hand(this);
    this.unwatch = watchSize(this.plot, () => this.resize());
    this.useTool("lasso");
  }

  update(data) {
    const column = (name) => data.points.getChild(name);
    if (data.card_url !== this.data?.card_url) this.cards = new Map();
    this.data = data;
    this.total = data.points.numRows;
    this.host.style.height = `${data.height}px`;
    this.plot.setAttribute(
      "aria-label",
      `${data.label}: ${this.total} points. L lasso, B box, P pan, plus and minus zoom, ` +
        "arrow keys move, Escape clears. The legend's buttons select clusters.",
    );
    if (this.styled !== data.style) {
      this.cluster = column("cluster").toArray();
      this.styled = data.style;
      this.sizes = new Map();
      for (const c of this.cluster) this.sizes.set(c, (this.sizes.get(c) || 0) + 1);
    }
    this.choice.receive(data.selected);
    this.theme = readTheme(this.host);
    const { points, ...rest } = data;
    const look = JSON.stringify([rest, this.theme, this.choice.value]);
    // Most reruns change nothing here, and 100,000 points take a moment to draw.
    if (look === this.look) return;
    this.look = look;
    this.readMask();
    this.host.classList.toggle("bare", !data.legend);
    this.legend.update(data, this.sizes);
    if (this.laidOut !== data.layout) {
      this.laidOut = data.layout;
      this.arrange(normalise(points.getChild("x").toArray(), points.getChild("y").toArray()));
    }
    this.resize();
  }

  // Take new coordinates; the same pictures walk to their new places.
  arrange(target) {
    const before = this.cloud;
    cancelAnimationFrame(this.walk);
    this.point(-1);
    this.index = new PointIndex(target);
    const still = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
    if (!before || before.x.length !== target.x.length || still || target.x.length > 50000) {
      this.view.reset();
      [this.cloud, this.walking] = [target, false];
      return;
    }
    const from = { zoom: this.view.zoom, x: this.view.x, y: this.view.y };
    const began = performance.now();
    const mix = (a, b, share) => a + (b - a) * share;
    const step = (now) => {
      const time = Math.max(0, Math.min(1, (now - began) / MOVE_MS));
      const share = time < 0.5 ? 4 * time ** 3 : 1 - (2 - 2 * time) ** 3 / 2;
      this.walking = time < 1;
      this.cloud = this.walking
        ? {
            x: before.x.map((value, i) => mix(value, target.x[i], share)),
            y: before.y.map((value, i) => mix(value, target.y[i], share)),
            reachX: mix(before.reachX, target.reachX, share),
            reachY: mix(before.reachY, target.reachY, share),
          }
        : target;
      this.view.zoom = mix(from.zoom, 1, share);
      [this.view.x, this.view.y] = [mix(from.x, 0, share), mix(from.y, 0, share)];
      this.view.fit(this.cloud);
      this.paint();
      if (this.walking) this.walk = requestAnimationFrame(step);
    };
    this.walking = true;
    this.walk = requestAnimationFrame(step);
  }

  // --- what is shown ------------------------------------------------------------------------------

  readMask() {
    const text = this.choice.value;
    this.mask = text === null ? null : unpackMask(text, this.total);
    this.count = this.mask ? this.mask.reduce((sum, on) => sum + on, 0) : this.total;
    this.toolbar.report(this.count, this.total, this.mask !== null, this.data.noun);
  }

  shown(i) {
    if (this.emphasis !== null) return this.cluster[i] === this.emphasis;
    return !this.mask || this.mask[i] === 1;
  }

  resize() {
    const { clientWidth: width, clientHeight: height } = this.plot;
    if (!this.cloud || width === 0 || height === 0) return;
    [this.view.width, this.view.height] = [width, height];
    this.view.fit(this.cloud);
    this.paint();
  }

  paint() {
    clearTimeout(this.later);
    this.painter.paint({
      cloud: this.cloud,
      cluster: this.cluster,
      view: this.view,
      theme: this.theme,
      colours: this.data.colours,
      outlines: this.data.outlines,
      partial: this.mask !== null || this.emphasis !== null,
      shown: (i) => this.shown(i),
    });
    this.paintMarks();
  }

  // After a pan or zoom: large clouds glide as an image and are drawn anew when the hand rests.
  moved() {
    this.point(-1);
    clearTimeout(this.later);
    if (this.painter.glide(this.view)) this.later = setTimeout(() => this.paint(), 90);
    else this.paint();
  }

  paintMarks() {
    let ring = null;
    if (this.hovered >= 0 && !this.walking) {
      const [left, top] = this.view.toScreen(this.cloud.x[this.hovered], this.cloud.y[this.hovered]);
      ring = { left, top, radius: Painter.radius(this.total, this.view.zoom) };
    }
    const { shape } = this.hand;
    paintMarks(this.marks, { view: this.view, theme: this.theme, ring, shape, closed: true });
  }

  // --- what the user does -------------------------------------------------------------------------

  find(left, top) {
    if (this.walking) return -1;
    const [x, y] = this.view.toWorld(left, top);
    const radius = Painter.radius(this.total, this.view.zoom);
    const reach = Math.max(6, radius + 2) / this.view.scale;
    const seen = this.index.nearest(x, y, reach, (i) => this.shown(i));
    return seen >= 0 ? seen : this.index.nearest(x, y, reach, () => true);
  }

  point(i) {
    if (i === this.hovered) return;
    this.hovered = i;
    this.plot.classList.toggle("over", i >= 0);
    this.paintMarks();
    clearTimeout(this.asking);
    if (i >= 0 && this.cards.has(i)) {
      this.show(i);
      return;
    }
    this.card.hide();
    if (i >= 0) this.asking = setTimeout(() => this.ask(i), REST_MS);
  }

  // Only what is pointed at is sent to the browser.
  async ask(i) {
    const { cards } = this;
    try {
      const answer = await fetch(this.data.card_url.replace("{}", i));
      if (answer.ok) cards.set(i, await answer.json());
    } catch {
      return; // the server is away; Streamlit says so
    }
    if (i === this.hovered && this.cards.has(i)) this.show(i);
  }

  show(i) {
    const { title, thumbnail: src } = this.cards.get(i);
    const [left, top] = this.view.toScreen(this.cloud.x[i], this.cloud.y[i]);
    const bounds = this.plot.getBoundingClientRect();
    const around = new DOMRect(bounds.left + left - 8, bounds.top + top - 8, 16, 16);
    const c = this.cluster[i];
    this.card.show(
      around,
      src && element("img", { src, alt: "", onerror: (event) => event.target.classList.add("broken") }),
      element("div", { class: src ? "name" : "name words" }, title),
      element("div", { class: "small group" }, swatch(this.data, c), clusterName(this.data, c)),
    );
  }

  open(i) {
    this.send("open", i);
  }

  // Select the points of `mask`, or with `add` also those selected before.
  select(mask, add) {
    const whole = add && this.mask ? mask.map((on, i) => on | this.mask[i]) : mask;
    if (!whole.includes(1)) return this.clear();
    const text = packMask(whole);
    this.choice.choose(text);
    this.send("select", text);
    return this.refresh();
  }

  clear() {
    if (this.choice.value === null) return;
    this.choice.choose(null);
    this.send("select", "");
    this.refresh();
  }

  refresh() {
    this.look = null; // what is shown is no longer what Python has sent
    this.readMask();
    this.legend.mark();
    this.paint();
  }

  stress(cluster) {
    if (cluster === this.emphasis) return;
    this.emphasis = cluster;
    this.paint();
  }

  useTool(name) {
    this.tool = name;
    this.toolbar.mark(name);
    this.plot.dataset.tool = name;
  }

  act(name) {
    const { width, height } = this.view;
    if (["lasso", "box", "pan"].includes(name)) this.useTool(name);
    else if (name === "clear") this.clear();
    else {
      if (name === "fit") this.view.reset();
      else this.view.zoomAt(name === "in" ? 1.4 : 1 / 1.4, width / 2, height / 2);
      this.moved();
    }
  }

  destroy() {
    cancelAnimationFrame(this.walk);
    clearTimeout(this.later);
    clearTimeout(this.asking);
    this.hand.destroy();
    this.unwatch();
    this.card.destroy();
  }
}

export default function (component) {
  return mountOnce(component, (host) => new Scatter(host));
}
