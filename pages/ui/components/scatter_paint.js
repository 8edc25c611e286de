// Drawing of the points. Each look (cluster, in full or dimmed) is drawn once as a small sprite and
// then stamped, which keeps 100,000 points within a few frames.

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
    context.clearRect(0, 0, view.width, view.height);
    const radius = Painter.radius(cloud.x.length, view.zoom);
    this.prepare(plot, radius);
    // Stamped on whole device pixels, so that every point is equally sharp.
    context.setTransform(1, 0, 0, 1, 0, 0);
    if (plot.partial) this.stamp(context, plot, false);
    this.stamp(context, plot, true);
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

  stamp(context, plot, full) {
    const { view, cloud, cluster } = plot;
    const ratio = this.canvas.width / view.width;
    const sprites = full ? this.sprites : this.faint;
    const half = sprites[0].width / 2;
    const [centreX, centreY] = [(view.width / 2) * ratio - half, (view.height / 2) * ratio - half];
    const scale = view.scale * ratio;
    const [endX, endY] = [this.canvas.width, this.canvas.height];
    for (let i = 0; i < cloud.x.length; i += 1) {
      if (plot.partial && plot.shown(i) !== full) continue;
      const left = Math.round(centreX + (cloud.x[i] - view.x) * scale);
      const top = Math.round(centreY - (cloud.y[i] - view.y) * scale);
      if (left < -2 * half || top < -2 * half || left > endX || top > endY) continue;
      context.drawImage(sprites[cluster[i] + 1], left, top);
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

function drawSprite(colour, rim, radius, ratio) {
  const canvas = document.createElement("canvas");
  const line = radius < 2.5 * ratio ? 0.5 * ratio : ratio;
  canvas.width = 2 * Math.ceil(radius + line);
  canvas.height = canvas.width;
  const context = canvas.getContext("2d");
  context.beginPath();
  context.arc(canvas.width / 2, canvas.width / 2, radius, 0, 2 * Math.PI);
  context.fillStyle = colour;
  context.fill();
  context.lineWidth = line;
  context.strokeStyle = rim;
  context.stroke();
  return canvas;
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
