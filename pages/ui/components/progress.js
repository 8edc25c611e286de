// How far a job is. The browser asks the server by itself, so that the page need not run again
// for a moving bar; it is told only when there is news: something to show, or the end.

const POLL_MS = 250;
const MOST_MISSES = 5;
const SAY_AGAIN_MS = 4000;

class Progress {
  constructor(host) {
    this.host = host;
    this.bar = host.querySelector("[role=progressbar]");
    this.text = host.querySelector(".text");
    this.note = host.querySelector(".note");
    this.button = host.querySelector(".cancel");
    this.pause = host.querySelector(".pause");
    this.button.addEventListener("click", () => this.order("cancel"));
    this.pause.addEventListener("click", () => this.order(this.paused ? "resume" : "pause"));
    this.misses = 0;
  }

  update(data) {
    if (data.url !== this.data?.url) this.told = null;
    this.data = data;
    this.draw(data.status);
    if (!this.timer) this.timer = setInterval(() => this.poll(), POLL_MS);
  }

  async poll() {
    if (this.asking || document.hidden) return;
    this.asking = true;
    try {
      const answer = await fetch(this.data.url, { cache: "no-store" });
      this.misses = 0;
      if (answer.ok) this.draw(await answer.json());
      else this.tell("gone");
    } catch {
      // A server that restarts is missed for a moment.
      if ((this.misses += 1) > MOST_MISSES) this.text.textContent = "The server cannot be reached.";
    } finally {
      this.asking = false;
    }
  }

  draw(status) {
    this.text.textContent = status.text;
    const share = Math.round(status.fraction * 1000) / 10;
    this.bar.style.setProperty("--share", `${share}%`);
    this.bar.classList.toggle("unknown", status.fraction === 0);
    this.bar.setAttribute("aria-valuenow", share);
    this.bar.setAttribute("aria-valuetext", status.text);
    this.note.textContent = status.note || "";
    this.paused = status.paused;
    this.pause.hidden = typeof status.paused !== "boolean";
    this.pause.textContent = status.paused ? "Go on" : "Pause";
    this.button.textContent = this.pause.hidden ? "Cancel" : "Stop";
    this.pause.disabled = this.button.disabled = status.stopping;
    if (status.news !== this.data.status.news) this.tell(status.news);
  }

  // The page's next run brings the news back in `data`. A message that crosses a change of page
  // can be lost, so it is said again if nothing comes.
  tell(news) {
    if (!isAtRest() || (news === this.told && Date.now() - this.toldAt < SAY_AGAIN_MS)) return;
    this.told = news;
    this.toldAt = Date.now();
    this.send("news", news);
  }

  async order(what) {
    this.pause.disabled = this.button.disabled = true;
    await fetch(`${this.data.url}/${what}`, { method: "POST", headers: { "X-ESMC": "1" } });
    this.poll();
  }

  destroy() {
    clearInterval(this.timer);
  }
}

export default function (component) {
  return mountOnce(component, (host) => new Progress(host));
}
