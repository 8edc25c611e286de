// Line icons of the plot's tools, drawn for a 16-pixel box.

const ICONS = {
  lasso: '<path d="M8 2.5c3.3 0 6 1.7 6 3.9s-2.7 3.9-6 3.9c-1 0-2-.2-2.8-.5M2.9 8.6C2.3 8 2 7.2 2 6.4c0-2.2 2.7-3.9 6-3.9"/><circle cx="4" cy="9.8" r="1.5"/><path d="M3.6 11.3c.3 1.2-.2 2-1.1 2.6"/>',
  box: '<path d="M2.5 5V3.5a1 1 0 0 1 1-1H5M7 2.5h2M11 2.5h1.5a1 1 0 0 1 1 1V5M13.5 7v2M13.5 11v1.5a1 1 0 0 1-1 1H11M9 13.5H7M5 13.5H3.5a1 1 0 0 1-1-1V11M2.5 9V7"/>',
  pan: '<path d="M8 1.8v12.4M1.8 8h12.4M6.2 3.6 8 1.8l1.8 1.8M6.2 12.4 8 14.2l1.8-1.8M3.6 6.2 1.8 8l1.8 1.8M12.4 6.2 14.2 8l-1.8 1.8"/>',
  in: '<path d="M8 3v10M3 8h10"/>',
  out: '<path d="M3 8h10"/>',
  fit: '<path d="M2.5 6V2.5H6M10 2.5h3.5V6M13.5 10v3.5H10M6 13.5H2.5V10"/><circle cx="8" cy="8" r="1.3"/>',
  clear: '<path d="m4 4 8 8M12 4l-8 8"/>',
};

function icon(name) {
  const box = element("span", { class: "icon", "aria-hidden": "true" });
  box.innerHTML =
    '<svg viewBox="0 0 16 16" width="16" height="16" fill="none" stroke="currentColor" ' +
    `stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round">${ICONS[name]}</svg>`;
  return box;
}
