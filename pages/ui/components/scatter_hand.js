// Pointer, wheel and keys on the plot.

class Hand {
  constructor(scatter) {
    this.scatter = scatter;
    this.shape = null;
    const { plot } = scatter;
    plot.addEventListener("pointerdown", (event) => this.down(event));
    plot.addEventListener("pointermove", (event) => this.move(event));
    plot.addEventListener("pointerup", (event) => this.up(event));
    plot.addEventListener("pointercancel", () => this.drop());
    plot.addEventListener("pointerleave", () => this.start || scatter.point(-1));
    plot.addEventListener("keydown", (event) => this.press(event));
    plot.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    // A scroll of the page that runs into the plot goes on; only a turn begun here zooms.
    this.elsewhere = (event) => {
      if (!event.composedPath().includes(plot)) this.scrolled = event.timeStamp;
    };
    window.addEventListener("wheel", this.elsewhere, { capture: true, passive: true });
  }

  place(event) {
    const { plot } = this.scatter;
    const bounds = plot.getBoundingClientRect();
    const { clientLeft, clientTop } = plot; // its border
    return [event.clientX - bounds.left - clientLeft, event.clientY - bounds.top - clientTop];
  }

  down(event) {
    if (event.button > 1) return;
    this.start = this.place(event);
    this.last = this.start;
    this.dragged = false;
    this.gesture = event.button === 1 ? "pan" : this.scatter.tool;
    this.scatter.plot.setPointerCapture(event.pointerId);
    this.scatter.plot.focus({ preventScroll: true, focusVisible: false });
    event.preventDefault();
  }

  move(event) {
    const { scatter } = this;
    const [left, top] = this.place(event);
    if (!this.start) {
      scatter.point(scatter.find(left, top));
      return;
    }
    const far = Math.hypot(left - this.start[0], top - this.start[1]) > DRAG;
    if (!this.dragged && !far) return;
    if (!this.dragged) {
      scatter.point(-1);
      this.shape = this.gesture === "pan" ? null : [this.start];
      scatter.plot.classList.toggle("grabbed", this.gesture === "pan");
    }
    this.dragged = true;
    if (this.gesture === "pan") {
      scatter.view.pan(left - this.last[0], top - this.last[1]);
      scatter.moved();
    } else {
      this.extend(left, top);
      scatter.paintMarks();
    }
    this.last = [left, top];
  }

  extend(left, top) {
    const [x, y] = this.start;
    if (this.gesture === "box") this.shape = [[x, y], [left, y], [left, top], [x, top]];
    else if (Math.hypot(left - this.shape.at(-1)[0], top - this.shape.at(-1)[1]) > 2) {
      this.shape.push([left, top]);
    }
  }

  up(event) {
    const { scatter } = this;
    if (!this.start) return;
    const { shape, dragged, gesture, start } = this;
    this.drop();
    if (!dragged) {
      const i = scatter.find(...start);
      if (i >= 0) scatter.open(i);
      else scatter.clear();
    } else if (gesture !== "pan" && shape.length > 2) {
      scatter.select(enclosed(shape, scatter.cloud, scatter.view), event.shiftKey);
    }
  }

  drop() {
    [this.start, this.shape] = [null, null];
    this.scatter.plot.classList.remove("grabbed");
    this.scatter.paintMarks();
  }

  wheel(event) {
    const { view } = this.scatter;
    if (!event.ctrlKey && event.timeStamp - (this.scrolled ?? -Infinity) < 400) {
      this.scrolled = event.timeStamp;
      return;
    }
    const lines = event.deltaMode === 1 ? 16 : 1;
    const turn = Math.max(-120, Math.min(120, event.deltaY * lines));
    // Fully zoomed out, turning on scrolls the page.
    if (turn > 0 && view.zoom <= FARTHEST && !event.ctrlKey) return;
    event.preventDefault();
    view.zoomAt(Math.exp(-turn * (event.ctrlKey ? 0.01 : 0.0022)), ...this.place(event));
    this.scatter.moved();
  }

  press(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const { scatter } = this;
    const moves = { ArrowLeft: [48, 0], ArrowRight: [-48, 0], ArrowUp: [0, 48], ArrowDown: [0, -48] };
    const tools = { l: "lasso", b: "box", p: "pan", "+": "in", "=": "in", "-": "out", 0: "fit" };
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (moves[key]) {
      scatter.view.pan(...moves[key]);
      scatter.moved();
    } else if (tools[key]) scatter.act(tools[key]);
    else if (key === "Escape" && this.start) this.drop();
    else if (key === "Escape") scatter.clear();
    else return;
    event.preventDefault();
  }

  destroy() {
    window.removeEventListener("wheel", this.elsewhere, { capture: true });
  }
}
