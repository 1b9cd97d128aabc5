// One step back is one page back. Streamlit may put a page into the browser's history twice: bare, when its link is
// clicked, and again with the view that Python then puts into the address. Back would lead to the bare entry, which
// gets the view again, and nothing would seem to happen. So a view replaces the bare entry of its own page.
if (!window.filterscopeHistory) {
  window.filterscopeHistory = true;
  const push = history.pushState.bind(history);
  history.pushState = (state, unused, address) => {
    const next = new URL(address ?? location.href, location.href);
    const bare = location.search === "" && next.pathname === location.pathname && next.search !== "";
    if (bare) history.replaceState(state, unused, address);
    else push(state, unused, address);
  };
}
