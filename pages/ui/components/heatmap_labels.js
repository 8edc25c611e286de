// The words around the grid of the heatmap: tokens below, layer numbers at the left, the star.

const CLOSEST = 14; // px between two layer numbers
const MARGIN = 12; // px between the grid and the token texts
const LONGEST = 76; // px of a text that is written upwards

// How the token texts are laid: across where all of them fit, else upwards; and the room they take.
function layLabels(map) {
  const context = map.canvas.getContext("2d");
  context.font = `600 13px ${readTheme(map.host).font}`;
  const texts = map.data.tokens.map(visibleToken);
  const longest = Math.max(...texts.map((text) => context.measureText(text).width));
  const across = longest <= map.cellWidth - 4;
  return { texts, across, room: MARGIN + (across ? 20 : Math.min(LONGEST, Math.ceil(longest) + 4)) };
}

function drawTokens(map, context, { texts, across }) {
  const { theme, data } = map;
  const [from, to] = data.span;
  const top = map.ledge(map.rows);
  if (to > from) {
    // The line says which tokens are the user's own words.
    context.fillStyle = theme.accent;
    context.fillRect(map.edge(from), top + 4, map.edge(to) - map.edge(from) - 1, 2);
  }
  texts.forEach((text, position) => {
    const own = position >= from && position < to;
    const active = [map.hover, map.choice.value].some((cell) => cell?.[1] === position);
    context.font = `${active ? 600 : 400} 13px ${theme.font}`;
    context.fillStyle = own || active ? theme.ink : theme.quiet;
    context.save();
    context.translate((map.edge(position) + map.edge(position + 1)) / 2, top + MARGIN);
    if (!across) context.rotate(-Math.PI / 2);
    context.textAlign = across ? "center" : "right";
    context.textBaseline = across ? "top" : "middle";
    context.fillText(across ? text : shorten(context, text, LONGEST - 4), 0, 0);
    context.restore();
  });
}

function shorten(context, text, room) {
  if (context.measureText(text).width <= room) return text;
  const letters = [...text];
  while (letters.length > 1 && context.measureText(`${letters.join("")}…`).width > room) letters.pop();
  return `${letters.join("")}…`;
}

function drawLayers(map, context) {
  const { theme, rows, cellHeight } = map;
  context.clearRect(0, 0, AXIS, map.data.height);
  context.textAlign = "right";
  context.textBaseline = "middle";
  const step = Math.ceil(CLOSEST / cellHeight);
  const active = [map.hover, map.choice.value].filter(Boolean).map((cell) => cell[0]);
  const clear = (layer) =>
    active.every((other) => other === layer || Math.abs(other - layer) * cellHeight >= CLOSEST);
  for (let layer = 0; layer < rows; layer += 1) {
    const chosen = active.includes(layer);
    // Numbers give way to those of the layers in use.
    if (!chosen && (layer % niceStep(step) !== 0 || !clear(layer))) continue;
    context.font = `${chosen ? 700 : 400} 12px ${theme.font}`;
    context.fillStyle = chosen ? theme.ink : theme.quiet;
    context.fillText(String(layer), AXIS - 8, (rows - layer - 0.5) * cellHeight);
  }
  context.font = `12px ${theme.font}`;
  context.fillStyle = theme.quiet;
  context.textBaseline = "top";
  context.fillText("layer", AXIS - 8, map.ledge(rows) + MARGIN);
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
