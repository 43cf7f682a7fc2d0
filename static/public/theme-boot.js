// Runs before the first paint, so that a stored theme does not flash. The policy of the hub allows no inline script.
(function () {
  try {
    var stored = localStorage.getItem('infrawatch.theme');
    if (stored) document.documentElement.dataset.theme = stored;
  } catch (_) {
    // Storage may be forbidden: the system's preference then decides in the stylesheet.
  }
})();
