/** Where the system's Chromium is, and the switches under which tests run it. */

import { existsSync } from "node:fs";

/** The path of the browser: `CHROMIUM`, or where Debian and others put it. @throws when there is none. */
export function chromiumPath(): string {
  const places = [process.env["CHROMIUM"], "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
  const found = places.find((path) => path !== undefined && path !== "" && existsSync(path));
  if (found === undefined) throw new Error("No Chromium: install it (apt install chromium) or name it in CHROMIUM.");
  return found;
}

/** Quiet, offline, and without the sandbox where root runs it. */
export function chromiumArgs(): string[] {
  const quiet = ["--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
  return process.getuid?.() === 0 ? ["--no-sandbox", ...quiet] : quiet;
}
