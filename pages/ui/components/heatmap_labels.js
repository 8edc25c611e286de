// The words around the grid of the heatmap: tokens below, layer numbers at the left, the star.

const CLOSEST = 14; // px between two layer numbers

function drawTokens(map, context, top) {
  const { theme, data, cellWidth } = map;
  const [from, to] = data.span;
  if (to > from) {
    // The line says which tokens are the user's own words.
    context.fillStyle = theme.accent;
    context.fillRect(map.edge(from), top + 4, map.edge(to) - map.edge(from) - 1, 2);
  }
  const labels = data.tokens.map(visibleToken);
  context.font = `13px ${theme.font}`;
  const upright = labels.every((label) => context.measureText(label).width <= cellWidth - 4);
  labels.forEach((label, position) => {
    const own = position >= from && position < to;
    const active = [map.hover, map.choice.value].some((cell) => cell?.[1] === position);
    context.font = `${active ? 700 : 400} 13px ${theme.font}`;
    context.fillStyle = own || active ? theme.ink : theme.quiet;
    const centre = (map.edge(position) + map.edge(position + 1)) / 2;
    context.save();
    context.translate(centre, top + 12);
    if (upright) {
      context.textAlign = "center";
      context.textBaseline = "top";
    } else {
      context.rotate(-Math.PI / 2);
      context.textAlign = "right";
      context.textBaseline = "middle";
    }
    context.fillText(upright ? label : shorten(context, label, LABELS - 18), 0, 0);
    context.restore();
  });
}

function shorten(context, text, room) {
  if (context.measureText(text).width <= room) return text;
  const letters = [...text];
  while (letters.length > 1 && context.measureText(`${letters.join("")}…`).width > room) letters.pop();
  return `${letters.join("")}…`;
}

function drawLayers(map, context, height) {
  const { theme, rows, data } = map;
  context.clearRect(0, 0, AXIS, height + LABELS);
  context.textAlign = "right";
  context.textBaseline = "middle";
  const step = Math.ceil(CLOSEST / data.cell_height);
  const active = [map.hover, map.choice.value].filter(Boolean).map((cell) => cell[0]);
  const clear = (layer) =>
    active.every((other) => other === layer || Math.abs(other - layer) * data.cell_height >= CLOSEST);
  for (let layer = 0; layer < rows; layer += 1) {
    const chosen = active.includes(layer);
    // Numbers give way to those of the layers in use.
    if (!chosen && (layer % niceStep(step) !== 0 || !clear(layer))) continue;
    context.font = `${chosen ? 700 : 400} 12px ${theme.font}`;
    context.fillStyle = chosen ? theme.ink : theme.quiet;
    context.fillText(String(layer), AXIS - 8, (rows - layer - 0.5) * data.cell_height);
  }
  context.font = `12px ${theme.font}`;
  context.fillStyle = theme.quiet;
  context.textBaseline = "top";
  context.fillText("layer", AXIS - 8, height + 12);
}

function niceStep(step) {
  return [1, 2, 4, 5, 8, 10].find((nice) => nice >= step) || step;
}

// White with a dark rim, so that it reads on every colour of the map.
function drawStar(context, { x, y, w, h }) {
  const radius = Math.max(4.5, Math.min(9, (Math.min(w, h) - 3) / 2));
  const [cx, cy] = [x + (w - 1) / 2, y + (h - 1) / 2];
  context.beginPath();
  for (let i = 0; i < 10; i += 1) {
    const reach = i % 2 === 0 ? radius : radius * 0.44;
    const angle = (Math.PI * i) / 5 - Math.PI / 2;
    context.lineTo(cx + reach * Math.cos(angle), cy + reach * Math.sin(angle));
  }
  context.closePath();
  context.lineJoin = "round";
  context.lineWidth = 3;
  context.strokeStyle = LINE;
  context.stroke();
  context.fillStyle = "#ffffff";
  context.fill();
}
