// A link of the menu leads to a page's bare address, to which the app then adds the place, as a
// second entry of the history. The first one is replaced instead, so that Back is one step.

const MARK = "esmcOneStep";

export default function () {
  if (window[MARK]) return;
  window[MARK] = true;
  const push = history.pushState.bind(history);
  history.pushState = (state, title, address) => {
    const next = new URL(address, location.href);
    const isCompleted = next.pathname === location.pathname && next.search && !location.search;
    if (isCompleted) history.replaceState(state, title, address);
    else push(state, title, address);
  };
}
