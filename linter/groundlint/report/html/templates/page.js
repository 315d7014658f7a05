
"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const { digest, findings } = JSON.parse(byId("data").textContent);
  const elements = findings.map((_, n) => byId(`f${n}`));
  const key = `groundlint ${digest}`;
  const bars = new Map();
  const mentions = findings.map(() => []);
  for (const item of document.querySelectorAll("[data-finding]")) {
    mentions[Number(item.dataset.finding)].push(item);
  }
  let marks = {};
  let isKept = true;
  let current = -1;
  let texts = null;
  try {
    marks = JSON.parse(localStorage.getItem(key) ?? "{}") ?? {};
  } catch {
    isKept = false;
  }

  const fields = { rule: byId("by-rule"), label: byId("by-label"), severity: byId("by-severity"), mark: byId("by-mark"), text: byId("by-text") };

  // Labels of data enter the page as text only.
  const labels = [...new Set(findings.map((finding) => finding.label).filter((label) => label !== null))].sort();
  const suggested = findings.map((finding) => finding.suggested).filter((label) => label !== null);
  for (const [place, names] of [[fields.label, labels], [byId("known-labels"), [...new Set([...labels, ...suggested])].sort()]]) {
    for (const name of names) {
      const option = document.createElement("option");
      option.value = name;
      option.textContent = name;
      place.append(option);
    }
  }

  const isShown = (n) => {
    const finding = findings[n];
    const mark = marks[finding.id]?.mark ?? "none";
    const { rule, label, severity, mark: wanted, text } = fields;
    return (
      (!rule.value || finding.code === rule.value) &&
      (fields.label.selectedIndex === 0 || finding.label === label.value) &&
      (!severity.value || finding.severity === severity.value) &&
      (!wanted.value || mark === wanted.value) &&
      (!text.value || texts[n].includes(text.value.toLowerCase()))
    );
  };

  const isFiltered = () => fields.label.selectedIndex > 0 || ["rule", "severity", "mark", "text"].some((name) => fields[name].value);

  const filter = () => {
    if (fields.text.value && !texts) {
      texts = findings.map((finding, n) => `${elements[n].textContent} ${finding.code} ${finding.rule} ${finding.source_ref ?? ""}`.toLowerCase());
    }
    let count = 0;
    const shown = findings.map((_, n) => isShown(n));
    shown.forEach((is, n) => {
      count += is;
      if (elements[n].hidden === is) elements[n].hidden = !is;
      for (const item of mentions[n]) item.hidden = !is;
    });
    const filtered = isFiltered();
    for (const section of document.querySelectorAll(".rule")) {
      section.hidden = filtered && !section.querySelector(".finding:not([hidden])");
      for (const rest of section.querySelectorAll(".rest")) {
        rest.hidden = filtered && !rest.querySelector(".finding:not([hidden])");
        if (filtered && !rest.hidden) rest.open = true;
      }
    }
    for (const group of document.querySelectorAll(".group")) {
      group.hidden = !group.querySelector("li:not([hidden])");
      for (const rest of group.querySelectorAll(".rest")) {
        rest.hidden = !rest.querySelector("li:not([hidden])");
        if (filtered) rest.open = true;
      }
    }
    byId("shown").textContent = filtered ? `${count} of ${findings.length} listed findings` : `${findings.length} listed findings`;
  };

  const count = () => {
    const totals = { right: 0, wrong: 0, accept: 0 };
    for (const finding of findings) {
      const mark = marks[finding.id]?.mark;
      if (mark in totals) totals[mark] += 1;
    }
    const kept = isKept ? "" : " (not kept: this browser stores nothing for files)";
    byId("marked").textContent = `Marked: ${totals.right} right, ${totals.wrong} wrong, ${totals.accept} accepted${kept}`;
  };

  const keep = () => {
    try {
      localStorage.setItem(key, JSON.stringify(marks));
      isKept = true;
    } catch {
      isKept = false;
    }
    count();
  };

  const refresh = (n) => {
    const entry = marks[findings[n].id];
    if (entry) elements[n].dataset.marked = entry.mark;
    else delete elements[n].dataset.marked;
    const bar = bars.get(n);
    if (!bar) return;
    for (const button of bar.querySelectorAll("[data-mark]")) {
      button.setAttribute("aria-pressed", String(entry?.mark === button.dataset.mark));
    }
    bar.querySelector(".decision").hidden = !entry;
    for (const field of bar.querySelectorAll("[data-field]")) {
      field.value = entry?.[field.dataset.field] ?? "";
    }
    bar.querySelector("[data-only]").hidden = entry?.decision !== "relabel";
  };

  const withBar = (n) => {
    if (bars.has(n)) return;
    const bar = byId("marking").content.firstElementChild.cloneNode(true);
    bars.set(n, bar);
    elements[n].querySelector(".opener")?.remove();
    elements[n].append(bar);
    refresh(n);
  };

  const setMark = (n, mark) => {
    const finding = findings[n];
    if (marks[finding.id]?.mark === mark) {
      delete marks[finding.id];
    } else {
      const isRight = mark === "right";
      marks[finding.id] = {
        mark,
        decision: isRight ? finding.decision : "keep",
        label: isRight ? (finding.suggested ?? "") : "",
        note: marks[finding.id]?.note ?? "",
      };
    }
    refresh(n);
    keep();
  };

  const select = (n, moves) => {
    if (current >= 0) elements[current].classList.remove("current");
    current = n;
    const element = elements[n];
    withBar(n);
    element.classList.add("current");
    if (moves) {
      for (let parent = element.closest("details"); parent; parent = parent.parentElement.closest("details")) parent.open = true;
      element.tabIndex = -1;
      element.focus({ preventScroll: true });
      element.scrollIntoView({ block: "center" });
    }
  };

  const move = (step) => {
    for (let n = current + step; n >= 0 && n < findings.length; n += step) {
      if (!elements[n].hidden && !elements[n].closest(".rule").hidden) {
        select(n, true);
        return;
      }
    }
  };

  const numberOf = (target) => {
    const element = target.closest(".finding");
    return element ? Number(element.id.slice(1)) : -1;
  };

  document.addEventListener("click", (event) => {
    const n = numberOf(event.target);
    if (n < 0) return;
    const opens = event.target.closest(".opener") !== null;
    if (n !== current) select(n, false);
    if (opens) bars.get(n).querySelector("button").focus();
    const button = event.target.closest("[data-mark]");
    if (button) setMark(n, button.dataset.mark);
  });

  document.addEventListener("input", (event) => {
    const name = event.target.dataset?.field;
    if (!name) return;
    const n = numberOf(event.target);
    const entry = marks[findings[n].id];
    if (!entry) return;
    entry[name] = event.target.value;
    if (name === "decision") refresh(n);
    keep();
  });

  document.addEventListener("keydown", (event) => {
    if (!byId("keys").checked || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input:not([type=checkbox]), select, textarea")) return;
    const mark = { r: "right", w: "wrong", a: "accept" }[event.key];
    if (event.key === "j" || event.key === "k") {
      move(event.key === "j" ? 1 : -1);
    } else if (mark && current >= 0) {
      setMark(current, mark);
    } else {
      return;
    }
    event.preventDefault();
  });

  // A link to a finding may lead into a closed part of the page.
  const follow = () => {
    const match = /^#f(\d+)$/.exec(location.hash);
    if (match && Number(match[1]) < findings.length) select(Number(match[1]), true);
  };

  const download = (name, text, type) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  };

  // A spreadsheet takes a cell that begins so for a formula.
  const cell = (value) => {
    const text = String(value ?? "");
    return `"${(/^[=+\-@\t\r]/.test(text) ? `'${text}` : text).replaceAll('"', '""')}"`;
  };

  const marked = () => findings.map((finding) => [finding, marks[finding.id]]).filter(([, entry]) => entry);

  const review = () => {
    const rows = [["source_ref", "attribute", "box", "label", "decision", "new_label", "rule", "note"].join(",")];
    for (const [finding, entry] of marked()) {
      if (finding.source_ref === null) continue;
      const decision = entry.decision === "relabel" && !entry.label ? "keep" : entry.decision;
      const meaning = { right: "finding is right", wrong: "finding is wrong", accept: "accepted" }[entry.mark];
      const note = entry.note ? `${meaning}: ${entry.note}` : meaning;
      const label = decision === "relabel" ? entry.label : "";
      const cells = [finding.source_ref, finding.attribute, finding.box, finding.label, decision, label, finding.rule, note];
      rows.push(cells.map(cell).join(","));
    }
    download("review.csv", `${rows.join("\r\n")}\r\n`, "text/csv");
  };

  const toml = (text) =>
    `"${text
      .replace(/[\\"]/g, "\\$&")
      .replace(/[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`)}"`;

  const suppressions = () => {
    const seen = new Set();
    const entries = [];
    for (const [finding, entry] of marked()) {
      if (entry.mark !== "accept") continue;
      const lines = ["[[suppress]]", `rule = ${toml(finding.rule)}`, `files = [${toml(finding.file)}]`];
      if (finding.source !== null) lines.push(`source-ref = ${toml(finding.source)}`);
      const place = lines.join("\n");
      if (seen.has(place)) continue;
      seen.add(place);
      lines.push(`reason = ${toml(entry.note || byId("reason").value || "accepted in review")}`);
      entries.push(`${lines.join("\n")}\n`);
    }
    const head = "# For groundlint.toml. Each entry hides all findings of its rule on its image, or on its manifest.\n";
    download("suppressions.toml", `${head}\n${entries.join("\n")}`, "application/toml");
  };

  for (const [id, act] of [["review", review], ["suppress", suppressions]]) byId(id).addEventListener("click", act);
  byId("clear").addEventListener("click", () => {
    const before = Object.keys(marks);
    if (!before.length || !confirm(`Clear ${before.length} marks?`)) return;
    marks = {};
    findings.forEach((_, n) => refresh(n));
    keep();
    filter();
  });
  byId("reset").addEventListener("click", () => {
    for (const field of Object.values(fields)) {
      if (field.tagName === "SELECT") field.selectedIndex = 0;
      else field.value = "";
    }
    filter();
  });
  let pending = 0;
  for (const field of Object.values(fields)) {
    field.addEventListener("input", () => {
      cancelAnimationFrame(pending);
      pending = requestAnimationFrame(filter);
    });
  }
  elements.forEach((element, n) => {
    if (element.classList.contains("card")) {
      withBar(n);
      return;
    }
    // A bar for each of thousands of rows would be slow.
    const opener = document.createElement("button");
    opener.type = "button";
    opener.className = "opener";
    opener.textContent = "Mark";
    element.append(opener);
    refresh(n);
  });
  // The tools would cover a small screen.
  if (matchMedia("(max-width: 40rem)").matches) byId("panel").open = false;
  byId("tools").hidden = false;
  addEventListener("hashchange", follow);
  filter();
  count();
  follow();
})();
