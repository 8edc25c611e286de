// The place in the address changes often on one page, and a link of the menu leads to a bare
// address that the app completes. None of it is a step that Back could undo: the place is the
// session's. So only another page makes an entry of the history.

const MARK = "esmcOneStep";

export default function () {
  if (window[MARK]) return;
  window[MARK] = true;
  const push = history.pushState.bind(history);
  history.pushState = (state, title, address) => {
    const next = new URL(address, location.href);
    if (next.pathname === location.pathname) history.replaceState(state, title, address);
    else push(state, title, address);
  };
}
