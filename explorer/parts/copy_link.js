// A button that puts the address of the page, which holds all of the view, on the clipboard.
const SHOWN = 1800; // milliseconds that it says so

export default function ({ parentElement }) {
  const button = parentElement.querySelector("button");
  const word = button.querySelector("span");
  button.onclick = async () => {
    let said = "Copied";
    try {
      await navigator.clipboard.writeText(location.href);
    } catch {
      said = "Copy it from the address bar"; // no permission, or a page without https
    }
    word.textContent = said;
    setTimeout(() => (word.textContent = "Copy link"), SHOWN);
  };
}
