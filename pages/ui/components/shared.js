// Shared by the three components: Python puts this text in front of each module, because a
// component's module is loaded from a blob and cannot import a neighbour.

// Streamlit calls a component's module again on every rerun with new data and on every change of
// theme. One live object per mounted place keeps hover, focus, scroll and zoom between the calls.
const mounted = new WeakMap();

function mountOnce(component, create) {
  const host = component.parentElement.querySelector(".esmc");
  let live = mounted.get(host);
  if (!live) {
    live = create(host);
    mounted.set(host, live);
  }
  live.send = (name, value) => component.setTriggerValue(name, value);
  live.update(component.data);
  // Streamlit also runs the clean-up of a call that was overtaken by the next one: only a place
  // that has really left the page is taken down.
  return () =>
    setTimeout(() => {
      if (host.isConnected) return;
      live.destroy();
      mounted.delete(host);
    });
}

// Whether the page around is at rest. What a component says of its own accord while a run is under
// way can cross a change of page, and would lead back to the page that was left.
function isAtRest() {
  const state = document.querySelector("[data-test-script-state]")?.dataset.testScriptState;
  return !["rerunRequested", "running"].includes(state);
}

// element("button", { class: "a", onclick: f, "aria-label": "b" }, "text", child, …)
function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

// The theme comes as CSS variables; a canvas has to look them up by itself.
function readTheme(host) {
  const style = getComputedStyle(host);
  const read = (name) => style.getPropertyValue(`--st-${name}`).trim();
  const [ink, paper] = [read("text-color"), read("background-color")];
  return {
    ink,
    paper,
    quiet: mixColours(ink, paper, 0.68), // as --quiet in the style sheet
    panel: read("secondary-background-color"),
    accent: read("primary-color"),
    font: read("font"),
  };
}

// `share` of the colour `a`, the rest of `b`.
function mixColours(a, b, share) {
  const other = channels(b);
  const mixed = channels(a).map((value, i) => Math.round(value * share + other[i] * (1 - share)));
  return `rgb(${mixed.join(", ")})`;
}

// Relative luminance (0–1) of "#rgb", "#rrggbb" or "rgb(r, g, b)".
function luminance(colour) {
  const [r, g, b] = channels(colour).map((value) => {
    const part = value / 255;
    return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function channels(colour) {
  if (!colour.startsWith("#")) return (colour.match(/[\d.]+/g) || [0, 0, 0]).slice(0, 3).map(Number);
  const hex = colour.length < 6 ? colour.replace(/[^#]/g, "$&$&") : colour;
  return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
}

// Make the canvas `width` × `height` CSS pixels, sharp on this screen; return its context.
function fitCanvas(canvas, width, height) {
  // Browsers refuse canvases wider than about 16,000 device pixels.
  const ratio = Math.min(window.devicePixelRatio || 1, 16000 / Math.max(width, height, 1));
  const [deviceWidth, deviceHeight] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== deviceWidth || canvas.height !== deviceHeight) {
    canvas.width = deviceWidth;
    canvas.height = deviceHeight;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return context;
}

// Call `redraw` when the host is resized, moved to a screen of another density, or gets its fonts.
function watchSize(host, redraw) {
  let frame = 0;
  const later = () => {
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(redraw);
  };
  const observer = new ResizeObserver(later);
  observer.observe(host);
  window.addEventListener("resize", later);
  document.fonts.addEventListener("loadingdone", later);
  return () => {
    cancelAnimationFrame(frame);
    observer.disconnect();
    window.removeEventListener("resize", later);
    document.fonts.removeEventListener("loadingdone", later);
  };
}

// Blanks of a token made visible: a leading one as a dot, a token of blanks alone as ␣ or ⏎.
function visibleToken(text) {
  const plain = text.replaceAll("\u2581", " ");
  const marked = plain.replaceAll("\n", "⏎").replaceAll("\t", "⇥");
  if (marked.trim() === "") return marked.replaceAll(" ", "␣") || "∅";
  return marked.replace(/^ +/, "·").replace(/ +$/, "·");
}

// The same for lists of words, where a leading blank only distracts.
function plainToken(text) {
  return visibleToken(text).replace(/^·(?=.)/, "");
}

function percent(probability) {
  const value = probability * 100;
  return `${value < 9.95 ? value.toFixed(1) : Math.round(value)} %`;
}

// Rows of "token, bar, percentage" for [[text, probability], …]; bars are probabilities out of 1.
function tokenBars(tokens) {
  return tokens.map(([text, probability]) =>
    element(
      "span",
      { class: "token" },
      element("span", { class: "word" }, plainToken(text)),
      element("span", { class: "share" }, percent(probability)),
      element("span", { class: "bar", style: `--share:${Math.min(1, probability)}` }),
    ),
  );
}

// A card beside the pointer, in the browser's top layer so that no container clips it.
class HoverCard {
  constructor(host) {
    this.node = element("div", { class: "card", popover: "manual", "aria-hidden": "true" });
    host.append(this.node);
    // A card belongs to a place on the screen: it goes when anything scrolls.
    this.scrolled = () => this.hide();
    document.addEventListener("scroll", this.scrolled, { capture: true, passive: true });
  }

  destroy() {
    document.removeEventListener("scroll", this.scrolled, { capture: true });
  }

  // `around` is a rectangle in viewport pixels that the card must not cover.
  show(around, ...children) {
    this.node.replaceChildren(...children.filter(Boolean));
    this.place(around);
  }

  place(around) {
    if (!this.node.matches(":popover-open")) this.node.showPopover();
    const gap = 10;
    const { offsetWidth: width, offsetHeight: height } = this.node;
    const right = around.right + gap + width < window.innerWidth - 4;
    const left = right ? around.right + gap : Math.max(4, around.left - gap - width);
    const centred = (around.top + around.bottom - height) / 2;
    const top = Math.max(4, Math.min(centred, window.innerHeight - height - 4));
    this.node.style.translate = `${Math.round(left)}px ${Math.round(top)}px`;
  }

  hide() {
    if (this.node.matches(":popover-open")) this.node.hidePopover();
  }
}

// The user's choice is drawn at once and sent to Python, which answers with every rerun. Answers to
// an older choice must not pull the picture back, while a value set by Python itself must win.
class Choice {
  constructor() {
    this.value = null;
    this.sent = [];
  }

  choose(value) {
    this.value = value;
    this.sent.push({ text: JSON.stringify(value), at: Date.now() });
  }

  // Take Python's value; return true if what is shown has changed.
  receive(value) {
    const text = JSON.stringify(value ?? null);
    // After three seconds without an answer Python is believed again.
    this.sent = this.sent.filter((choice) => Date.now() - choice.at < 3000);
    const answered = this.sent.findIndex((choice) => choice.text === text);
    const repeated = text === this.received;
    this.received = text;
    if (answered >= 0) this.sent.splice(0, answered + 1);
    else if (!repeated) this.sent = [];
    if (this.sent.length > 0) return false;
    const changed = text !== JSON.stringify(this.value);
    this.value = value ?? null;
    return changed;
  }
}
