// Tells Python when the page is at rest: drawn, seen, and nothing asked of the server. Once, or every so many seconds.
//
// Streamlit's own `run_every` asks at any moment, also while another page is on its way. What it asks then still names
// the page that was left; the browser takes the answer for a change of page and clears the new one, which stays blank.
const timers = new WeakMap(); // one a place, however often Streamlit calls
export default function ({ data, parentElement, setTriggerValue }) {
  clearInterval(timers.get(parentElement));
  const app = document.querySelector("[data-testid=stApp]");
  const atRest = () => {
    const state = app?.dataset.testScriptState ?? "notRunning";
    return state === "notRunning" && document.visibilityState === "visible";
  };
  const soon = window.requestIdleCallback ?? ((call) => setTimeout(call, 300)); // Safari has none
  let due = performance.now() + 1000 * (data.every ?? 0);
  const tell = () => {
    if (performance.now() < due || !atRest()) return;
    due = data.every ? performance.now() + 1000 * data.every : Infinity;
    setTriggerValue("rest", true);
  };
  const timer = setInterval(() => soon(tell, { timeout: 2000 }), data.every ? 500 : 50);
  timers.set(parentElement, timer);
  return () => clearInterval(timer);
}
