// This button shows "Search" and the keys that open it; what is read aloud is what it shows.
document
  .querySelectorAll(".navbar-persistent--container > .search-button-field")
  .forEach((button) => button.removeAttribute("aria-label"));

// The arrows that unfold the list of pages have no words of their own.
document
  .querySelectorAll("summary:has(.toctree-toggle)")
  .forEach((arrow) => arrow.setAttribute("aria-label", "Pages below"));

// An empty cell in the head of a table is no heading.
document.querySelectorAll("th").forEach((cell) => {
  if (!cell.textContent.trim()) cell.replaceWith(document.createElement("td"));
});
