// Drawing of the points. Each look (cluster, in full or dimmed) is drawn once as a small sprite, whose
// pixels are then set for every point: 100,000 of them take a quarter of the time of as many images.

const LEFT_OUT = "#8d949a"; // points of no cluster
const FAINT = 0.2; // share of its own colour that a dimmed point keeps
const SLOW = 14; // ms; a slower picture is moved as an image while the user drags

class Painter {
  constructor(canvas) {
    this.canvas = canvas;
    this.cost = 0;
  }

  static radius(count, zoom) {
    const base = Math.max(1.6, 8.6 - 1.5 * Math.log10(Math.max(1, count)));
    return Math.min(12, base * Math.max(1, zoom) ** 0.3);
  }

  // `plot`: cloud {x, y}, cluster, view, theme, colours, outlines, and shown(i) → in full or dimmed.
  paint(plot) {
    const began = performance.now();
    const { view, cloud } = plot;
    const context = fitCanvas(this.canvas, view.width, view.height);
    const radius = Painter.radius(cloud.x.length, view.zoom);
    this.prepare(plot, radius);
    const sheet = this.blank();
    if (plot.partial) this.stamp(sheet, plot, false);
    this.stamp(sheet, plot, true);
    context.putImageData(sheet.image, -sheet.margin, -sheet.margin);
    this.canvas.style.transform = "";
    this.painted = { scale: view.scale, x: view.x, y: view.y };
    this.cost = performance.now() - began;
  }

  // Show the last picture moved and stretched to the present view; return false if a fresh one is
  // quick enough to draw.
  glide(view) {
    if (this.cost < SLOW || !this.painted) return false;
    const left = (this.painted.x - view.x) * view.scale;
    const top = -(this.painted.y - view.y) * view.scale;
    this.canvas.style.transform =
      `translate(${left}px, ${top}px) scale(${view.scale / this.painted.scale})`;
    return true;
  }

  // Transparent pixels for the canvas, with a margin that points at its edges may reach into.
  blank() {
    const margin = this.sprites[0].side;
    const [width, height] = [this.canvas.width + 2 * margin, this.canvas.height + 2 * margin];
    if (this.sheet?.image.width !== width || this.sheet.image.height !== height) {
      const image = new ImageData(width, height);
      this.sheet = { image, pixels: new Uint32Array(image.data.buffer) };
    } else {
      this.sheet.pixels.fill(0);
    }
    return Object.assign(this.sheet, { margin });
  }

  // On whole device pixels, so that every point is equally sharp.
  stamp({ image, pixels, margin }, plot, full) {
    const { view, cloud, cluster } = plot;
    const ratio = this.canvas.width / view.width;
    const sprites = full ? this.sprites : this.faint;
    const half = margin / 2;
    const [centreX, centreY] = [(view.width / 2) * ratio - half, (view.height / 2) * ratio - half];
    const scale = view.scale * ratio;
    const [endX, endY] = [this.canvas.width, this.canvas.height];
    const placed = sprites.map(({ at }) => Int32Array.from(at, ([x, y]) => y * image.width + x));
    for (let i = 0; i < cloud.x.length; i += 1) {
      if (plot.partial && plot.shown(i) !== full) continue;
      const left = Math.round(centreX + (cloud.x[i] - view.x) * scale);
      const top = Math.round(centreY - (cloud.y[i] - view.y) * scale);
      if (left < -margin || top < -margin || left > endX || top > endY) continue;
      const start = (top + margin) * image.width + left + margin;
      const look = cluster[i] + 1;
      const [{ colours }, places] = [sprites[look], placed[look]];
      for (let k = 0; k < places.length; k += 1) {
        const at = start + places[k];
        pixels[at] = colours[k] >>> 24 === 255 ? colours[k] : lay(colours[k], pixels[at]);
      }
    }
  }

  prepare(plot, radius) {
    const { theme, colours, outlines, view } = plot;
    const ratio = this.canvas.width / view.width;
    const size = Math.round(radius * ratio * 4) / 4;
    const look = JSON.stringify([size, theme.paper, theme.ink, colours, outlines]);
    if (look === this.look) return;
    this.look = look;
    const all = [LEFT_OUT, ...colours];
    const rims = all.map((colour, i) => (i > 0 && outlines?.[i - 1]) || rimFor(colour, theme));
    this.sprites = all.map((colour, i) => drawSprite(colour, rims[i], size, ratio));
    // Mixed with the paper rather than transparent: thousands on one heap stay as faint as one.
    const fade = (colour) => mixColours(colour, theme.paper, FAINT);
    this.faint = all.map((colour, i) => drawSprite(fade(colour), fade(rims[i]), size, ratio));
  }
}

// Colours near the paper's get a visible rim; the others one of paper, which parts neighbours.
function rimFor(colour, theme) {
  const [a, b] = [luminance(colour), luminance(theme.paper)].sort((m, n) => n - m);
  return (a + 0.05) / (b + 0.05) < 1.7 ? theme.quiet : theme.paper;
}

// A disc with a rim as the [x, y] of its pixels and their colours, alpha in the highest byte.
function drawSprite(colour, rim, radius, ratio) {
  const line = radius < 2.5 * ratio ? 0.5 * ratio : ratio;
  const side = 2 * Math.ceil(radius + line);
  const context = new OffscreenCanvas(side, side).getContext("2d");
  context.beginPath();
  context.arc(side / 2, side / 2, radius, 0, 2 * Math.PI);
  context.fillStyle = colour;
  context.fill();
  context.lineWidth = line;
  context.strokeStyle = rim;
  context.stroke();
  const pixels = new Uint32Array(context.getImageData(0, 0, side, side).data.buffer);
  const inked = [...pixels.keys()].filter((i) => pixels[i] >>> 24 > 0);
  const at = inked.map((i) => [i % side, Math.floor(i / side)]);
  return { side, at, colours: Uint32Array.from(inked, (i) => pixels[i]) };
}

// One pixel over another, neither of them premultiplied.
function lay(above, below) {
  if (below >>> 24 === 0) return above;
  const [a, b] = [above >>> 24, below >>> 24];
  const whole = a + (b * (255 - a)) / 255;
  const share = a / whole;
  const mixed = (shift) => {
    const low = (below >>> shift) & 255;
    return Math.round(low + (((above >>> shift) & 255) - low) * share) << shift;
  };
  return (Math.round(whole) << 24) | mixed(16) | mixed(8) | mixed(0);
}

// The ring at the pointer and the shape being drawn.
function paintMarks(canvas, { view, theme, ring, shape, closed }) {
  const context = fitCanvas(canvas, view.width, view.height);
  context.clearRect(0, 0, view.width, view.height);
  if (ring) {
    for (const [colour, width] of [[theme.paper, 5], [theme.ink, 2]]) {
      context.beginPath();
      context.arc(ring.left, ring.top, ring.radius + 3, 0, 2 * Math.PI);
      context.strokeStyle = colour;
      context.lineWidth = width;
      context.stroke();
    }
  }
  if (!shape || shape.length < 2) return;
  context.beginPath();
  shape.forEach(([left, top]) => context.lineTo(left, top));
  if (closed) context.closePath();
  context.lineJoin = "round";
  context.strokeStyle = theme.accent;
  context.lineWidth = 1.75;
  context.stroke();
  context.globalAlpha = 0.12;
  context.fillStyle = theme.accent;
  context.fill();
  context.globalAlpha = 1;
}
