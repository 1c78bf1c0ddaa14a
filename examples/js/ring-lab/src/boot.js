// Starts the page, and says so where that can't be. Not a module, so that it runs from a file too.

import("./main.js").catch((error) => {
  const box = document.getElementById("fatal");
  if (!box) return;
  box.hidden = false;
  box.textContent =
    location.protocol === "file:"
      ? "Browsers don't load modules from a file. Serve this folder, with any static server, and open it from there."
      : `The page can't start: ${error instanceof Error ? error.message : error}. It needs WebAssembly, and 'wasm-unsafe-eval' where a policy restricts scripts.`;
});
