// Waiting for a phone: news comes at once, and the page goes on by itself. Without this file it looks again by itself.

const box = document.querySelector("[data-news]");
const LONGEST_PAUSE = 10_000;
const SOON = 2_000;

// A form that is meant for this news is sent; else the page shows how things stand now.
function goOn(state) {
  const form = document.querySelector(`form[data-when="${state}"]`);
  if (form) form.requestSubmit();
  else location.replace(location.href);
}

async function wait() {
  let pause = 500;
  while (box.isConnected && !box.hidden) {
    const asked = performance.now();
    try {
      const answer = await fetch(box.dataset.news, { headers: { accept: "application/json" }, cache: "no-store" });
      if (answer.status === 404) return location.replace(location.href);
      const { state } = await answer.json();
      if (state !== box.dataset.known) return goOn(state);
    } catch {
      // Asked again below.
    }
    // No news at once: the server is gone, or enough others wait for the same, such as further tabs.
    const soon = performance.now() - asked < SOON;
    if (soon) await new Promise((wake) => setTimeout(wake, pause));
    pause = soon ? Math.min(pause * 2, LONGEST_PAUSE) : 500;
  }
}

// Its end moves nothing and offers one button.
box?.querySelector("[role=timer]")?.addEventListener("ended", () => {
  const ended = document.querySelector("[data-ended]");
  box.hidden = true;
  ended.hidden = false;
  ended.querySelector("h1").focus();
});

// The phone was quicker than this page: go on, once.
document.querySelector("form[data-go]")?.requestSubmit();

if (box) wait();
