// Geometry of the plot: coordinates, zoom, the search for points. Nothing is drawn here.

const PADDING = 26; // px around the outermost points
const FARTHEST = 0.6;
const CLOSEST = 60;

// Centre the cloud on 0 and scale its longer half side to 1, both axes alike. A single point, or
// points that all coincide, land in the middle.
function normalise(rawX, rawY) {
  let [left, right, low, high] = [Infinity, -Infinity, Infinity, -Infinity];
  for (let i = 0; i < rawX.length; i += 1) {
    if (rawX[i] < left) left = rawX[i];
    if (rawX[i] > right) right = rawX[i];
    if (rawY[i] < low) low = rawY[i];
    if (rawY[i] > high) high = rawY[i];
  }
  const half = Math.max(right - left, high - low) / 2;
  const unit = half > 0 && Number.isFinite(half) ? half : 1;
  const x = rawX.map((value) => (value - (left + right) / 2) / unit);
  const y = rawY.map((value) => (value - (low + high) / 2) / unit);
  return { x, y, reachX: (right - left) / 2 / unit || 0, reachY: (high - low) / 2 / unit || 0 };
}

class View {
  constructor() {
    this.width = 1;
    this.height = 1;
    this.reset();
  }

  reset() {
    [this.zoom, this.x, this.y] = [1, 0, 0];
  }

  // The largest equal scale at which the whole cloud fits.
  fit(cloud) {
    const acrossX = (this.width / 2 - PADDING) / Math.max(cloud.reachX, 0.05);
    const acrossY = (this.height / 2 - PADDING) / Math.max(cloud.reachY, 0.05);
    this.base = Math.max(1, Math.min(acrossX, acrossY));
  }

  get scale() {
    return this.base * this.zoom;
  }

  toScreen(x, y) {
    return [
      this.width / 2 + (x - this.x) * this.scale,
      this.height / 2 - (y - this.y) * this.scale,
    ];
  }

  toWorld(left, top) {
    return [
      this.x + (left - this.width / 2) / this.scale,
      this.y - (top - this.height / 2) / this.scale,
    ];
  }

  // Zoom so that the place at (left, top) stays where it is.
  zoomAt(factor, left, top) {
    const [x, y] = this.toWorld(left, top);
    this.zoom = Math.max(FARTHEST, Math.min(CLOSEST, this.zoom * factor));
    this.x = x - (left - this.width / 2) / this.scale;
    this.y = y + (top - this.height / 2) / this.scale;
    this.keepNear();
  }

  pan(left, top) {
    this.x -= left / this.scale;
    this.y += top / this.scale;
    this.keepNear();
  }

  // The cloud never leaves the picture altogether.
  keepNear() {
    this.x = Math.max(-1.2, Math.min(1.2, this.x));
    this.y = Math.max(-1.2, Math.min(1.2, this.y));
  }
}

// Buckets of a regular grid, so that the pointer finds its point among 100,000 at once.
class PointIndex {
  constructor({ x, y }) {
    [this.x, this.y] = [x, y];
    this.side = Math.max(1, Math.min(512, Math.ceil(Math.sqrt(x.length / 2))));
    const bucket = Int32Array.from(x, (value, i) => this.bucket(value, y[i]));
    this.starts = new Int32Array(this.side * this.side + 1);
    for (const b of bucket) this.starts[b + 1] += 1;
    for (let b = 0; b < this.side * this.side; b += 1) this.starts[b + 1] += this.starts[b];
    const next = this.starts.slice();
    this.points = new Int32Array(x.length);
    bucket.forEach((b, i) => {
      this.points[next[b]] = i;
      next[b] += 1;
    });
  }

  line(value) {
    const at = Math.floor(((value + 1) / 2) * this.side);
    return Math.max(0, Math.min(this.side - 1, at || 0));
  }

  bucket(x, y) {
    return this.line(y) * this.side + this.line(x);
  }

  // The nearest point for which `wanted(i)` holds, no farther than `reach`; -1 if there is none.
  nearest(x, y, reach, wanted) {
    let [best, limit] = [-1, reach * reach];
    for (let row = this.line(y - reach); row <= this.line(y + reach); row += 1) {
      const from = this.starts[row * this.side + this.line(x - reach)];
      const to = this.starts[row * this.side + this.line(x + reach) + 1];
      for (let at = from; at < to; at += 1) {
        const i = this.points[at];
        const distance = (this.x[i] - x) ** 2 + (this.y[i] - y) ** 2;
        // Of points in one place the last is on top, and it is the one that is seen.
        const closer = distance < limit || (distance === limit && i > best);
        if (closer && wanted(i)) [best, limit] = [i, distance];
      }
    }
    return best;
  }
}

// Points inside a polygon of [left, top] corners (even–odd rule), as a mask of 0 and 1.
function enclosed(polygon, cloud, view) {
  const mask = new Uint8Array(cloud.x.length);
  const corners = polygon.map(([left, top]) => view.toWorld(left, top));
  const xs = corners.map((corner) => corner[0]);
  const ys = corners.map((corner) => corner[1]);
  const [left, right] = [Math.min(...xs), Math.max(...xs)];
  const [low, high] = [Math.min(...ys), Math.max(...ys)];
  for (let i = 0; i < mask.length; i += 1) {
    const [x, y] = [cloud.x[i], cloud.y[i]];
    if (x < left || x > right || y < low || y > high) continue;
    let inside = false;
    for (let a = 0, b = xs.length - 1; a < xs.length; b = a, a += 1) {
      const crosses = ys[a] > y !== ys[b] > y;
      if (crosses && x < ((xs[b] - xs[a]) * (y - ys[a])) / (ys[b] - ys[a]) + xs[a]) inside = !inside;
    }
    mask[i] = inside ? 1 : 0;
  }
  return mask;
}

// A mask as one bit a point, least significant first, in base64: what travels to Python and back.
function packMask(mask) {
  const bytes = new Uint8Array(Math.ceil(mask.length / 8));
  mask.forEach((on, i) => {
    bytes[i >> 3] |= on << (i & 7);
  });
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}

function unpackMask(text, length) {
  const bytes = atob(text);
  return Uint8Array.from({ length }, (_, i) => (bytes.charCodeAt(i >> 3) >> (i & 7)) & 1);
}
