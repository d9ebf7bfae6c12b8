// Before the first paint: a remembered theme (without one the page follows the system), and what to do when a script does not come.
(function () {
  try {
    var theme = localStorage.getItem("wharf-theme");
    if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
  } catch (e) { /* storage is off: follow the system */ }
})();

// A script that did not come - the network changed, wharf was away for a moment - is asked for again by loading the page again, three
// times at most. Gives false where that is of no use.
window.loadAgain = function () {
  try {
    var times = Number(sessionStorage.getItem("wharf-reloads"));
    if (times >= 3) return false;
    sessionStorage.setItem("wharf-reloads", times + 1);
    setTimeout(function () { location.reload(); }, 500 * (times + 1));
    return true;
  } catch (e) { return false; }
};
window.addEventListener("error", function (event) { if (event.target instanceof HTMLScriptElement) window.loadAgain(); }, true);
