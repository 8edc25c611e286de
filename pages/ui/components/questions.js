// Questions as cards. The next ones are here before they are needed, so an answer shows the next
// card at once; it is sent to the server by itself, in order, and sent again until it is kept.
// What was pressed while an answer was on its way follows in one message.

const FEW_AHEAD = 8;
const AGAIN_MS = 1500;
const REST_MS = 1200;
const MOST_MS = 4000;
const FORMS = {
  triplet: [
    ["1", "Choice 1"],
    ["2", "Choice 2"],
    ["0", "Neither"],
  ],
  pair: [
    ["1", "Same"],
    ["2", "Different"],
    ["0", "Skip"],
  ],
};

class Questions {
  constructor(host) {
    this.host = host;
    for (const name of ["count", "fill", "saved", "sheet", "answers"]) {
      this[name] = host.querySelector(`.${name}`);
    }
    this.askLine = host.querySelector(".ask");
    this.unsent = []; // [address, step], the oldest first; the first `flying` are on their way
    this.flying = 0;
    this.pressed = (event) => this.press(event);
    this.leaving = () => this.sendRest();
    document.addEventListener("keydown", this.pressed);
    window.addEventListener("pagehide", this.leaving);
  }

  update(data) {
    const isNew = data.url !== this.data?.url;
    this.data = data;
    if (isNew) {
      [this.cards, this.answeredKeys] = [[], new Set()];
      this.drawAnswers();
      this.take(data.state);
    } else if (this.unsent.length === 0 && data.state.answered >= this.state.answered) {
      this.take(data.state);
    }
    this.host.classList.toggle("long", data.long);
    this.host.classList.toggle("pair", data.kind === "pair");
    this.askLine.textContent = data.ask;
    this.draw();
    // Keys are for the cards from now on, and no longer for a box that was typed in before.
    if (isNew && this.cards.length) this.host.focus({ preventScroll: true });
  }

  // What the server says; cards that are here or answered already are not taken again.
  take(state) {
    this.state = state;
    const here = new Set(this.cards.map((card) => card.key));
    const fresh = state.cards.filter((card) => !here.has(card.key) && !this.answeredKeys.has(card.key));
    this.cards.push(...fresh);
  }

  draw() {
    const { total } = this.state;
    // What is on its way counts as answered.
    const pending = this.unsent.filter(([url, step]) => url === this.data.url && !step.undo).length;
    const answered = Math.min(total, this.state.answered + pending);
    this.count.textContent = `${answered} of ${total} answered`;
    this.fill.style.width = `${total ? (100 * answered) / total : 0}%`;
    const [card] = this.cards;
    this.host.classList.toggle("over", !card);
    this.shownCard = card;
    this.sheet.replaceChildren(...(card ? this.sheetOf(card) : [element("p", { class: "end" }, this.ending())]));
    for (const button of this.answers.querySelectorAll("[data-press]")) button.disabled = !card;
    this.answers.querySelector(".undo").disabled = answered === 0;
  }

  ending() {
    return this.unsent.length || this.state.answered < this.state.total ? "One moment …" : this.data.done;
  }

  sheetOf(card) {
    if (this.data.kind === "pair") {
      return card.texts.map((text) => element("div", { class: "text", tabindex: "0" }, text));
    }
    const [query, ...choices] = card.texts;
    return [
      element("div", { class: "text query", tabindex: "0" }, query),
      ...choices.map((text, i) =>
        element(
          "button",
          { type: "button", class: "text choice", onclick: () => this.answer(i + 1) },
          element("kbd", {}, String(i + 1)),
          element("span", {}, text),
        ),
      ),
    ];
  }

  drawAnswers() {
    const forms = FORMS[this.data.kind].filter(([name]) => this.data.kind === "pair" || name === "0");
    this.answers.replaceChildren(
      ...forms.map(([name, title]) =>
        element(
          "button",
          { type: "button", "data-press": name, onclick: () => this.answer(Number(name)) },
          element("kbd", {}, name),
          title,
        ),
      ),
      element(
        "button",
        { type: "button", class: "undo", onclick: () => this.undo() },
        element("kbd", {}, "U"),
        "Undo",
      ),
    );
  }

  // --- answers ------------------------------------------------------------------------------------

  press(event) {
    if (event.altKey || event.ctrlKey || event.metaKey || event.repeat) return;
    const at = event.composedPath()[0];
    const isTyping = at.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(at.tagName);
    const isOver = document.querySelector("[role=dialog]") !== null;
    if (isTyping || isOver || !this.host.checkVisibility()) return;
    if (["1", "2", "0"].includes(event.key)) this.answer(Number(event.key));
    else if (["u", "U", "Backspace"].includes(event.key)) this.undo();
    else return;
    event.preventDefault();
  }

  answer(pressed) {
    const card = this.cards.shift();
    if (!card) return;
    this.answeredKeys.add(card.key);
    this.unsent.push([this.data.url, { number: card.number, key: card.key, pressed }]);
    this.draw();
    this.flush();
  }

  undo() {
    if (this.unsent.length === 0 && this.state.answered === 0) return;
    this.unsent.push([this.data.url, { undo: true }]);
    this.flush();
  }

  // In order; what fails stays first and is sent again.
  async flush() {
    if (this.sending) return;
    this.sending = true;
    while (this.unsent.length) {
      const [[url]] = this.unsent;
      const end = this.unsent.findIndex(([other]) => other !== url);
      this.flying = end < 0 ? this.unsent.length : end;
      this.saved.textContent = "Keeping …";
      const kept = await this.sendFirst(url, this.flying);
      this.flying = 0;
      if (!kept) {
        this.saved.textContent = "Not kept yet: the server cannot be reached. Trying again …";
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
      }
    }
    this.sending = false;
    if (this.cards.length === 0 && this.state.answered < this.state.total) this.ask();
  }

  async sendFirst(url, count) {
    let answer;
    try {
      answer = await this.post(url, this.unsent.slice(0, count));
    } catch {
      return false;
    }
    if (answer.status >= 500) return false;
    const state = await answer.json().catch(() => ({}));
    this.unsent.splice(0, count);
    if (!answer.ok) {
      this.saved.textContent = state.error || "This answer could not be kept. Reload the page.";
      return true;
    }
    this.saved.textContent = state.undone ? "Taken back" : this.unsent.length ? "Keeping …" : "Kept";
    if (url === this.data.url) this.receive(state);
    return true;
  }

  post(url, unsent) {
    return fetch(url, {
      method: "POST",
      keepalive: true, // goes on when the page is closed
      headers: { "X-ESMC": "1", "Content-Type": "application/json" },
      body: JSON.stringify({ steps: unsent.map(([, step]) => step) }),
    });
  }

  receive(state) {
    if (state.undone) {
      this.answeredKeys.delete(state.undone.key);
      this.cards = [state.undone, ...this.cards.filter((card) => card.key !== state.undone.key)];
    }
    if (this.cards.length < FEW_AHEAD) this.take(state);
    else this.state = state;
    this.draw();
    this.tellLater();
  }

  // The page is being closed: what has not been sent goes now.
  sendRest() {
    const rest = this.unsent.slice(this.flying);
    const urls = new Set(rest.map(([url]) => url));
    for (const url of urls) this.post(url, rest.filter(([other]) => other === url)).catch(() => {});
    this.unsent.length = this.flying;
  }

  // The page around the cards runs again when the hand rests, and now and then while it does not.
  tellLater() {
    clearTimeout(this.telling);
    this.untold ??= Date.now();
    const wait = Math.min(REST_MS, this.untold + MOST_MS - Date.now());
    this.telling = setTimeout(() => this.tell(), Math.max(0, wait));
  }

  tell() {
    this.untold = undefined;
    if (isAtRest()) this.send("news", `${this.state.answered} ${Date.now()}`);
    else this.tellLater();
  }

  async ask() {
    try {
      const answer = await fetch(this.data.url, { cache: "no-store" });
      if (answer.ok) this.take(await answer.json());
    } catch {
      return; // the server is away; Streamlit says so
    }
    this.draw();
  }

  destroy() {
    clearTimeout(this.telling);
    document.removeEventListener("keydown", this.pressed);
    window.removeEventListener("pagehide", this.leaving);
  }
}

export default function (component) {
  return mountOnce(component, (host) => new Questions(host));
}
