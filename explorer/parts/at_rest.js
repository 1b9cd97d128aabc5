// Tells Python when the page is at rest: drawn, seen, and nothing asked of the server. Once, or every so many seconds.
//
// Streamlit's own `run_every` asks at any moment, also while another page is on its way. What it asks then still names
// the page that was left; the browser takes the answer for a change of page and clears the new one, which stays blank.
//
// What changes within one moment goes to the server as one message, for the fragment of what changed first: told just
// when a slider is released, that fragment would be drawn again and what belongs to the slider would not. So nothing
// is told while a button of the pointer is down or right after a press, and no two places tell at once.
const PRESS = 1000; // milliseconds after a press or release: what it changes is on its way by then
const APART = 50; // milliseconds between two places
const timers = new WeakMap(); // one a place, however often Streamlit calls
let isDown = false;
let pressed = -Infinity;
let told = -Infinity;

const onPointer = ({ type, buttons }) => {
  isDown = buttons > 0;
  if (type !== "pointermove") pressed = performance.now();
};
for (const type of ["pointerdown", "pointerup", "pointercancel", "pointermove"]) addEventListener(type, onPointer, true);
for (const type of ["keydown", "keyup"]) addEventListener(type, () => (pressed = performance.now()), true);

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
    const now = performance.now();
    if (now < due || isDown || now < pressed + PRESS || now < told + APART || !atRest()) return;
    told = now;
    due = data.every ? now + 1000 * data.every : Infinity;
    setTriggerValue("rest", true);
  };
  const timer = setInterval(() => soon(tell, { timeout: 2000 }), data.every ? 500 : 50);
  timers.set(parentElement, timer);
  return () => clearInterval(timer);
}
