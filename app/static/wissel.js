// What pages do beyond HTML: the clock ticks, text can be copied, "/" searches, and a lost stream is told.
// Every page reads and every form posts without this file.
(() => {
  "use strict";

  const two = (number) => String(number).padStart(2, "0");
  const words = (seconds) => `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;

  // The server's seconds count from the moment that we saw them, so that a wrong clock on this machine does no harm.
  const seen = new WeakMap();
  const tick = () => {
    for (const clock of document.querySelectorAll("[data-clock]")) {
      const known = seen.get(clock);
      if (!known || known.said !== clock.dataset.clock) {
        seen.set(clock, { said: clock.dataset.clock, at: performance.now() });
      }
      const { said, at } = seen.get(clock);
      clock.textContent = words(Number(said) + Math.floor((performance.now() - at) / 1000));
    }
  };

  const copy = async (button) => {
    const source = document.querySelector(button.dataset.copy);
    await navigator.clipboard.writeText(source.value ?? source.textContent);
    button.querySelector("span").textContent = button.dataset.copied;
  };

  const typing = (element) => element.closest("input, select, textarea, [contenteditable]");
  const onKey = (event) => {
    if (event.key === "Escape") {
      document.querySelectorAll("[data-menu][open]").forEach((menu) => { menu.open = false; menu.querySelector("summary").focus(); });
    }
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
    // A key takes you to its button; it never presses it.
    const wanted = event.key === "/" ? document.querySelector("[data-search]") : document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
    if (wanted) { event.preventDefault(); wanted.focus(); }
  };

  const banner = () => document.getElementById("connection");
  const lost = () => { if (banner()) banner().hidden = false; };
  const heard = () => {
    if (!banner()) return;
    banner().hidden = true;
    const last = banner().querySelector("[data-last-message]");
    last.textContent = new Intl.DateTimeFormat(document.documentElement.lang, { timeStyle: "medium", timeZone: "Europe/Amsterdam" }).format(new Date());
    last.dateTime = new Date().toISOString();
  };

  const prepare = () => {
    if (navigator.clipboard) document.querySelectorAll("[data-copy]").forEach((button) => { button.hidden = false; });
    document.querySelectorAll("[data-follow]").forEach((log) => { log.scrollTop = log.scrollHeight; });
    tick();
  };

  document.addEventListener("keydown", onKey);
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]");
    if (button) copy(button);
    document.querySelectorAll("[data-menu][open]").forEach((menu) => { if (!menu.contains(event.target)) menu.open = false; });
  });
  document.addEventListener("htmx:sse:error", lost);
  document.addEventListener("htmx:sse:close", (event) => { if (event.detail.reason !== "message" && event.detail.reason !== "removed") lost(); });
  document.addEventListener("htmx:sse:after:connection", heard);
  document.addEventListener("htmx:sse:after:message", () => { heard(); prepare(); });
  addEventListener("offline", lost);
  setInterval(tick, 250);
  prepare();
})();
