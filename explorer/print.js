// On paper a page looks as on the screen, as small as the paper asks for, and light. Tables and charts keep the width
// that they were drawn with, so the whole is scaled; what was drawn for a dark page is given light colours (app.py).
if (!window.filterscopePrint) {
  window.filterscopePrint = true;
  const PAPER = 680; // pixels between the margins: A4 and US Letter have a little more
  addEventListener("beforeprint", () => {
    const content = document.querySelector("[data-testid=stMain] .block-container");
    if (!content) return;
    const style = getComputedStyle(content);
    const width = content.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
    const [red, green, blue] = getComputedStyle(document.querySelector(".stApp")).backgroundColor.match(/[\d.]+/g);
    const root = document.documentElement;
    root.style.setProperty("--fs-width", `${width}px`);
    root.style.setProperty("--fs-zoom", String(Math.min(1, PAPER / width)));
    root.classList.toggle("fs-was-dark", Number(red) + Number(green) + Number(blue) < 384);
  });
}
